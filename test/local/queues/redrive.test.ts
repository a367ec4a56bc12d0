import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openQueues, place, type QueueFixture } from './queue-fixture.ts';

const arnOf = (name: string): string => `arn:aws:sqs:${place.region}:${place.accountId}:${name}`;
let queues: QueueFixture;
let url: string;
let deadUrl: string;
const counts = (name: string) => queues.service.store.counts(name);
const receive = async (QueueUrl: string, input: object = {}) =>
  (await queues.run('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10, AttributeNames: ['All'], ...input }))
    .Messages ?? [];
const fail = async (times: number) => {
  for (let time = 0; time < times; time += 1) {
    await receive(url);
    await queues.clock.advance(30_000);
  }
};

beforeEach(async () => {
  queues = openQueues();
  deadUrl = (await queues.run('CreateQueue', { QueueName: 'dead' })).QueueUrl;
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 2 });
  url = (await queues.run('CreateQueue', { QueueName: 'jobs', Attributes: { RedrivePolicy } })).QueueUrl;
});
afterEach(() => queues.close());

describe('a message that fails', () => {
  test('goes to the dead-letter queue at the receive after maxReceiveCount, and says where it came from', async () => {
    const { MessageId } = await queues.run('SendMessage', { QueueUrl: url, MessageBody: 'poison' });
    await fail(2);
    expect(counts('dead').visible).toBe(0);
    expect(await receive(url)).toEqual([]);
    const [dead] = await receive(deadUrl);
    expect(dead).toMatchObject({ MessageId, Body: 'poison' });
    expect(dead.Attributes.DeadLetterQueueSourceArn).toBe(arnOf('jobs'));
    expect(counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 0 });
  });

  test('reaches whoever waits on the dead-letter queue at once', async () => {
    await queues.run('SendMessage', { QueueUrl: url, MessageBody: 'poison' });
    await fail(2);
    const waiting = receive(deadUrl, { WaitTimeSeconds: 20 });
    await receive(url);
    expect(await waiting).toHaveLength(1);
  });

  test('does not hold up the message behind it', async () => {
    await queues.run('SendMessage', { QueueUrl: url, MessageBody: 'poison' });
    await fail(2);
    await queues.run('SendMessage', { QueueUrl: url, MessageBody: 'good' });
    expect(await receive(url, { MaxNumberOfMessages: 1 })).toMatchObject([{ Body: 'good' }]);
  });
});

describe('a redrive policy', () => {
  test.each([
    ['names no queue', { deadLetterTargetArn: arnOf('nowhere'), maxReceiveCount: 2 }, 'InvalidParameterValue'],
    ['counts to none', { deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 0 }, 'InvalidAttributeValue'],
    ['names no target', { maxReceiveCount: 1 }, 'InvalidAttributeValue'],
  ])('that %s is refused', async (_why, policy, name) => {
    const change = queues.run('SetQueueAttributes', {
      QueueUrl: url,
      Attributes: { RedrivePolicy: JSON.stringify(policy) },
    });
    await expect(change).rejects.toMatchObject({ name });
  });

  test('is refused by a queue that admits no sources, and lists its sources else', async () => {
    expect(await queues.run('ListDeadLetterSourceQueues', { QueueUrl: deadUrl })).toEqual({ queueUrls: [url] });
    const RedriveAllowPolicy = JSON.stringify({ redrivePermission: 'denyAll' });
    await queues.run('SetQueueAttributes', { QueueUrl: deadUrl, Attributes: { RedriveAllowPolicy } });
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 2 });
    const late = queues.run('CreateQueue', { QueueName: 'late', Attributes: { RedrivePolicy } });
    await expect(late).rejects.toThrow('RedriveAllowPolicy');
  });
});

describe('a move task', () => {
  const bury = async (count: number) => {
    for (let index = 0; index < count; index += 1)
      await queues.run('SendMessage', { QueueUrl: url, MessageBody: String(index) });
    await fail(2);
    // The third receive of each ten moves them.
    for (let taken = 0; taken < count; taken += 10) await receive(url);
  };
  const task = async () => (await queues.run('ListMessageMoveTasks', { SourceArn: arnOf('dead') })).Results[0];

  test('sends every dead letter back where it came from', async () => {
    await bury(9);
    await queues.run('StartMessageMoveTask', { SourceArn: arnOf('dead') });
    await queues.clock.advance(1);
    expect(await task()).toMatchObject({ Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 9 });
    expect(counts('dead').visible).toBe(0);
    expect(counts('jobs').visible).toBe(9);
    expect((await receive(url))[0].Attributes.ApproximateReceiveCount).toBe('1');
  });

  test('keeps to its rate and can be cancelled half way', async () => {
    await bury(5);
    const { TaskHandle } = await queues.run('StartMessageMoveTask', {
      SourceArn: arnOf('dead'),
      MaxNumberOfMessagesPerSecond: 2,
    });
    await queues.clock.advance(1000);
    expect(counts('jobs').visible).toBe(4);
    expect(await queues.run('CancelMessageMoveTask', { TaskHandle })).toEqual({ ApproximateNumberOfMessagesMoved: 4 });
    await queues.clock.advance(10_000);
    expect(counts('dead').visible).toBe(1);
    expect(await task()).toMatchObject({ Status: 'CANCELLED' });
  });

  test('from a queue that is nobody’s dead-letter queue is refused', async () => {
    await expect(queues.run('StartMessageMoveTask', { SourceArn: arnOf('jobs') })).rejects.toThrow('Dead Letter Queue');
  });
});
