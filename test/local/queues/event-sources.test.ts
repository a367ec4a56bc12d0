import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FunctionInvoker, Invocation } from '../../../local/ports.ts';
import { createEventSources, type EventSources } from '../../../local/services/event-sources.ts';
import { caller, openQueues, place, type QueueFixture } from './queue-fixture.ts';

const queueArn = `arn:aws:sqs:${place.region}:${place.accountId}:jobs`;
const functionArn = `arn:aws:lambda:${place.region}:${place.accountId}:function:work`;

interface SqsEvent {
  readonly Records: { readonly messageId: string; readonly body: string; readonly [field: string]: unknown }[];
}

let queues: QueueFixture;
let sources: EventSources;
let run: ReturnType<typeof caller>;
let calls: SqsEvent[];
let lines: string[];
/** What the function does; each test sets its own. */
let work: (event: SqsEvent) => Invocation | Promise<Invocation>;
const functions: FunctionInvoker = {
  invoke: async (arn, payload) => {
    expect(arn).toBe(functionArn);
    const event = JSON.parse(payload) as SqsEvent;
    calls.push(event);
    return work(event);
  },
};
const open = (): EventSources =>
  createEventSources({
    directory: queues.directory,
    ...place,
    queues: queues.service.store,
    functions,
    clock: queues.clock,
    log: (line) => lines.push(line),
  });
const map = (input: object = {}) =>
  run('CreateEventSourceMapping', { EventSourceArn: queueArn, FunctionName: 'work', ...input });
const send = (body: string) => queues.service.store.send('jobs', { body });
const bodies = () => calls.map(({ Records }) => Records.map(({ body }) => body));

/** Longer than a loaded machine needs: what is awaited comes within milliseconds. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 2 });

beforeEach(async () => {
  queues = openQueues();
  await queues.service.store.create('jobs');
  calls = [];
  lines = [];
  work = () => ({ payload: 'null' });
  sources = open();
  sources.start();
  run = caller(sources);
});
afterEach(async () => {
  await sources.close();
  queues.close();
});

describe('a queue that is mapped to a function', () => {
  test('calls it with the record that Lambda gives, and deletes the message when it went well', async () => {
    await map();
    await queues.service.store.send('jobs', {
      body: '{"tenantId":"acme"}',
      attributes: { kind: { DataType: 'String', StringValue: 'signup' } },
    });
    await eventually(() =>
      expect(queues.service.store.counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 0 }),
    );
    expect(calls).toHaveLength(1);
    expect(calls[0]?.Records).toEqual([
      {
        messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        receiptHandle: expect.any(String),
        body: '{"tenantId":"acme"}',
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: String(queues.clock.now()),
          SenderId: place.accountId,
          ApproximateFirstReceiveTimestamp: String(queues.clock.now()),
        },
        messageAttributes: {
          kind: { stringValue: 'signup', stringListValues: [], binaryListValues: [], dataType: 'String' },
        },
        md5OfBody: createHash('md5').update('{"tenantId":"acme"}').digest('hex'),
        md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventSource: 'aws:sqs',
        eventSourceARN: queueArn,
        awsRegion: place.region,
      },
    ]);
  });

  test('calls it again after the visibility time-out when it failed, with a higher count', async () => {
    work = () => ({ payload: '{"errorMessage":"no"}', functionError: 'Unhandled' });
    await map();
    await send('one');
    await eventually(() => expect(calls).toHaveLength(1));
    work = () => ({ payload: 'null' });
    await queues.clock.advance(30_000);
    await eventually(() => expect(calls).toHaveLength(2));
    expect(calls[1]?.Records[0]?.attributes).toMatchObject({ ApproximateReceiveCount: '2' });
  });

  test('keeps only the messages that the function names as failed', async () => {
    await Promise.all(['a', 'b', 'c'].map(send));
    work = ({ Records }) => ({
      payload: JSON.stringify({ batchItemFailures: [{ itemIdentifier: Records[1]?.messageId }] }),
    });
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    await eventually(() =>
      expect(queues.service.store.counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 1 }),
    );
    work = () => ({ payload: '' });
    await queues.clock.advance(30_000);
    await eventually(() => expect(bodies()).toEqual([['a', 'b', 'c'], ['b']]));
  });

  test.each([
    ['cannot be read', 'nonsense'],
    ['names a message of another batch', '{"batchItemFailures":[{"itemIdentifier":"other"}]}'],
    ['names none', '{"batchItemFailures":[{}]}'],
  ])('keeps the whole batch when the answer %s', async (_why, payload) => {
    work = () => ({ payload });
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    await send('one');
    await eventually(() => expect(calls).toHaveLength(1));
    await queues.clock.advance(1);
    expect(queues.service.store.counts('jobs').inFlight).toBe(1);
  });

  test('never makes more calls at once than its MaximumConcurrency', async () => {
    const gates: (() => void)[] = [];
    work = async () => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return { payload: 'null' };
    };
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(send));
    for (const started of [2, 3, 4, 5]) {
      await eventually(() => expect(calls).toHaveLength(started));
      // Whatever else would begin has begun once the loop has turned.
      await queues.clock.advance(1);
      expect(calls).toHaveLength(started);
      gates.shift()!();
    }
    gates.shift()!();
    await eventually(() => expect(queues.service.store.counts('jobs').inFlight).toBe(0));
  });

  test('gathers a batch for as long as its window, and no longer than until it is full', async () => {
    await map({ BatchSize: 3, MaximumBatchingWindowInSeconds: 5 });
    await send('a');
    await queues.clock.advance(4000);
    await send('b');
    expect(calls).toHaveLength(0);
    await queues.clock.advance(1000);
    await eventually(() => expect(bodies()).toEqual([['a', 'b']]));
    for (const body of ['c', 'd', 'e']) await send(body);
    await eventually(() =>
      expect(bodies()).toEqual([
        ['a', 'b'],
        ['c', 'd', 'e'],
      ]),
    );
  });

  test('drops what its filter does not let through', async () => {
    await map({ FilterCriteria: { Filters: [{ Pattern: '{"body":{"plan":["gold"]}}' }] } });
    await send('{"plan":"silver"}');
    await send('{"plan":"gold"}');
    await eventually(() => expect(bodies()).toEqual([['{"plan":"gold"}']]));
    await eventually(() =>
      expect(queues.service.store.counts('jobs')).toEqual({ visible: 0, delayed: 0, inFlight: 0 }),
    );
  });
});

describe('a mapping', () => {
  test('that is disabled calls nothing until it is enabled', async () => {
    const { UUID } = await map({ Enabled: false });
    await send('one');
    await queues.clock.advance(60_000);
    expect(calls).toHaveLength(0);
    await run('UpdateEventSourceMapping', { UUID, Enabled: true });
    await eventually(() => expect(calls).toHaveLength(1));
  });

  test('works on after a restart, once started', async () => {
    await map({ BatchSize: 4 });
    await sources.close();
    sources = open();
    run = caller(sources);
    await send('one');
    await queues.clock.advance(1000);
    expect(calls).toHaveLength(0);
    sources.start();
    await eventually(() => expect(calls).toHaveLength(1));
    expect((await run('ListEventSourceMappings')).EventSourceMappings).toMatchObject([
      { BatchSize: 4, State: 'Enabled' },
    ]);
  });

  test('goes on when its queue was deleted and made again', async () => {
    await map();
    await queues.service.store.remove('jobs');
    await queues.clock.advance(1000);
    await queues.service.store.create('jobs');
    await send('one');
    await queues.clock.advance(1000);
    await eventually(() => expect(bodies()).toEqual([['one']]));
    expect(lines).toEqual([expect.stringContaining('cannot read')]);
  });

  test('that is deleted takes no more messages', async () => {
    const { UUID } = await map();
    await run('DeleteEventSourceMapping', { UUID });
    await send('one');
    await queues.clock.advance(1000);
    expect(calls).toHaveLength(0);
    await expect(run('GetEventSourceMapping', { UUID })).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test.each([
    ['of a queue that is not there', { EventSourceArn: queueArn.replace('jobs', 'none') }, 'does not exist'],
    ['with a large batch and no window', { BatchSize: 11 }, 'MaximumBatchingWindowInSeconds'],
    ['with a concurrency of one', { ScalingConfig: { MaximumConcurrency: 1 } }, 'MaximumConcurrency'],
  ])('%s is refused', async (_what, input, said) => {
    await expect(map(input)).rejects.toThrow(said);
  });

  test('of the same queue and function twice is refused', async () => {
    await map();
    await expect(map()).rejects.toMatchObject({ name: 'ResourceConflictException' });
  });
});
