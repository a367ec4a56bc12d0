import type { FunctionInvoker } from '../ports.ts';
import type { Clock } from '../schedules/clock.ts';
import type { Mapping } from './mapping-store.ts';
import { compileFilters, failedItems, recordOf } from './records.ts';
import type { QueueStore } from './store.ts';
import type { ReceivedMessage } from './waiting.ts';

export interface Poller {
  /** Takes no more messages; resolves when the calls under way are over. */
  stop(): Promise<void>;
}

/** Calls under way at once where no ScalingConfig says otherwise: AWS begins with five pollers too. */
const CONCURRENCY = 5;
/** Lambda's synchronous payload is 6 MB; AWS closes a batch before it. */
const BATCH_BYTES = 6 * 1024 * 1024;
/** After a refusal for lack of room the poller pauses, so that a full function is not asked in a loop. */
const PAUSE = 250;

/**
 * Hands the messages of one queue to one function. While idle it stands in the queue's own line, so a message reaches the
 * function in the turn in which it is committed: no interval. A message that fails is left alone: its visibility
 * time-out brings it back, and the queue's redrive policy ends that.
 */
export const startPoller = ({
  mapping,
  queues,
  functions,
  clock,
  report,
}: {
  mapping: Mapping;
  queues: QueueStore;
  functions: FunctionInvoker;
  clock: Clock;
  report: (line: string) => void;
}): Poller => {
  const { queueArn, functionArn, batchSize, windowSeconds } = mapping;
  const stopping = new AbortController();
  const { signal } = stopping;
  const width = mapping.maximumConcurrency ?? CONCURRENCY;
  const passes = compileFilters(mapping.filters);
  const queue = queueArn.split(':').at(-1) ?? '';
  const calls = new Set<Promise<void>>();
  let roomMade: (() => void) | undefined;

  const remove = async (messages: readonly ReceivedMessage[]): Promise<void> => {
    await Promise.all(messages.map(({ receiptHandle }) => queues.delete(queue, receiptHandle)));
  };

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.setTimer(clock.now() + PAUSE, resolve);
      signal.addEventListener(
        'abort',
        () => {
          cancel();
          resolve();
        },
        { once: true },
      );
    });

  const call = async (messages: readonly ReceivedMessage[]): Promise<void> => {
    const wanted = messages.map((message) => ({ message, record: recordOf(message, queueArn) }));
    const fitting = wanted.filter(({ record }) => passes(record));
    if (fitting.length < wanted.length)
      await remove(wanted.filter((item) => !fitting.includes(item)).map(({ message }) => message));
    if (fitting.length === 0) return;
    const payload = JSON.stringify({ Records: fitting.map(({ record }) => record) });
    const { payload: answer, functionError } = await functions.invoke(functionArn, payload);
    if (functionError !== undefined) {
      report(`${functionArn} failed on ${fitting.length} messages of ${queue}: ${answer.slice(0, 300)}`);
      return;
    }
    const failed = mapping.reportsItemFailures
      ? failedItems(
          answer,
          fitting.map(({ message }) => message.messageId),
        )
      : new Set<string>();
    await remove(fitting.map(({ message }) => message).filter(({ messageId }) => !failed.has(messageId)));
  };

  /** Gathers until the batch is full, or heavy, or the window that its first message opened is over. */
  const gather = async (): Promise<ReceivedMessage[]> => {
    const batch = await queues.receive(queue, { max: Math.min(batchSize, 10), wait: Infinity, signal });
    const end = clock.now() + windowSeconds * 1000;
    let bytes = batch.reduce((sum, { body }) => sum + body.length, 0);
    while (batch.length > 0 && batch.length < batchSize && bytes < BATCH_BYTES && !signal.aborted) {
      const left = Math.max(0, end - clock.now());
      const more = await queues.receive(queue, { max: Math.min(batchSize - batch.length, 10), wait: left, signal });
      batch.push(...more);
      bytes += more.reduce((sum, { body }) => sum + body.length, 0);
      if (more.length === 0 && clock.now() >= end) break;
    }
    return batch;
  };

  const launch = (batch: readonly ReceivedMessage[]): void => {
    const under: Promise<void> = call(batch)
      .catch(async (error: unknown) => {
        report(`${functionArn} could not take ${batch.length} messages of ${queue}: ${String(error)}`);
        if (!signal.aborted) await pause();
      })
      .finally(() => {
        calls.delete(under);
        roomMade?.();
      });
    calls.add(under);
  };

  let lastComplaint = '';
  /** A queue that was deleted may be made again: the poller asks on, and says so once. */
  const unreadable = (error: unknown): ReceivedMessage[] => {
    const complaint = `cannot read ${queueArn}: ${String(error)}`;
    if (complaint !== lastComplaint && !signal.aborted) report(complaint);
    lastComplaint = complaint;
    return [];
  };

  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      if (calls.size >= width) {
        await new Promise<void>((resolve) => {
          roomMade = resolve;
        });
        roomMade = undefined;
        continue;
      }
      const batch = await gather().catch(unreadable);
      if (batch.length > 0) launch(batch);
      else if (!signal.aborted) await pause();
    }
  };

  const polling = poll();

  return {
    stop: async () => {
      stopping.abort();
      roomMade?.();
      await polling;
      await Promise.all(calls);
    },
  };
};
