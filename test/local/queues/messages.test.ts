import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openQueues, type QueueFixture } from './queue-fixture.ts';

let queues: QueueFixture;
let url: string;
const receive = async (input: object = {}): Promise<Record<string, unknown>[]> =>
  (await queues.run('ReceiveMessage', { QueueUrl: url, MaxNumberOfMessages: 10, ...input })).Messages ?? [];
const send = (body: string, input: object = {}) =>
  queues.run('SendMessage', { QueueUrl: url, MessageBody: body, ...input });

beforeEach(async () => {
  queues = openQueues();
  url = (await queues.run('CreateQueue', { QueueName: 'jobs' })).QueueUrl;
});
afterEach(() => queues.close());

describe('a message', () => {
  test('is handed out once until its visibility time-out ends, then again with a new receipt and a higher count', async () => {
    await send('one');
    const [first] = await receive({ AttributeNames: ['All'] });
    expect(await receive()).toEqual([]);
    await queues.clock.advance(30_000);
    const [second] = await receive({ MessageSystemAttributeNames: ['ApproximateReceiveCount'] });
    expect(second?.Attributes).toEqual({ ApproximateReceiveCount: '2' });
    expect(second?.MessageId).toBe(first?.MessageId);
    expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle);
  });

  test('is gone after it was deleted by its newest receipt; an older receipt deletes nothing', async () => {
    await send('one');
    const [first] = await receive({ VisibilityTimeout: 1 });
    await queues.clock.advance(1000);
    const [second] = await receive();
    await queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: first?.ReceiptHandle });
    expect(queues.service.store.counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 1 });
    await queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: second?.ReceiptHandle });
    expect(queues.service.store.counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 0 });
  });

  test('shows itself after its delay, not before', async () => {
    await send('later', { DelaySeconds: 5 });
    expect(await receive()).toEqual([]);
    await queues.clock.advance(4999);
    expect(await receive()).toEqual([]);
    await queues.clock.advance(1);
    expect(await receive()).toHaveLength(1);
  });

  test('is dropped when its retention is over', async () => {
    await queues.run('SetQueueAttributes', { QueueUrl: url, Attributes: { MessageRetentionPeriod: '60' } });
    await send('old');
    await queues.clock.advance(60_000);
    expect(await receive()).toEqual([]);
    expect(queues.service.store.counts('jobs').visible).toBe(0);
  });

  test('keeps its attributes, text and binary, and only those asked for come back', async () => {
    await send('with attributes', {
      MessageAttributes: {
        tenant: { DataType: 'String', StringValue: 'acme' },
        blob: { DataType: 'Binary', BinaryValue: Uint8Array.of(1, 2, 3) },
      },
    });
    const [message] = await receive({ MessageAttributeNames: ['bl.*'], VisibilityTimeout: 0 });
    expect(message?.MessageAttributes).toEqual({ blob: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2, 3]) } });
    const [bare] = await receive();
    expect(bare).not.toHaveProperty('MessageAttributes.tenant');
  });

  test.each([
    ['has no body', { MessageBody: '' }, 'MissingParameter'],
    ['holds a control character', { MessageBody: '\u0001' }, 'InvalidMessageContents'],
    ['is larger than 1 MiB', { MessageBody: 'x'.repeat(1_048_577) }, 'InvalidParameterValue'],
    ['is delayed by an hour', { MessageBody: 'x', DelaySeconds: 3600 }, 'InvalidParameterValue'],
    [
      'has an attribute of an unknown type',
      { MessageBody: 'x', MessageAttributes: { tenant: { DataType: 'Text', StringValue: 'acme' } } },
      'InvalidParameterValue',
    ],
  ])('is refused when it %s', async (_why, input, name) => {
    await expect(queues.run('SendMessage', { QueueUrl: url, ...input })).rejects.toMatchObject({ name });
  });
});

describe('a receipt', () => {
  test('that was never given out is refused by name', async () => {
    await expect(queues.run('DeleteMessage', { QueueUrl: url, ReceiptHandle: 'nonsense' })).rejects.toMatchObject({
      name: 'ReceiptHandleIsInvalid',
    });
  });

  test('of a message that is visible again cannot change its visibility', async () => {
    await send('one');
    const [message] = await receive({ VisibilityTimeout: 1 });
    await queues.clock.advance(1000);
    const change = { QueueUrl: url, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 9 };
    await expect(queues.run('ChangeMessageVisibility', change)).rejects.toMatchObject({ name: 'MessageNotInflight' });
  });
});

describe('a long poll', () => {
  test('ends with the message as soon as one is sent', async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await send('now');
    expect(await waiting).toMatchObject([{ Body: 'now' }]);
    expect(queues.clock.pending()).toEqual([]);
  });

  test('ends with nothing when its time is over, and leaves no timer', async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await queues.clock.advance(20_000);
    expect(await waiting).toEqual([]);
    expect(queues.clock.pending()).toEqual([]);
  });

  test('ends with a message whose visibility time-out ends meanwhile', async () => {
    await send('again');
    await receive({ VisibilityTimeout: 3 });
    const waiting = receive({ WaitTimeSeconds: 20 });
    await queues.clock.advance(3000);
    expect(await waiting).toMatchObject([{ Body: 'again' }]);
  });

  test('ends at once when its message is given back', async () => {
    await send('back');
    const [message] = await receive();
    const waiting = receive({ WaitTimeSeconds: 20 });
    const change = { QueueUrl: url, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 0 };
    await queues.run('ChangeMessageVisibility', change);
    expect(await waiting).toMatchObject([{ Body: 'back' }]);
  });

  test('of a client that went away takes no message', async () => {
    const gone = new AbortController();
    const waiting = queues.run('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 20 }, gone.signal);
    await queues.clock.advance(1);
    gone.abort();
    expect(await waiting).toEqual({});
    await send('kept');
    expect(queues.service.store.counts('jobs').visible).toBe(1);
  });

  test('ends with nothing when the queue is deleted', async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await queues.clock.advance(1);
    await queues.run('DeleteQueue', { QueueUrl: url });
    expect(await waiting).toEqual([]);
  });
});

describe('twenty receivers at once', () => {
  test('never get the same message, and together get every one', async () => {
    const bodies = Array.from({ length: 100 }, (_, index) => String(index));
    await Promise.all(bodies.map((body) => send(body)));
    const taken = await Promise.all(Array.from({ length: 20 }, () => receive()));
    const got = taken.flat().map(({ Body }) => Body as string);
    expect(got.sort()).toEqual(bodies.sort());
  });

  test('that wait share twenty messages, one each, in the order in which they came', async () => {
    const order: number[] = [];
    const waiting = Array.from({ length: 20 }, async (_, index) => {
      const messages = await receive({ MaxNumberOfMessages: 1, WaitTimeSeconds: 20 });
      order.push(index);
      return messages[0]?.Body;
    });
    await queues.clock.advance(1);
    for (let index = 0; index < 20; index += 1) await send(String(index));
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    expect(order).toEqual([...order].sort((one, other) => one - other));
  });
});

describe('a batch', () => {
  test('does what it can and names the entry that failed', async () => {
    const answer = await queues.run('SendMessageBatch', {
      QueueUrl: url,
      Entries: [
        { Id: 'good', MessageBody: 'x' },
        { Id: 'bad', MessageBody: '' },
      ],
    });
    expect(answer.Successful).toMatchObject([{ Id: 'good' }]);
    expect(answer.Failed).toMatchObject([{ Id: 'bad', SenderFault: true, Code: 'MissingParameter' }]);
    expect(queues.service.store.counts('jobs').visible).toBe(1);
  });

  test.each([
    ['is empty', [], 'EmptyBatchRequest'],
    ['repeats an id', ['a', 'a'], 'BatchEntryIdsNotDistinct'],
    ['has eleven entries', [...'abcdefghijk'], 'TooManyEntriesInBatchRequest'],
    ['has an id with a space', ['a b'], 'InvalidBatchEntryId'],
  ])('that %s is refused whole', async (_why, ids, name) => {
    const Entries = ids.map((Id) => ({ Id, MessageBody: 'x' }));
    await expect(queues.run('SendMessageBatch', { QueueUrl: url, Entries })).rejects.toMatchObject({ name });
    expect(queues.service.store.counts('jobs').visible).toBe(0);
  });
});
