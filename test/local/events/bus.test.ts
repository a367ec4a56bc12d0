import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { arns, type EventFixture, openEvents } from './event-fixture.ts';

let events: EventFixture;
const entry = { Source: 'shop', DetailType: 'Ordered', Detail: '{}' };
const put = (...Entries: object[]) => events.run('PutEvents', { Entries });
const target = { Id: 'queue', Arn: arns.queue };

beforeEach(() => {
  events = openEvents();
});
afterEach(() => events.close());

describe('PutEvents', () => {
  test('answers for every entry on its own and delivers the good ones', async () => {
    await events.run('PutRule', { Name: 'all', EventPattern: '{"source":[{"prefix":""}]}' });
    await events.run('PutTargets', { Rule: 'all', Targets: [target] });
    const answer = await put(
      entry,
      { ...entry, Source: undefined },
      { ...entry, Detail: '[1]' },
      { ...entry, Detail: '{' },
      { ...entry, Source: 'aws.ec2' },
      { ...entry, Detail: '['.repeat(3000) },
    );
    expect(answer.FailedEntryCount).toBe(5);
    expect(answer.Entries.map(({ ErrorCode }: { ErrorCode?: string }) => ErrorCode)).toEqual([
      undefined,
      'InvalidArgument',
      'MalformedDetail',
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'MalformedDetail',
    ]);
    expect(answer.Entries[1].ErrorMessage).toContain('Source');
    await events.service.deliveries.idle();
    expect(events.target.got).toHaveLength(1);
  });

  test('refuses eleven entries, none, and more than 256 KiB together', async () => {
    await expect(put(...Array.from({ length: 11 }, () => entry))).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await expect(put()).rejects.toMatchObject({ name: 'ValidationException' });
    const fixed = Buffer.byteLength('shopOrdered');
    const sized = (bytes: number) => ({ ...entry, Detail: `{"a":"${'x'.repeat(bytes - fixed - 8)}"}` });
    expect(await put(sized(262_144))).toMatchObject({ FailedEntryCount: 0 });
    await expect(put(sized(262_145))).rejects.toThrow('over the limit');
  });

  test('to a bus that does not exist is taken and dropped, as on AWS, and leaves a line', async () => {
    expect(await put({ ...entry, EventBusName: 'nowhere' })).toMatchObject({ FailedEntryCount: 0 });
    expect(events.lines).toEqual([expect.stringContaining('event bus nowhere does not exist')]);
  });
});

describe('a rule', () => {
  test('on a bus sees the events of that bus only, also when named by ARN', async () => {
    const { EventBusArn } = await events.run('CreateEventBus', { Name: 'tenantry' });
    const { RuleArn } = await events.run('PutRule', {
      Name: 'all',
      EventBusName: EventBusArn,
      EventPattern: '{"source":["shop"]}',
    });
    expect(RuleArn).toBe('arn:aws:events:eu-central-1:000000000000:rule/tenantry/all');
    await events.run('PutTargets', { Rule: 'all', EventBusName: 'tenantry', Targets: [target] });
    await put(entry, { ...entry, EventBusName: 'tenantry' }, { ...entry, EventBusName: EventBusArn });
    await events.service.deliveries.idle();
    expect(events.target.got).toHaveLength(2);
  });

  test('that is disabled sends nothing until it is enabled', async () => {
    await events.run('PutRule', { Name: 'all', EventPattern: '{"source":["shop"]}', State: 'DISABLED' });
    await events.run('PutTargets', { Rule: 'all', Targets: [target] });
    await put(entry);
    await events.run('EnableRule', { Name: 'all' });
    await put(entry);
    await events.service.deliveries.idle();
    expect(events.target.got).toHaveLength(1);
  });

  test('with a pattern that AWS refuses is not made, and the refusal names the field', async () => {
    const make = events.run('PutRule', { Name: 'all', EventPattern: '{"detail":{"state":[{"numeric":["~",1]}]}}' });
    await expect(make).rejects.toMatchObject({ name: 'InvalidEventPatternException' });
    await expect(make).rejects.toThrow('"detail.state"');
    await expect(events.run('DescribeRule', { Name: 'all' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('keeps targets, tags and state across a restart, and its targets when it is put again', async () => {
    const { RuleArn } = await events.run('PutRule', {
      Name: 'all',
      EventPattern: '{"source":["shop"]}',
      Tags: [{ Key: 'room', Value: 'events' }],
    });
    await events.run('PutTargets', { Rule: 'all', Targets: [target] });
    await events.run('PutRule', { Name: 'all', EventPattern: '{"source":["bank"]}', State: 'DISABLED' });
    await events.restart();
    expect(await events.run('DescribeRule', { Name: 'all' })).toMatchObject({
      EventPattern: '{"source":["bank"]}',
      State: 'DISABLED',
    });
    expect((await events.run('ListTargetsByRule', { Rule: 'all' })).Targets).toEqual([target]);
    expect(await events.run('ListRuleNamesByTarget', { TargetArn: arns.queue })).toMatchObject({ RuleNames: ['all'] });
    expect(await events.run('ListTagsForResource', { ResourceARN: RuleArn })).toEqual({
      Tags: [{ Key: 'room', Value: 'events' }],
    });
  });

  test('cannot be deleted while it has targets, nor its bus while it has rules', async () => {
    await events.run('CreateEventBus', { Name: 'tenantry' });
    const rule = { Rule: 'all', EventBusName: 'tenantry' };
    await events.run('PutRule', { Name: 'all', EventBusName: 'tenantry', EventPattern: '{"source":["shop"]}' });
    await events.run('PutTargets', { ...rule, Targets: [target] });
    const drop = () => events.run('DeleteRule', { Name: 'all', EventBusName: 'tenantry' });
    await expect(drop()).rejects.toThrow('it has targets');
    expect(await events.run('RemoveTargets', { ...rule, Ids: ['queue', 'other'] })).toMatchObject({
      FailedEntryCount: 1,
    });
    await expect(events.run('DeleteEventBus', { Name: 'tenantry' })).rejects.toThrow('still has rules');
    await drop();
    await events.run('DeleteEventBus', { Name: 'tenantry' });
    await events.restart();
    expect((await events.run('ListEventBuses')).EventBuses).toMatchObject([{ Name: 'default' }]);
  });

  test.each([
    [
      'with a target of a service that is not here',
      { Id: 'x', Arn: 'arn:aws:kinesis:eu-central-1:0:stream/x' },
      'kinesis',
    ],
    ['with a FIFO target that has no group', { Id: 'x', Arn: `${arns.queue}.fifo` }, 'MessageGroupId'],
    ['with 186 retries', { ...target, RetryPolicy: { MaximumRetryAttempts: 186 } }, 'MaximumRetryAttempts'],
    [
      'with a dead-letter topic',
      { ...target, DeadLetterConfig: { Arn: 'arn:aws:sns:eu-central-1:0:x' } },
      'must be an SQS queue',
    ],
  ])('%s is refused', async (_why, bad, said) => {
    await events.run('PutRule', { Name: 'all', EventPattern: '{"source":["shop"]}' });
    await expect(events.run('PutTargets', { Rule: 'all', Targets: [bad] })).rejects.toThrow(said);
  });
});

describe('a rule with a schedule', () => {
  const scheduled = async (ScheduleExpression: string) => {
    await events.run('PutRule', { Name: 'tick', ScheduleExpression });
    await events.run('PutTargets', { Rule: 'tick', Targets: [target] });
  };

  test('sends its event every period, the first after one period', async () => {
    await scheduled('rate(5 minutes)');
    await events.clock.advance(299_999);
    expect(events.target.got).toHaveLength(0);
    await events.clock.advance(300_001);
    expect(events.target.got).toHaveLength(2);
    expect(JSON.parse(events.target.got[0]!.payload)).toMatchObject({
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      time: '2026-06-01T00:05:00Z',
      resources: ['arn:aws:events:eu-central-1:000000000000:rule/tick'],
      detail: {},
    });
  });

  test('keeps its rhythm across a restart and makes up for one missed time of the last hour', async () => {
    await scheduled('cron(0/10 * * * ? *)');
    await events.restart(3 * 3_600_000 + 60_000);
    await events.clock.advance(0);
    expect(events.target.got.map(({ payload }) => JSON.parse(payload).time)).toEqual(['2026-06-01T03:00:00Z']);
    await events.clock.advance(600_000);
    expect(events.target.got).toHaveLength(2);
  });

  test('stands still while it is disabled', async () => {
    await scheduled('rate(1 minute)');
    await events.run('DisableRule', { Name: 'tick' });
    await events.clock.advance(600_000);
    expect(events.target.got).toHaveLength(0);
  });

  test('is refused on another bus than default', async () => {
    await events.run('CreateEventBus', { Name: 'tenantry' });
    const make = events.run('PutRule', {
      Name: 'tick',
      EventBusName: 'tenantry',
      ScheduleExpression: 'rate(1 minute)',
    });
    await expect(make).rejects.toThrow('default event bus');
  });
});

test('TestEventPattern answers for an event and refuses one that lacks a field', async () => {
  const Event = JSON.stringify({
    id: '1',
    account: '0',
    source: 'shop',
    time: '2026-06-01T00:00:00Z',
    region: 'r',
    resources: [],
    'detail-type': 'x',
  });
  const EventPattern = '{"source":["shop"]}';
  expect(await events.run('TestEventPattern', { EventPattern, Event })).toEqual({ Result: true });
  await expect(events.run('TestEventPattern', { EventPattern, Event: '{"id":"1"}' })).rejects.toThrow('"account"');
});
