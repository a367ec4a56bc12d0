import { join } from 'node:path';
import { openDatabase } from '../database.ts';
import type { QueueSender } from '../ports.ts';
import { type Clock, systemClock } from '../schedules/clock.ts';
import type { StoredAttribute } from './digests.ts';
import { groupCommit } from './group-commit.ts';
import { type Draft, openMessages, type Sent } from './messages.ts';
import { type MoveTasks, openMoveTasks } from './move-tasks.ts';
import { openQueueRegistry, type Queue } from './registry.ts';
import { queueSchema } from './schema.ts';
import { openWaiting, type ReceivedMessage, type ReceiveOptions } from './waiting.ts';

export interface QueueStoreOptions {
  /** Holds `queues.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly clock?: Clock;
}

/** What a FIFO queue needs beside the body. */
export interface GroupOptions {
  readonly messageGroupId?: string;
  readonly messageDeduplicationId?: string;
}

/** The queues, in process. Every promise that resolves stands for something that is on disk. Throws ServiceError. */
export interface QueueStore {
  /** Throws QueueDoesNotExist. */
  queue(name: string): Queue;
  queueByArn(arn: string): Queue;
  list(prefix: string): Queue[];
  create(name: string, attributes?: Record<string, string>, tags?: Record<string, string>): Promise<Queue>;
  change(name: string, attributes: Record<string, string>): Promise<Queue>;
  tag(name: string, tags: Record<string, string>): Promise<void>;
  remove(name: string): Promise<void>;
  send(name: string, draft: Draft): Promise<Sent>;
  receive(name: string, options: ReceiveOptions): Promise<ReceivedMessage[]>;
  delete(name: string, receiptHandle: string): Promise<void>;
  /** Milliseconds from now; 0 shows the message again at once. */
  changeVisibility(name: string, receiptHandle: string, visibility: number): Promise<void>;
  purge(name: string): Promise<void>;
  /** Shows every message that was received and not deleted, whatever its visibility time-out says. */
  showReceived(name: string): Promise<void>;
  counts(name: string): { visible: number; delayed: number; inFlight: number };
  readonly moves: MoveTasks;
  /** The port that other rooms send through: attributes become String message attributes. */
  readonly sender: QueueSender & {
    send(arn: string, body: string, attributes?: Readonly<Record<string, string>>, group?: GroupOptions): Promise<void>;
  };
  close(): void;
}

export const openQueueStore = ({
  directory,
  region,
  accountId,
  clock = systemClock,
}: QueueStoreOptions): QueueStore => {
  const database = openDatabase(join(directory, 'queues.sqlite'), queueSchema);
  const writer = groupCommit(database);
  const registry = openQueueRegistry(database, { region, accountId });
  const messages = openMessages(database, registry);
  const waiting = openWaiting({ writer, messages, clock, senderId: accountId });
  const moves = openMoveTasks({ database, writer, registry, messages, clock, wake: waiting.wake });

  const queueByArn = (arn: string): Queue => registry.findByArn(arn) ?? registry.get(arn.split(':').at(-1) ?? arn);

  /** Whoever waits on the queue is served inside the same commit: a message reaches an idle poller with one fsync. */
  const send = (queue: Queue, draft: Draft): Promise<Sent> =>
    writer.write(() => {
      const sent = messages.send(queue, draft, clock.now());
      waiting.wake(queue);
      return sent;
    });

  const stringAttributes = (attributes: Readonly<Record<string, string>>): Record<string, StoredAttribute> =>
    Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
    );

  return {
    queue: registry.get,
    queueByArn,
    list: registry.list,
    create: (name, attributes = {}, tags = {}) =>
      writer.write(() => registry.create(name, attributes, tags, clock.now())),
    change: (name, attributes) => writer.write(() => registry.change(name, attributes, clock.now())),
    tag: (name, tags) => writer.write(() => registry.tag(name, tags)),
    remove: (name) =>
      writer.write(() => {
        const queue = registry.get(name);
        registry.remove(name);
        waiting.forget(queue);
      }),
    send: async (name, draft) => send(registry.get(name), draft),
    receive: async (name, options) => waiting.receive(registry.get(name), options),
    delete: async (name, receiptHandle) => {
      const queue = registry.get(name);
      await writer.write(() => {
        messages.remove(queue, receiptHandle);
        if (queue.fifo) waiting.wake(queue);
      });
    },
    changeVisibility: async (name, receiptHandle, visibility) => {
      const queue = registry.get(name);
      await writer.write(() => {
        messages.changeVisibility(queue, receiptHandle, visibility, clock.now());
        waiting.wake(queue);
      });
    },
    purge: async (name) => {
      const queue = registry.get(name);
      await writer.write(() => messages.purge(queue));
    },
    showReceived: async (name) => {
      const queue = registry.get(name);
      await writer.write(() => {
        messages.showReceived(queue, clock.now());
        waiting.wake(queue);
      });
    },
    counts: (name) => messages.counts(registry.get(name), clock.now()),
    moves,
    sender: {
      send: async (arn, body, attributes = {}, { messageGroupId, messageDeduplicationId } = {}) => {
        await send(queueByArn(arn), {
          body,
          attributes: stringAttributes(attributes),
          ...(messageGroupId === undefined ? {} : { groupId: messageGroupId }),
          ...(messageDeduplicationId === undefined ? {} : { deduplicationId: messageDeduplicationId }),
        });
      },
    },
    close: () => {
      moves.close();
      waiting.close();
      writer.close();
      database.close();
    },
  };
};
