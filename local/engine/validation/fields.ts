/** Fields that only JSONPath machines have; the engine speaks JSONata alone and refuses them by name. */
export const jsonPathOnly: ReadonlySet<string> = new Set([
  'InputPath',
  'OutputPath',
  'ResultPath',
  'Parameters',
  'ResultSelector',
  'Result',
  'ItemsPath',
  'SecondsPath',
  'TimestampPath',
  'TimeoutSecondsPath',
  'HeartbeatSecondsPath',
  'ErrorPath',
  'CausePath',
  'MaxConcurrencyPath',
  'MaxItemsPath',
  'MaxItemsPerBatchPath',
  'MaxInputBytesPerBatchPath',
  'ToleratedFailureCountPath',
  'ToleratedFailurePercentagePath',
  'Variable',
  'And',
  'Or',
  'Not',
]);

const common = ['Type', 'Comment', 'QueryLanguage'];
const outputs = ['Output', 'Assign'];
const transition = ['Next', 'End'];
const guarded = ['Arguments', 'Retry', 'Catch'];

/** State type -> the fields that it may have under JSONata (ASL specification, "State Types"). */
export const stateFields: Readonly<Record<string, ReadonlySet<string>>> = {
  Pass: new Set([...common, ...outputs, ...transition]),
  Succeed: new Set([...common, 'Output']),
  Fail: new Set([...common, 'Error', 'Cause']),
  Choice: new Set([...common, ...outputs, 'Choices', 'Default']),
  Wait: new Set([...common, ...outputs, ...transition, 'Seconds', 'Timestamp']),
  Task: new Set([
    ...common,
    ...outputs,
    ...transition,
    ...guarded,
    'Resource',
    'TimeoutSeconds',
    'HeartbeatSeconds',
    'Credentials',
  ]),
  Parallel: new Set([...common, ...outputs, ...transition, ...guarded, 'Branches']),
  Map: new Set([
    ...common,
    ...outputs,
    ...transition,
    'Retry',
    'Catch',
    'ItemProcessor',
    'Items',
    'ItemSelector',
    'ItemReader',
    'ItemBatcher',
    'ResultWriter',
    'MaxConcurrency',
    'ToleratedFailureCount',
    'ToleratedFailurePercentage',
    'Label',
  ]),
};

/** Fields of a Map that only a distributed one may have. */
export const distributedOnly: readonly string[] = [
  'ItemReader',
  'ItemBatcher',
  'ResultWriter',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
  'Label',
];

export const machineFields: ReadonlySet<string> = new Set([
  'Comment',
  'StartAt',
  'States',
  'TimeoutSeconds',
  'Version',
  'QueryLanguage',
  'ProcessorConfig',
]);

/** Fields whose strings may be JSONata anywhere inside. */
export const templates: readonly string[] = [
  'Arguments',
  'Output',
  'Assign',
  'Items',
  'ItemSelector',
  'Seconds',
  'Timestamp',
  'TimeoutSeconds',
  'HeartbeatSeconds',
  'MaxConcurrency',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
  'Error',
  'Cause',
];
