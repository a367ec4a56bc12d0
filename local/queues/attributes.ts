import { ServiceError } from '../gateway/service.ts';

export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

export interface RedriveAllowPolicy {
  readonly redrivePermission: 'allowAll' | 'denyAll' | 'byQueue';
  readonly sourceQueueArns: readonly string[];
}

/** Lowest, highest and default value of the numeric attributes. SQS API reference, SetQueueAttributes. */
const ranges = {
  DelaySeconds: [0, 900, 0],
  MaximumMessageSize: [1024, 1_048_576, 1_048_576],
  MessageRetentionPeriod: [60, 1_209_600, 345_600],
  ReceiveMessageWaitTimeSeconds: [0, 20, 0],
  VisibilityTimeout: [0, 43_200, 30],
  KmsDataKeyReusePeriodSeconds: [60, 86_400, 300],
} as const satisfies Record<string, readonly [number, number, number]>;

export type NumericAttribute = keyof typeof ranges;

const choices: Readonly<Record<string, readonly string[]>> = {
  FifoQueue: ['true', 'false'],
  ContentBasedDeduplication: ['true', 'false'],
  SqsManagedSseEnabled: ['true', 'false'],
  DeduplicationScope: ['messageGroup', 'queue'],
  FifoThroughputLimit: ['perQueue', 'perMessageGroupId'],
};

const onlyFifo = ['ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit'];
const free = ['Policy', 'RedrivePolicy', 'RedriveAllowPolicy', 'KmsMasterKeyId'];

const invalid = (name: string, value: string, reason: string): ServiceError =>
  new ServiceError('InvalidAttributeValue', `Invalid value for the parameter ${name}: ${value}. Reason: ${reason}`);

const parsed = (name: string, value: string): Record<string, unknown> => {
  try {
    const policy: unknown = JSON.parse(value);
    if (policy !== null && typeof policy === 'object' && !Array.isArray(policy)) return { ...policy };
  } catch {
    // Falls through: text that is no JSON is refused like JSON that is no object.
  }
  throw invalid(name, value, 'it must be a JSON object.');
};

const isWholeNumber = (value: string): boolean => /^\d{1,9}$/.test(value);

/** Reads a RedrivePolicy; empty text means none. Throws InvalidAttributeValue naming the wrong field. */
export const redrivePolicy = (text: string | undefined): RedrivePolicy | undefined => {
  if (!text) return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = parsed('RedrivePolicy', text);
  if (typeof deadLetterTargetArn !== 'string') throw invalid('RedrivePolicy', text, 'deadLetterTargetArn is missing.');
  const count = Number(maxReceiveCount);
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw invalid('RedrivePolicy', text, 'maxReceiveCount must be a whole number from 1 to 1000.');
  return { deadLetterTargetArn, maxReceiveCount: count };
};

/** Reads a RedriveAllowPolicy: which queues may name this one as their dead-letter queue. */
export const redriveAllowPolicy = (text: string | undefined): RedriveAllowPolicy => {
  if (!text) return { redrivePermission: 'allowAll', sourceQueueArns: [] };
  const { redrivePermission, sourceQueueArns = [] } = parsed('RedriveAllowPolicy', text);
  if (redrivePermission !== 'allowAll' && redrivePermission !== 'denyAll' && redrivePermission !== 'byQueue')
    throw invalid('RedriveAllowPolicy', text, 'redrivePermission must be allowAll, denyAll or byQueue.');
  const isList = Array.isArray(sourceQueueArns) && sourceQueueArns.every((arn) => typeof arn === 'string');
  if (!isList || sourceQueueArns.length > 10)
    throw invalid('RedriveAllowPolicy', text, 'sourceQueueArns must be at most 10 queue ARNs.');
  return { redrivePermission, sourceQueueArns };
};

const check = (name: string, value: string, fifo: boolean): void => {
  const range = ranges[name as NumericAttribute];
  if (range !== undefined) {
    const [low, high] = range;
    if (!isWholeNumber(value) || Number(value) < low || Number(value) > high)
      throw invalid(name, value, `it must be a whole number from ${low} to ${high}.`);
    return;
  }
  const allowed = choices[name];
  if (allowed !== undefined) {
    if (!allowed.includes(value)) throw invalid(name, value, `it must be one of ${allowed.join(', ')}.`);
    if (onlyFifo.includes(name) && !fifo)
      throw new ServiceError('InvalidAttributeName', `Unknown Attribute ${name}: only FIFO queues have it.`);
    return;
  }
  if (!free.includes(name)) throw new ServiceError('InvalidAttributeName', `Unknown Attribute ${name}.`);
  if (name === 'RedrivePolicy') redrivePolicy(value);
  if (name === 'RedriveAllowPolicy') redriveAllowPolicy(value);
};

/** Checks the attributes that a caller sets. Throws InvalidAttributeName or InvalidAttributeValue naming field and value. */
export const checkAttributes = (attributes: Readonly<Record<string, string>>, fifo: boolean): void => {
  for (const [name, value] of Object.entries(attributes)) check(name, value, fifo);
};

/** The value that counts for a queue: what was set, or AWS's default. Seconds or bytes. */
export const numericAttribute = (attributes: Readonly<Record<string, string>>, name: NumericAttribute): number =>
  Number(attributes[name] ?? ranges[name][2]);

/** Everything that can be set, with defaults, as GetQueueAttributes shows it. */
export const withDefaults = (attributes: Readonly<Record<string, string>>): Record<string, string> => {
  const shown: Record<string, string> = { SqsManagedSseEnabled: 'true' };
  for (const [name, [, , standard]] of Object.entries(ranges))
    if (name !== 'KmsDataKeyReusePeriodSeconds' || attributes.KmsMasterKeyId) shown[name] = String(standard);
  if (attributes.FifoQueue === 'true')
    Object.assign(shown, {
      ContentBasedDeduplication: 'false',
      DeduplicationScope: 'queue',
      FifoThroughputLimit: 'perQueue',
    });
  for (const [name, value] of Object.entries(attributes)) if (value !== '') shown[name] = value;
  return shown;
};
