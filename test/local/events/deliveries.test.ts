import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backOff } from '../../../local/events/deliveries.ts';
import { ServiceError } from '../../../local/gateway/service.ts';
import { arns, type EventFixture, openEvents } from './event-fixture.ts';

let events: EventFixture;
const entry = { Source: 'shop', DetailType: 'Ordered', Detail: '{"id":1}' };
const rule = async (target: object = {}) => {
  await events.run('PutRule', { Name: 'all', EventPattern: '{"source":["shop"]}' });
  await events.run('PutTargets', { Rule: 'all', Targets: [{ Id: 'queue', Arn: arns.queue, ...target }] });
};
const put = (input: object = {}) => events.run('PutEvents', { Entries: [{ ...entry, ...input }] });
const refuseWith = (error: Error): void => {
  events.target.answer = () => {
    throw error;
  };
};

beforeEach(() => {
  events = openEvents();
});
afterEach(() => events.close());

describe('a delivery', () => {
  test('brings the event to every target of every rule that matches', async () => {
    await rule();
    await events.run('PutTargets', { Rule: 'all', Targets: [{ Id: 'other', Arn: arns.dead }] });
    await events.run('PutRule', { Name: 'none', EventPattern: '{"source":["bank"]}' });
    await events.run('PutTargets', { Rule: 'none', Targets: [{ Id: 'queue', Arn: arns.queue }] });
    const { Entries } = await put({ Time: new Date('2026-01-02T03:04:05.678Z'), Resources: ['arn:x'] });
    await events.service.deliveries.idle();
    expect(events.target.got.map(({ arn }) => arn).sort()).toEqual([arns.dead, arns.queue]);
    expect(JSON.parse(events.target.got[0]!.payload)).toEqual({
      version: '0',
      id: Entries[0].EventId,
      'detail-type': 'Ordered',
      source: 'shop',
      account: '000000000000',
      time: '2026-01-02T03:04:05Z',
      region: 'eu-central-1',
      resources: ['arn:x'],
      detail: { id: 1 },
    });
    await events.clock.advance(0);
    expect(events.service.deliveries.pending()).toBe(0);
  });

  test('is on disk, for another reader too, before it goes out', async () => {
    await rule();
    const disk = new DatabaseSync(join(events.directory, 'events.sqlite'), { readOnly: true });
    const journaled: unknown[] = [];
    events.target.answer = () => void journaled.push(disk.prepare('SELECT target FROM deliveries').get());
    await put();
    await events.service.deliveries.idle();
    disk.close();
    expect(journaled).toEqual([{ target: arns.queue }]);
  });

  test('that fails is tried again, later each time, until it goes through', async () => {
    await rule();
    refuseWith(new Error('busy'));
    await put();
    const times: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await events.clock.advance(0);
      const [next] = events.clock.pending();
      times.push(next! - events.clock.now());
      await events.clock.advance(next! - events.clock.now());
    }
    expect(events.target.got).toHaveLength(6);
    times.forEach((wait, attempt) => {
      expect(wait).toBeGreaterThanOrEqual(500 * 2 ** attempt);
      expect(wait).toBeLessThanOrEqual(1000 * 2 ** attempt);
    });
    events.target.answer = () => {};
    await events.clock.advance(60_000);
    expect(events.service.deliveries.pending()).toBe(0);
    expect(events.dead.letters).toEqual([]);
  });

  test('keeps its count of attempts and its time across a restart', async () => {
    await rule({ RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: arns.dead } });
    refuseWith(new Error('busy'));
    await put();
    await events.clock.advance(1500);
    expect(events.target.got).toHaveLength(2);
    await events.restart();
    await events.clock.advance(0);
    expect(events.target.got).toHaveLength(2);
    await events.clock.advance(5000);
    expect(events.target.got).toHaveLength(3);
    expect(events.dead.letters).toMatchObject([{ attributes: { RETRY_ATTEMPTS: '2' } }]);
  });

  test('that used up its attempts goes to the dead-letter queue as the event it was, with the reason', async () => {
    await rule({
      InputPath: '$.detail.id',
      RetryPolicy: { MaximumRetryAttempts: 1 },
      DeadLetterConfig: { Arn: arns.dead },
    });
    refuseWith(new Error('busy'));
    await put();
    await events.clock.advance(10_000);
    expect(events.target.got.map(({ payload }) => payload)).toEqual(['1', '1']);
    const [letter] = events.dead.letters;
    expect(letter?.arn).toBe(arns.dead);
    expect(JSON.parse(letter?.body ?? '')).toMatchObject({ source: 'shop', detail: { id: 1 } });
    expect(letter?.attributes).toEqual({
      RULE_ARN: 'arn:aws:events:eu-central-1:000000000000:rule/all',
      TARGET_ARN: arns.queue,
      ERROR_CODE: 'INTERNAL_ERROR',
      ERROR_MESSAGE: 'busy',
      RETRY_ATTEMPTS: '1',
      EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
    });
    expect(events.service.deliveries.pending()).toBe(0);
  });

  test('that grew too old goes there too, and says so', async () => {
    await rule({ RetryPolicy: { MaximumEventAgeInSeconds: 60 }, DeadLetterConfig: { Arn: arns.dead } });
    refuseWith(new Error('busy'));
    await put();
    await events.clock.advance(3_600_000);
    expect(events.dead.letters).toMatchObject([
      { attributes: { EXHAUSTED_RETRY_CONDITION: 'MaximumEventAgeInSeconds' } },
    ]);
    expect(events.target.got.length).toBeGreaterThan(4);
  });

  test('to a target that is gone is not tried again', async () => {
    await rule({ DeadLetterConfig: { Arn: arns.dead } });
    refuseWith(new ServiceError('QueueDoesNotExist', 'no queue'));
    await put();
    await events.clock.advance(3_600_000);
    expect(events.target.got).toHaveLength(1);
    expect(events.dead.letters[0]?.attributes).toMatchObject({ ERROR_CODE: 'RESOURCE_NOT_FOUND', RETRY_ATTEMPTS: '0' });
    expect(events.dead.letters[0]?.attributes).not.toHaveProperty('EXHAUSTED_RETRY_CONDITION');
  });

  test('that nobody can take any more leaves a line', async () => {
    await rule({ RetryPolicy: { MaximumRetryAttempts: 0 } });
    refuseWith(new Error('busy'));
    await put();
    await events.clock.advance(0);
    expect(events.lines).toEqual([expect.stringContaining('no dead-letter queue')]);
    expect(events.service.deliveries.pending()).toBe(0);
  });

  test('to a slow target does not hold up another', async () => {
    await rule();
    await events.run('PutTargets', { Rule: 'all', Targets: [{ Id: 'other', Arn: arns.dead }] });
    events.target.answer = ({ arn }) => (arn === arns.queue ? new Promise<void>(() => {}) : undefined);
    for (let count = 0; count < 50; count += 1) await put();
    await events.clock.advance(0);
    expect(events.target.got.filter(({ arn }) => arn === arns.dead)).toHaveLength(50);
    expect(events.target.got.filter(({ arn }) => arn === arns.queue)).toHaveLength(32);
  });
});

test('the wait before a retry grows to ten minutes and no further', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 185 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, chance) => {
      const wait = backOff(attempts, chance);
      expect(wait).toBeGreaterThanOrEqual(500);
      expect(wait).toBeLessThanOrEqual(600_000);
      expect(backOff(attempts + 1, chance)).toBeGreaterThanOrEqual(wait);
    }),
  );
});
