import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openQueues, type QueueFixture } from './queue-fixture.ts';

let queues: QueueFixture;
let url: string;
const send = (MessageBody: string, MessageGroupId: string, input: object = {}) =>
  queues.run('SendMessage', { QueueUrl: url, MessageBody, MessageGroupId, ...input });
const receive = async (input: object = {}) =>
  (await queues.run('ReceiveMessage', { QueueUrl: url, MaxNumberOfMessages: 10, ...input })).Messages ?? [];
const bodies = (messages: { Body: string }[]): string[] => messages.map(({ Body }) => Body);

beforeEach(async () => {
  queues = openQueues();
  url = (
    await queues.run('CreateQueue', {
      QueueName: 'orders.fifo',
      Attributes: { FifoQueue: 'true', ContentBasedDeduplication: 'true' },
    })
  ).QueueUrl;
});
afterEach(() => queues.close());

describe('a FIFO queue', () => {
  test('hands out a group in order and nothing more of it while one of its messages is in flight', async () => {
    await send('a1', 'a');
    await send('b1', 'b');
    await send('a2', 'a');
    const [first] = await receive({ MaxNumberOfMessages: 1 });
    expect(first.Body).toBe('a1');
    expect(bodies(await receive())).toEqual(['b1']);
    await queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: first.ReceiptHandle });
    expect(bodies(await receive())).toEqual(['a2']);
  });

  test('wakes a waiting receiver when the message before is deleted', async () => {
    await send('a1', 'a');
    await send('a2', 'a');
    const [first] = await receive({ MaxNumberOfMessages: 1 });
    const waiting = receive({ WaitTimeSeconds: 20 });
    await queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: first.ReceiptHandle });
    expect(bodies(await waiting)).toEqual(['a2']);
  });

  test('drops a duplicate within five minutes, also after the first is deleted, and takes it later', async () => {
    const one = await send('same', 'a');
    const [message] = await receive();
    await queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: message.ReceiptHandle });
    expect((await send('same', 'a')).SequenceNumber).toBe(one.SequenceNumber);
    expect(await receive()).toEqual([]);
    await queues.clock.advance(300_000);
    await send('same', 'a');
    expect(bodies(await receive())).toEqual(['same']);
  });

  test('gives sequence numbers of 20 digits that grow', async () => {
    const one = await send('1', 'a');
    const other = await send('2', 'b');
    expect(one.SequenceNumber).toMatch(/^\d{20}$/);
    expect(other.SequenceNumber > one.SequenceNumber).toBe(true);
  });

  test.each([
    ['without a group', { MessageBody: 'x' }, 'MissingParameter'],
    ['with its own delay', { MessageBody: 'x', MessageGroupId: 'a', DelaySeconds: 1 }, 'InvalidParameterValue'],
  ])('refuses a message %s', async (_why, input, name) => {
    await expect(queues.run('SendMessage', { QueueUrl: url, ...input })).rejects.toMatchObject({ name });
  });

  test.each([
    ['whose name does not end in .fifo', { QueueName: 'orders', Attributes: { FifoQueue: 'true' } }],
    ['whose name ends in .fifo without the attribute', { QueueName: 'other.fifo' }],
  ])('is not created %s', async (_why, input) => {
    await expect(queues.run('CreateQueue', input)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });
});
