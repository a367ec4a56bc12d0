import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../gateway/service.ts';
import type { Clock } from '../schedules/clock.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Messages } from './messages.ts';
import type { Queue, QueueRegistry } from './registry.ts';

export interface MoveTask {
  readonly handle: string;
  /** ARN of the dead-letter queue. */
  readonly source: string;
  /** ARN; null sends every message back to the queue that it came from. */
  readonly destination: string | null;
  readonly per_second: number | null;
  readonly status: 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';
  readonly moved: number;
  readonly to_move: number;
  readonly failure: string | null;
  readonly started_at: number;
}

export interface MoveTasks {
  start(sourceArn: string, destinationArn?: string, perSecond?: number): Promise<string>;
  /** Answers how many messages were moved before. */
  cancel(handle: string): Promise<number>;
  /** Newest first. */
  list(sourceArn: string, limit: number): MoveTask[];
  close(): void;
}

/** Messages moved in one commit where no rate is asked for: long enough to be quick, short enough not to stall the loop. */
const BATCH = 200;

/** Dead-letter redrive. A task is a row, so one that a restart cut short goes on where it was. */
export const openMoveTasks = ({
  database,
  writer,
  registry,
  messages,
  clock,
  wake,
}: {
  database: DatabaseSync;
  writer: GroupCommit;
  registry: QueueRegistry;
  messages: Messages;
  clock: Clock;
  wake: (queue: Queue) => void;
}): MoveTasks => {
  const insert = database.prepare(
    `INSERT INTO move_tasks (handle, source, destination, per_second, status, to_move, started_at)
     VALUES (?, ?, ?, ?, 'RUNNING', ?, ?)`,
  );
  const one = database.prepare('SELECT * FROM move_tasks WHERE handle = ?');
  const bySource = database.prepare(
    'SELECT * FROM move_tasks WHERE source = ? ORDER BY started_at DESC, handle LIMIT ?',
  );
  const progress = database.prepare(
    'UPDATE move_tasks SET moved = moved + ?, status = ?, failure = ? WHERE handle = ?',
  );
  const timers = new Map<string, () => void>();
  let closed = false;

  const find = (handle: string): MoveTask | undefined => one.get(handle) as unknown as MoveTask | undefined;

  /** One batch. Answers whether there may be more. */
  const advance = (task: MoveTask): boolean => {
    const source = registry.findByArn(task.source);
    if (source === undefined) {
      progress.run(0, 'FAILED', `${task.source} does not exist any more`, task.handle);
      return false;
    }
    const limit = Math.min(task.per_second ?? BATCH, task.to_move - task.moved);
    const rows = messages.visibleRows(source, limit, clock.now());
    let moved = 0;
    for (const row of rows) {
      const arn = task.destination ?? row.source_queue;
      const destination = arn === null ? undefined : registry.findByArn(arn);
      if (destination === undefined) {
        const why = `message ${row.message_id} came from ${arn ?? 'no other queue'}, which is no queue here; name a DestinationArn`;
        progress.run(moved, 'FAILED', why, task.handle);
        return false;
      }
      messages.move(row, destination, null, clock.now());
      moved += 1;
      wake(destination);
    }
    const done = rows.length < limit || task.moved + moved >= task.to_move;
    progress.run(moved, done ? 'COMPLETED' : 'RUNNING', null, task.handle);
    return !done;
  };

  const run = (handle: string): void => {
    if (closed) return;
    void writer
      .write(() => {
        const task = find(handle);
        return task?.status === 'RUNNING' && advance(task) ? task : undefined;
      })
      .then((task) => {
        if (task === undefined || closed) timers.delete(handle);
        else
          timers.set(
            handle,
            clock.setTimer(clock.now() + (task.per_second === null ? 0 : 1000), () => run(handle)),
          );
      });
  };
  for (const { handle } of database
    .prepare("SELECT handle FROM move_tasks WHERE status = 'RUNNING'")
    .all() as unknown as MoveTask[])
    run(handle);

  const needQueue = (arn: string): Queue => {
    const queue = registry.findByArn(arn);
    if (queue === undefined)
      throw new ServiceError('ResourceNotFoundException', `The resource that you specified, ${arn}, doesn't exist.`, {
        status: 404,
      });
    return queue;
  };

  return {
    start: async (sourceArn, destinationArn, perSecond) => {
      const source = needQueue(sourceArn);
      if (destinationArn !== undefined) needQueue(destinationArn);
      if (!registry.list('').some(({ redrive }) => redrive?.deadLetterTargetArn === sourceArn))
        throw new ServiceError(
          'InvalidParameterValue',
          `SourceArn ${sourceArn} is invalid. Reason: Source queue must be configured as a Dead Letter Queue.`,
        );
      if (perSecond !== undefined && (!Number.isInteger(perSecond) || perSecond < 1 || perSecond > 500))
        throw new ServiceError(
          'InvalidParameterValue',
          `MaxNumberOfMessagesPerSecond ${perSecond} is invalid. Reason: it must be a whole number from 1 to 500.`,
        );
      if (bySource.all(sourceArn, 1000).some((task) => task.status === 'RUNNING'))
        throw new ServiceError(
          'UnsupportedOperation',
          `There is already a task running on ${sourceArn}; cancel it or wait until it ends.`,
        );
      const handle = Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn })).toString('base64');
      await writer.write(() => {
        const { visible } = messages.counts(source, clock.now());
        insert.run(handle, sourceArn, destinationArn ?? null, perSecond ?? null, visible, clock.now());
      });
      run(handle);
      return handle;
    },
    cancel: async (handle) =>
      writer.write(() => {
        const task = find(handle);
        if (task === undefined)
          throw new ServiceError('ResourceNotFoundException', 'The TaskHandle names no task.', { status: 404 });
        if (task.status !== 'RUNNING')
          throw new ServiceError('UnsupportedOperation', `Only active tasks can be cancelled, this is ${task.status}.`);
        timers.get(handle)?.();
        timers.delete(handle);
        progress.run(0, 'CANCELLED', null, handle);
        return task.moved;
      }),
    list: (sourceArn, limit) => bySource.all(needQueue(sourceArn).arn, limit) as unknown as MoveTask[],
    close: () => {
      closed = true;
      for (const cancel of timers.values()) cancel();
    },
  };
};
