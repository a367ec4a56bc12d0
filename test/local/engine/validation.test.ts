import { describe, expect, test } from 'vitest';
import { validateDefinition } from '../../../local/engine/validation/machine.ts';
import { functionArn } from './laptop.ts';

const problems = (definition: object): string =>
  validateDefinition(JSON.stringify({ QueryLanguage: 'JSONata', ...definition }))
    .map(({ location, message }) => `${location}: ${message}`)
    .join('\n');

const one = (state: object): object => ({ StartAt: 'S', States: { S: { End: true, ...state } } });
const task = (fields: object): object => one({ Type: 'Task', Resource: functionArn('f'), ...fields });
const processor = (fields: object = {}): object => ({
  StartAt: 'Each',
  States: { Each: { Type: 'Pass', End: true } },
  ...fields,
});
const distributed = { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } };

test('a JSONata machine is accepted', () => {
  expect(problems(one({ Type: 'Pass', Output: '{% $states.input %}' }))).toBe('');
});

describe('JSONPath is refused', () => {
  test('as the language of the machine, also where it is only the default', () => {
    expect(validateDefinition(JSON.stringify(one({ Type: 'Pass' })))[0]!.message).toContain('"JSONPath"');
    expect(problems({ ...one({ Type: 'Pass' }), QueryLanguage: 'JSONPath' })).toContain('/QueryLanguage');
  });

  test.each([
    ['InputPath', { Type: 'Pass', InputPath: '$.a' }],
    ['Result', { Type: 'Pass', Result: 1 }],
    ['Parameters', { Type: 'Task', Resource: functionArn('f'), Parameters: {} }],
    ['ResultPath', { Type: 'Task', Resource: functionArn('f'), ResultPath: '$' }],
    ['SecondsPath', { Type: 'Wait', SecondsPath: '$.s' }],
    ['ItemsPath', { Type: 'Map', ItemsPath: '$.xs', ItemProcessor: processor() }],
  ])('in the field %s, naming field and state', (field, state) => {
    expect(problems(one(state))).toContain(`the field '${field}' of the state 'S' is JSONPath`);
  });

  test('in a Choice rule and inside Arguments', () => {
    const choice = {
      StartAt: 'C',
      States: {
        C: { Type: 'Choice', Choices: [{ Variable: '$.a', StringEquals: 'x', Next: 'E' }] },
        E: { Type: 'Succeed' },
      },
    };
    expect(problems(choice)).toContain("the field 'Variable' of the state 'C' is JSONPath");
    expect(problems(task({ Arguments: { deep: [{ 'v.$': '$.a' }] } }))).toContain("'v.$' is a JSONPath field");
  });

  test('as the language of one state', () => {
    expect(problems(one({ Type: 'Pass', QueryLanguage: 'JSONPath' }))).toContain('only JSONata');
  });
});

test.each([
  [
    'an expression that does not compile',
    one({ Type: 'Pass', Output: { a: '{% 1 + %}' } }),
    '/States/S/Output/a: the JSONata expression does not compile',
  ],
  ['an expression with a space after it', one({ Type: 'Pass', Output: '{% 1 %} ' }), 'is no expression'],
  ['a variable called states', one({ Type: 'Pass', Assign: { states: 1 } }), "'states' cannot be a variable"],
  ['a state type that is not there', one({ Type: 'Sleep' }), 'must be one of Pass'],
  [
    'a field that the state type does not have',
    one({ Type: 'Pass', Seconds: 1 }),
    "'Seconds' is not supported by the Pass state",
  ],
  ['a start that is not there', { StartAt: 'X', States: { S: { Type: 'Succeed' } } }, '/StartAt'],
  [
    'a target that is not there',
    { StartAt: 'S', States: { S: { Type: 'Pass', Next: 'X' } } },
    '/States/S/Next: "X" is no state',
  ],
  ['neither Next nor End', { StartAt: 'S', States: { S: { Type: 'Pass' } } }, 'needs either Next or "End": true'],
  ['a line without an end', { StartAt: 'A', States: { A: { Type: 'Pass', Next: 'A' } } }, 'no state ends this machine'],
  [
    'a state that nothing leads to',
    { StartAt: 'A', States: { A: { Type: 'Succeed' }, B: { Type: 'Succeed' } } },
    'State "B" is not reachable.',
  ],
  ['a Wait without a time', one({ Type: 'Wait' }), 'needs Seconds or Timestamp'],
  ['a Wait with two', one({ Type: 'Wait', Seconds: 1, Timestamp: '2026-01-01T00:00:00Z' }), 'and not both'],
  [
    'a resource that is not run here',
    task({ Resource: 'arn:aws:states:::glue:startJobRun.sync' }),
    "'glue:startJobRun.sync' is not run here",
  ],
  ['.sync on a service that has none', task({ Resource: 'arn:aws:states:::events:putEvents.sync' }), 'is not run here'],
  [
    'a heartbeat that is longer than the time-out',
    task({ TimeoutSeconds: 5, HeartbeatSeconds: 5 }),
    'must be below TimeoutSeconds',
  ],
  ['a time-out of no time', task({ TimeoutSeconds: 0 }), 'whole number from 1'],
  [
    'States.ALL before another catcher',
    task({
      Catch: [
        { ErrorEquals: ['States.ALL'], Next: 'S' },
        { ErrorEquals: ['A'], Next: 'S' },
      ],
    }),
    'must stand in the last rule',
  ],
  ['an empty ErrorEquals', task({ Retry: [{ ErrorEquals: [] }] }), 'must be a list of error names'],
  ['a back-off that shrinks', task({ Retry: [{ ErrorEquals: ['A'], BackoffRate: 0.5 }] }), 'BackoffRate is 0.5'],
  [
    'a jitter that is not known',
    task({ Retry: [{ ErrorEquals: ['A'], JitterStrategy: 'HALF' }] }),
    "give 'FULL' or 'NONE'",
  ],
  [
    'ResultPath in a catcher',
    task({ Catch: [{ ErrorEquals: ['A'], ResultPath: '$', Next: 'S' }] }),
    "'ResultPath' is not supported here",
  ],
  [
    'a name that is used in two branches',
    one({ Type: 'Parallel', Branches: [processor(), processor()] }),
    "'Each' is used twice",
  ],
  [
    'an inner scope that assigns an outer variable',
    one({
      Type: 'Parallel',
      Assign: { v: 1 },
      Branches: [{ StartAt: 'B', States: { B: { Type: 'Pass', Assign: { v: 2 }, End: true } } }],
    }),
    "'v' is assigned outside too",
  ],
  [
    'a reader in an inline Map',
    one({ Type: 'Map', ItemReader: {}, ItemProcessor: processor() }),
    'needs "ProcessorConfig"',
  ],
  [
    'EXPRESS children',
    one({
      Type: 'Map',
      ItemProcessor: processor({ ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' } }),
    }),
    'STANDARD only',
  ],
  [
    'a reader of something else than S3',
    one({
      Type: 'Map',
      ItemReader: { Resource: 'arn:aws:states:::dynamodb:scan' },
      ItemProcessor: processor(distributed),
    }),
    'must be arn:aws:states:::s3:getObject',
  ],
  [
    'a reader of Parquet',
    one({
      Type: 'Map',
      ItemReader: { Resource: 'arn:aws:states:::s3:getObject', ReaderConfig: { InputType: 'PARQUET' } },
      ItemProcessor: processor(distributed),
    }),
    'JSON, JSONL and CSV',
  ],
])('%s is refused', (_what, definition, message) => {
  expect(problems(definition)).toContain(message);
});

test('a distributed Map may assign in its children what the parent assigns: they are executions of their own', () => {
  const child = { StartAt: 'Each', States: { Each: { Type: 'Pass', Assign: { v: 2 }, End: true } }, ...distributed };
  expect(problems(one({ Type: 'Map', Assign: { v: 1 }, ItemProcessor: child }))).toBe('');
});

test('a definition of more than 1 MB is refused', () => {
  expect(problems(one({ Type: 'Pass', Output: 'x'.repeat(1_048_576) }))).toContain('1048576 are allowed');
});
