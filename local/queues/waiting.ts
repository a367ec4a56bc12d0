import type { Clock } from '../schedules/clock.ts';
import { md5, md5OfAttributes, type StoredAttribute } from './digests.ts';
import type { GroupCommit } from './group-commit.ts';
import { type Messages, type Row, sequenceNumber } from './messages.ts';
import type { Queue } from './registry.ts';

export interface ReceiveOptions {
  /** Most messages to hand out. */
  readonly max: number;
  /** Milliseconds; the queue's own visibility time-out where absent. */
  readonly visibility?: number;
  /** Milliseconds to wait for a first message, Infinity until `signal`; the queue's own wait time where absent. */
  readonly wait?: number;
  /** Ends the wait with no message. */
  readonly signal?: AbortSignal;
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  /** System attributes, such as ApproximateReceiveCount. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, StoredAttribute>>;
  readonly md5OfMessageAttributes: string | undefined;
}

interface Waiter {
  readonly options: ReceiveOptions;
  finish(messages: Promise<ReceivedMessage[]>): void;
}

export interface Waiting {
  receive(queue: Queue, options: ReceiveOptions): Promise<ReceivedMessage[]>;
  /** Serves whoever waits on the queue. To be called inside a write, after a message may have become visible. */
  wake(queue: Queue): void;
  /** Ends the waits on a queue that is gone. */
  forget(queue: Queue): void;
  close(): void;
}

const shown = (row: Row, senderId: string): ReceivedMessage => {
  const messageAttributes = JSON.parse(row.attributes) as Record<string, StoredAttribute>;
  return {
    messageId: row.message_id,
    receiptHandle: row.receipt ?? '',
    body: row.body,
    md5OfBody: md5(row.body),
    attributes: {
      ApproximateReceiveCount: String(row.receive_count),
      SentTimestamp: String(row.sent_at),
      SenderId: senderId,
      ApproximateFirstReceiveTimestamp: String(row.first_received_at),
      ...(row.trace_header === null ? {} : { AWSTraceHeader: row.trace_header }),
      ...(row.source_queue === null ? {} : { DeadLetterQueueSourceArn: row.source_queue }),
      ...(row.group_id === null ? {} : { MessageGroupId: row.group_id }),
      ...(row.deduplication_id === null
        ? {}
        : { MessageDeduplicationId: row.deduplication_id, SequenceNumber: sequenceNumber(row.seq) }),
    },
    messageAttributes,
    md5OfMessageAttributes: md5OfAttributes(messageAttributes),
  };
};

/** Long polling without a loop: a wait ends by a send, by a message that shows itself again, by its time or its signal. */
export const openWaiting = ({
  writer,
  messages,
  clock,
  senderId,
}: {
  writer: GroupCommit;
  messages: Messages;
  clock: Clock;
  senderId: string;
}): Waiting => {
  const waiters = new Map<string, { queue: Queue; line: Set<Waiter>; cancelTimer: (() => void) | undefined }>();
  let closed = false;

  /** Takes now; the promise resolves when the taking is on disk, `count` is known at once. */
  const take = (queue: Queue, options: ReceiveOptions): { count: number; taken: Promise<ReceivedMessage[]> } => {
    let count = 0;
    const taken = writer.write(() => {
      const visibility = options.visibility ?? queue.visibility;
      const { rows, deadLettered } = messages.take(queue, options.max, visibility, clock.now());
      count = rows.length;
      for (const target of deadLettered) wake(target);
      return rows.map((row) => shown(row, senderId));
    });
    return { count, taken };
  };

  const armTimer = (name: string): void => {
    const place = waiters.get(name);
    place?.cancelTimer?.();
    if (place === undefined || place.line.size === 0) {
      waiters.delete(name);
      return;
    }
    const at = messages.nextVisible(place.queue, clock.now());
    place.cancelTimer = at === undefined ? undefined : clock.setTimer(at, () => serve(name));
  };

  const serve = (name: string): void => {
    const place = waiters.get(name);
    if (place === undefined) return;
    for (const waiter of place.line) {
      const { count, taken } = take(place.queue, waiter.options);
      if (count === 0) break;
      place.line.delete(waiter);
      waiter.finish(taken);
    }
    armTimer(name);
  };

  const wake = (queue: Queue): void => {
    const place = waiters.get(queue.name);
    if (place === undefined) return;
    place.queue = queue;
    serve(queue.name);
  };

  const waitFor = (queue: Queue, options: ReceiveOptions, until: number): Promise<ReceivedMessage[]> =>
    new Promise((resolve) => {
      const place = waiters.get(queue.name) ?? { queue, line: new Set<Waiter>(), cancelTimer: undefined };
      waiters.set(queue.name, place);
      const finish = (found: Promise<ReceivedMessage[]>): void => {
        place.line.delete(waiter);
        cancelEnd?.();
        options.signal?.removeEventListener('abort', end);
        resolve(found);
      };
      const end = (): void => {
        finish(Promise.resolve([]));
        armTimer(queue.name);
      };
      const waiter: Waiter = { options, finish };
      const cancelEnd = until === Infinity ? undefined : clock.setTimer(until, end);
      options.signal?.addEventListener('abort', end, { once: true });
      place.line.add(waiter);
      armTimer(queue.name);
    });

  return {
    receive: async (queue, options) => {
      const until = clock.now() + (options.wait ?? queue.wait);
      const { count, taken } = take(queue, options);
      if (count > 0 || until <= clock.now()) return taken;
      // The empty take may have moved messages to the dead-letter queue, which wait for nothing here.
      if (closed || options.signal?.aborted === true) return [];
      return waitFor(queue, options, until);
    },
    wake,
    forget: (queue) => {
      for (const waiter of waiters.get(queue.name)?.line ?? []) waiter.finish(Promise.resolve([]));
      armTimer(queue.name);
    },
    close: () => {
      closed = true;
      for (const [name, { line }] of [...waiters]) {
        for (const waiter of line) waiter.finish(Promise.resolve([]));
        armTimer(name);
      }
    },
  };
};
