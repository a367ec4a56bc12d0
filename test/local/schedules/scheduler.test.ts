import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSchedulerService, type SchedulerService } from '../../../local/services/scheduler.ts';
import { arns, deadLetterBox, type Recorder, recorder } from '../events/event-fixture.ts';
import { caller, place, temporaryDirectory } from '../queues/queue-fixture.ts';
import { type VirtualClock, virtualClock } from './virtual-clock.ts';

let files: ReturnType<typeof temporaryDirectory>;
let clock: VirtualClock;
let target: Recorder;
let dead: ReturnType<typeof deadLetterBox>;
let service: SchedulerService;
let run: ReturnType<typeof caller>;

const start = (): void => {
  service = createSchedulerService({
    directory: files.directory,
    ...place,
    delivery: target,
    deadLetters: dead,
    clock,
  });
  run = caller(service);
};
/** Ends the service, lets time pass, starts it again. */
const downFor = async (milliseconds: number): Promise<void> => {
  service.close();
  await clock.advance(milliseconds);
  start();
  await clock.advance(0);
};
const create = (input: object = {}) =>
  run('CreateSchedule', {
    Name: 'nightly',
    ScheduleExpression: 'rate(5 minutes)',
    FlexibleTimeWindow: { Mode: 'OFF' },
    ...input,
    Target: {
      Arn: arns.queue,
      RoleArn: arns.role,
      Input: '<aws.scheduler.scheduled-time>',
      ...('Target' in input ? (input.Target as object) : {}),
    },
  });
/** The scheduled times that arrived, without date and seconds where these are the same. */
const times = (): string[] => target.got.map(({ payload }) => payload.slice(5, 16));
const minutes = (count: number): number => count * 60_000;
const hours = (count: number): number => count * 3_600_000;

beforeEach(() => {
  files = temporaryDirectory();
  clock = virtualClock('2026-06-01T00:00:00Z');
  target = recorder();
  dead = deadLetterBox();
  start();
});
afterEach(() => {
  service.close();
  files.remove();
});

describe('a schedule', () => {
  test('with a rate fires at once and then every period', async () => {
    await create();
    await clock.advance(minutes(10));
    expect(times()).toEqual(['06-01T00:00', '06-01T00:05', '06-01T00:10']);
  });

  test('with a start and an end fires between them only', async () => {
    await create({ StartDate: new Date('2026-06-01T01:00:00Z'), EndDate: new Date('2026-06-01T01:10:00Z') });
    await clock.advance(hours(3));
    expect(times()).toEqual(['06-01T01:00', '06-01T01:05', '06-01T01:10']);
    expect(clock.pending()).toEqual([]);
  });

  test('with a cron fires by the clocks of its zone', async () => {
    await create({ ScheduleExpression: 'cron(0 9 * * ? *)', ScheduleExpressionTimezone: 'America/New_York' });
    await clock.advance(hours(48));
    expect(times()).toEqual(['06-01T13:00', '06-02T13:00']);
  });

  test('that is due once fires once, and goes away after it when it says so', async () => {
    await create({ ScheduleExpression: 'at(2026-06-01T02:00:00)', ActionAfterCompletion: 'DELETE' });
    await create({ Name: 'kept', ScheduleExpression: 'at(2026-06-01T02:00:00)' });
    await clock.advance(hours(30));
    expect(times()).toEqual(['06-01T02:00', '06-01T02:00']);
    expect((await run('ListSchedules')).Schedules).toMatchObject([{ Name: 'kept' }]);
  });

  test('that is disabled or deleted fires no more', async () => {
    await create({ State: 'DISABLED' });
    await create({ Name: 'other', StartDate: new Date('2026-06-01T01:00:00Z') });
    await run('DeleteSchedule', { Name: 'other' });
    await clock.advance(hours(3));
    expect(target.got).toEqual([]);
  });

  test('that is updated takes its new time, and what was left out goes back to the default', async () => {
    await create({ ScheduleExpression: 'cron(0 1 * * ? *)', Description: 'old' });
    await run('UpdateSchedule', {
      Name: 'nightly',
      ScheduleExpression: 'cron(0 2 * * ? *)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: arns.queue, RoleArn: arns.role, Input: '<aws.scheduler.scheduled-time>' },
    });
    await clock.advance(hours(3));
    expect(times()).toEqual(['06-01T02:00']);
    expect(await run('GetSchedule', { Name: 'nightly' })).not.toHaveProperty('Description');
  });

  test('with a flexible window fires within it', async () => {
    await create({
      ScheduleExpression: 'at(2026-06-01T01:00:00)',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
    });
    const [due] = clock.pending();
    expect(due).toBeGreaterThanOrEqual(Date.parse('2026-06-01T01:00:00Z'));
    expect(due).toBeLessThan(Date.parse('2026-06-01T01:15:00Z'));
    await clock.advance(hours(2));
    expect(times()).toEqual(['06-01T01:00']);
  });
});

describe('what a schedule sends', () => {
  test('has its placeholders filled in, the attempt number anew for each attempt', async () => {
    let refusals = 1;
    target.answer = () => {
      if (refusals-- > 0) throw new Error('busy');
    };
    await create({
      Target: {
        Input:
          '{"a":"<aws.scheduler.schedule-arn>","n":<aws.scheduler.attempt-number>,"e":"<aws.scheduler.execution-id>"}',
      },
    });
    await clock.advance(minutes(1));
    const [first, second] = target.got.map(({ payload }) => JSON.parse(payload));
    expect(first).toMatchObject({ a: 'arn:aws:scheduler:eu-central-1:000000000000:schedule/default/nightly', n: 1 });
    expect(second).toEqual({ ...first, n: 2 });
  });

  test('to a bus is an event around the input', async () => {
    const Arn = 'arn:aws:events:eu-central-1:000000000000:event-bus/tenantry';
    const EventBridgeParameters = { DetailType: 'BackupDue', Source: 'tenantry.clock' };
    await create({ Target: { Arn, EventBridgeParameters, Input: '{"plan":"gold"}' } });
    await clock.advance(0);
    expect(JSON.parse(target.got[0]!.payload)).toMatchObject({
      'detail-type': 'BackupDue',
      source: 'tenantry.clock',
      time: '2026-06-01T00:00:00Z',
      detail: { plan: 'gold' },
    });
  });

  test('and nobody takes goes to its dead-letter queue with the reason', async () => {
    target.answer = () => {
      throw new Error('busy');
    };
    await create({
      ScheduleExpression: 'at(2026-06-01T00:01:00)',
      Target: { RetryPolicy: { MaximumRetryAttempts: 1 }, DeadLetterConfig: { Arn: arns.dead } },
    });
    await clock.advance(hours(1));
    expect(dead.letters).toMatchObject([
      {
        arn: arns.dead,
        body: '2026-06-01T00:01:00Z',
        attributes: {
          SCHEDULE_ARN: 'arn:aws:scheduler:eu-central-1:000000000000:schedule/default/nightly',
          TARGET_ARN: arns.queue,
          EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
        },
      },
    ]);
  });
});

describe('after down time', () => {
  test('a recurring schedule makes up for its latest missed time, once, and keeps its rhythm', async () => {
    await create();
    await clock.advance(minutes(1));
    await downFor(hours(5));
    expect(times()).toEqual(['06-01T00:00', '06-01T05:00']);
    await clock.advance(minutes(4));
    expect(times()).toEqual(['06-01T00:00', '06-01T05:00', '06-01T05:05']);
  });

  test('a time that was missed more than an hour ago is let go', async () => {
    await create({ ScheduleExpression: 'cron(0 1 * * ? *)' });
    await downFor(hours(2) + 1);
    expect(times()).toEqual([]);
    await clock.advance(hours(24));
    expect(times()).toEqual(['06-02T01:00']);
  });

  test('a schedule that was due once fires however late, and only once', async () => {
    await create({ ScheduleExpression: 'at(2026-06-01T01:00:00)' });
    await downFor(hours(240));
    await downFor(hours(1));
    expect(times()).toEqual(['06-01T01:00']);
  });

  test('an invocation that was under way is delivered again, a finished one is not', async () => {
    target.answer = () => new Promise<void>(() => {});
    await create({ ScheduleExpression: 'at(2026-06-01T00:01:00)' });
    await clock.advance(minutes(1));
    target.answer = () => {};
    await downFor(0);
    await downFor(0);
    expect(times()).toEqual(['06-01T00:01', '06-01T00:01']);
  });
});

test('a scheduler that is held sends nothing until it is started', async () => {
  await create({ ScheduleExpression: 'at(2026-06-01T00:01:00)' });
  service.close();
  service = createSchedulerService({ directory: files.directory, ...place, delivery: target, clock, held: true });
  await clock.advance(hours(1));
  expect(target.got).toEqual([]);
  service.start();
  await clock.advance(0);
  expect(times()).toEqual(['06-01T00:01']);
});

describe('a group', () => {
  test('holds schedules of its own names and takes them with it when it is deleted', async () => {
    await run('CreateScheduleGroup', { Name: 'acme', Tags: [{ Key: 'tenant', Value: 'acme' }] });
    await create({ GroupName: 'acme' });
    await create({ StartDate: new Date('2027-01-01T00:00:00Z') });
    expect((await run('ListSchedules', { GroupName: 'acme' })).Schedules).toHaveLength(1);
    await clock.advance(0);
    await run('DeleteScheduleGroup', { Name: 'acme' });
    service.close();
    start();
    await clock.advance(hours(1));
    expect(target.got).toHaveLength(1);
    expect((await run('ListScheduleGroups')).ScheduleGroups).toMatchObject([{ Name: 'default' }]);
    await expect(run('GetSchedule', { GroupName: 'acme', Name: 'nightly' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('default cannot be deleted, and a name is taken once', async () => {
    await expect(run('DeleteScheduleGroup', { Name: 'default' })).rejects.toThrow('default');
    await expect(run('CreateScheduleGroup', { Name: 'default' })).rejects.toMatchObject({ name: 'ConflictException' });
    await create();
    await expect(create()).rejects.toMatchObject({ name: 'ConflictException' });
  });
});

test.each([
  ['without a window', { FlexibleTimeWindow: undefined }, 'FlexibleTimeWindow'],
  ['with a window that has no length', { FlexibleTimeWindow: { Mode: 'FLEXIBLE' } }, 'MaximumWindowInMinutes'],
  ['with an expression that cannot be read', { ScheduleExpression: 'cron(0 25 * * ? *)' }, 'hours "25"'],
  ['in no time zone', { ScheduleExpressionTimezone: 'Nowhere' }, 'Nowhere'],
  ['without a role', { Target: { RoleArn: undefined } }, 'RoleArn'],
  ['to a service that is not here', { Target: { Arn: 'arn:aws:ecs:eu-central-1:0:cluster/x' } }, 'ecs'],
  [
    'to a bus without a source',
    { Target: { Arn: 'arn:aws:events:eu-central-1:0:event-bus/x' } },
    'EventBridgeParameters',
  ],
  ['that ends before it starts', { StartDate: new Date(2), EndDate: new Date(1) }, 'EndDate'],
])('a schedule %s is refused', async (_why, input, said) => {
  await expect(create(input)).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(create(input)).rejects.toThrow(said);
});
