import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  InvalidDefinition,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
  StateMachineDoesNotExist,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Laptop, machineArnOf, only, openLaptop } from '../engine/laptop.ts';
import { openEndpoint } from '../gateway/endpoint.ts';

const roleArn = 'arn:aws:iam::000000000000:role/states';
const definition = (machine: object): string => JSON.stringify({ QueryLanguage: 'JSONata', ...machine });
const pass = definition(only({ Type: 'Pass' }));

const open = (): Laptop => {
  const laptop = openLaptop();
  onTestFinished(() => laptop.close());
  return laptop;
};

describe('state machines', () => {
  test('are created once: the same again is the same, another definition under the name is refused', async () => {
    const laptop = open();
    const input = { name: 'm', definition: pass, roleArn, tags: [{ key: 'tenant', value: 'acme' }] };
    const created = await laptop.call('CreateStateMachine', input);
    expect(created).toEqual({ stateMachineArn: machineArnOf('m'), creationDate: expect.any(Date) });
    expect(await laptop.call('CreateStateMachine', input)).toEqual(created);
    const other = definition(only({ Type: 'Pass', Output: 1 }));
    await expect(laptop.call('CreateStateMachine', { ...input, definition: other })).rejects.toMatchObject({
      name: 'StateMachineAlreadyExists',
    });
    expect(await laptop.call('DescribeStateMachine', { stateMachineArn: machineArnOf('m') })).toMatchObject({
      name: 'm',
      status: 'ACTIVE',
      type: 'STANDARD',
      definition: pass,
      roleArn,
      loggingConfiguration: { level: 'OFF', includeExecutionData: false },
    });
    expect(await laptop.call('ListTagsForResource', { resourceArn: machineArnOf('m') })).toEqual({
      tags: [{ key: 'tenant', value: 'acme' }],
    });
  });

  test.each([
    ['a definition that is not run here', { definition: '{}' }, 'InvalidDefinition'],
    ['a name with a space', { name: 'a b' }, 'InvalidName'],
    ['a role that is none', { roleArn: 'role' }, 'InvalidArn'],
    ['an EXPRESS machine', { type: 'EXPRESS' }, 'StateMachineTypeNotSupported'],
    ['a version', { publish: true }, 'ValidationException'],
    [
      'more than 50 tags',
      { tags: Array.from({ length: 51 }, (_, index) => ({ key: `k${index}`, value: '' })) },
      'TooManyTags',
    ],
  ])('with %s are refused', async (_what, change, name) => {
    await expect(
      open().call('CreateStateMachine', { name: 'm', definition: pass, roleArn, ...change }),
    ).rejects.toMatchObject({ name });
  });

  test('are updated for later executions; open ones go on with the definition they began with', async () => {
    const laptop = open();
    const machine = await laptop.create('m', {
      StartAt: 'W',
      States: { W: { Type: 'Wait', Seconds: 1, Next: 'P' }, P: { Type: 'Pass', Output: 'old', End: true } },
    });
    const before = await laptop.start(machine);
    const updated = await laptop.call('UpdateStateMachine', {
      stateMachineArn: machine,
      definition: definition(only({ Type: 'Pass', Output: 'new' })),
    });
    expect(updated).toEqual({ updateDate: expect.any(Date), revisionId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect((await laptop.ended(await laptop.start(machine))).output).toBe('"new"');
    expect((await laptop.ended(before)).output).toBe('"old"');
    const described = await laptop.call<{ definition: string }>('DescribeStateMachineForExecution', {
      executionArn: before,
    });
    expect(described.definition).toContain('old');
    await expect(
      laptop.call('UpdateStateMachine', { stateMachineArn: machineArnOf('none'), definition: pass }),
    ).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
  });

  test('are deleted when their last execution is over, and start nothing from the call on', async () => {
    const laptop = open();
    const machine = await laptop.create('m', only({ Type: 'Wait', Seconds: 600 }));
    const arn = await laptop.start(machine);
    await laptop.call('DeleteStateMachine', { stateMachineArn: machine });
    expect(await laptop.call('DescribeStateMachine', { stateMachineArn: machine })).toMatchObject({
      status: 'DELETING',
    });
    await expect(laptop.start(machine)).rejects.toMatchObject({ name: 'StateMachineDeleting' });
    await laptop.call('StopExecution', { executionArn: arn });
    await laptop.ended(arn);
    await expect(laptop.start(machine)).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
    expect(await laptop.call('DeleteStateMachine', { stateMachineArn: machine })).toEqual({});
    expect((await laptop.ended(arn)).status).toBe('ABORTED');
  });

  test('are listed in pages', async () => {
    const laptop = open();
    for (const name of ['c', 'a', 'b']) await laptop.create(name, only({ Type: 'Pass' }));
    type Page = { stateMachines: { name: string }[]; nextToken?: string };
    const first = await laptop.call<Page>('ListStateMachines', { maxResults: 2 });
    const second = await laptop.call<Page>('ListStateMachines', { maxResults: 2, nextToken: first.nextToken });
    expect([...first.stateMachines, ...second.stateMachines].map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(second.nextToken).toBeUndefined();
    await expect(laptop.call('ListStateMachines', { nextToken: 'x' })).rejects.toMatchObject({ name: 'InvalidToken' });
    await expect(laptop.call('ListStateMachines', { maxResults: 1_001 })).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });

  test('are validated without being created', async () => {
    const laptop = open();
    expect(await laptop.call('ValidateStateMachineDefinition', { definition: pass })).toEqual({
      result: 'OK',
      diagnostics: [],
      truncated: false,
    });
    const bad = await laptop.call<{ diagnostics: object[] }>('ValidateStateMachineDefinition', {
      definition: definition(only({ Type: 'Pass', ResultPath: '$' })),
    });
    expect(bad).toMatchObject({
      result: 'FAIL',
      diagnostics: [{ severity: 'ERROR', location: '/States/Only/ResultPath' }],
    });
  });

  test('carry tags that come and go', async () => {
    const laptop = open();
    const resourceArn = await laptop.create('m', only({ Type: 'Pass' }));
    await laptop.call('TagResource', {
      resourceArn,
      tags: [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
    });
    await laptop.call('UntagResource', { resourceArn, tagKeys: ['a'] });
    expect(await laptop.call('ListTagsForResource', { resourceArn })).toEqual({ tags: [{ key: 'b', value: '2' }] });
    await expect(laptop.call('ListTagsForResource', { resourceArn: machineArnOf('no') })).rejects.toMatchObject({
      name: 'ResourceNotFound',
    });
  });
});

describe('executions', () => {
  test('are listed newest first, by status and in pages', async () => {
    const laptop = open();
    const machine = await laptop.create('m', {
      StartAt: 'C',
      States: {
        C: { Type: 'Choice', Choices: [{ Condition: '{% $states.input %}', Next: 'S' }], Default: 'F' },
        S: { Type: 'Succeed' },
        F: { Type: 'Fail', Error: 'E' },
      },
    });
    for (const [index, good] of [true, false, true].entries())
      await laptop.ended(await laptop.start(machine, good, `e${index}`));
    type Page = { executions: { name: string; status: string }[]; nextToken?: string };
    const list = (input: object): Promise<Page> =>
      laptop.call<Page>('ListExecutions', { stateMachineArn: machine, ...input });
    const first = await list({ maxResults: 2 });
    expect(first.executions.map(({ name }) => name)).toEqual(['e2', 'e1']);
    expect((await list({ maxResults: 2, nextToken: first.nextToken })).executions.map(({ name }) => name)).toEqual([
      'e0',
    ]);
    expect((await list({ statusFilter: 'FAILED' })).executions).toMatchObject([
      { name: 'e1', status: 'FAILED', redriveCount: 0 },
    ]);
    expect((await list({ redriveFilter: 'REDRIVEN' })).executions).toEqual([]);
    await expect(list({ mapRunArn: 'x' })).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(laptop.call('ListExecutions', { stateMachineArn: machineArnOf('no') })).rejects.toMatchObject({
      name: 'StateMachineDoesNotExist',
    });
  });

  test('that are started in process are the same as those of the API, and one that has ended stays as it ended', async () => {
    const laptop = open();
    const machine = await laptop.create('m', only({ Type: 'Pass' }));
    const { executionArn } = await laptop.states.start(machine, '{"a":1}', 'named');
    const ended = await laptop.ended(executionArn);
    expect(ended).toMatchObject({
      name: 'named',
      input: '{"a":1}',
      output: '{"a":1}',
      inputDetails: { included: true },
    });
    expect(await laptop.call('StopExecution', { executionArn })).toEqual({ stopDate: ended.stopDate });
    expect((await laptop.ended(executionArn)).status).toBe('SUCCEEDED');
    await expect(laptop.states.start(machine, '{', 'bad')).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
    await expect(laptop.call('DescribeExecution', { executionArn: 'x' })).rejects.toMatchObject({
      name: 'ExecutionDoesNotExist',
    });
  });
});

test('the unmodified SDK client speaks with it: dates, typed errors, history and Map Runs', async () => {
  const laptop = openLaptop();
  const { config } = await openEndpoint(() => [laptop.states]);
  onTestFinished(() => laptop.close());
  const client = new SFNClient(config);
  onTestFinished(() => client.destroy());
  const { stateMachineArn } = await client.send(
    new CreateStateMachineCommand({ name: 'wired', definition: pass, roleArn }),
  );
  const start = new StartExecutionCommand({ stateMachineArn, name: 'one', input: '{"a":1}' });
  const { executionArn, startDate } = await client.send(start);
  expect(startDate).toBeInstanceOf(Date);
  await laptop.ended(executionArn!);
  const described = await client.send(new DescribeExecutionCommand({ executionArn }));
  expect(described).toMatchObject({ status: 'SUCCEEDED', output: '{"a":1}', redriveStatus: 'NOT_REDRIVABLE' });
  expect(described.stopDate!.getTime()).toBeGreaterThanOrEqual(startDate!.getTime());
  const { events } = await client.send(new GetExecutionHistoryCommand({ executionArn }));
  expect(events!.map(({ type }) => type)).toEqual([
    'ExecutionStarted',
    'PassStateEntered',
    'PassStateExited',
    'ExecutionSucceeded',
  ]);
  expect(events![1]!.stateEnteredEventDetails).toMatchObject({ name: 'Only', input: '{"a":1}' });
  expect((await client.send(new ListExecutionsCommand({ stateMachineArn }))).executions).toHaveLength(1);
  await expect(client.send(start)).rejects.toThrow(ExecutionAlreadyExists);
  await expect(client.send(new StopExecutionCommand({ executionArn: `${executionArn}x` }))).rejects.toThrow(
    ExecutionDoesNotExist,
  );
  await expect(client.send(new StartExecutionCommand({ stateMachineArn: machineArnOf('no') }))).rejects.toThrow(
    StateMachineDoesNotExist,
  );
  await expect(client.send(new CreateStateMachineCommand({ name: 'bad', definition: '{}', roleArn }))).rejects.toThrow(
    InvalidDefinition,
  );
  await expect(client.send(new DescribeMapRunCommand({ mapRunArn: machineArnOf('no') }))).rejects.toMatchObject({
    name: 'ResourceNotFound',
    resourceName: machineArnOf('no'),
  });
});
