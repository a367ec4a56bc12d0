import type { DatabaseSync } from 'node:sqlite';
import type { QueueSender, TargetDelivery } from '../ports.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from '../schedules/clock.ts';
import { failureOf } from './delivery-failure.ts';

/** One payload on its way to one target. */
export interface Delivery {
  readonly targetArn: string;
  readonly payload: string;
  readonly source: 'rule' | 'schedule';
  /** ARN of the rule or schedule that sends. */
  readonly sourceArn: string;
  /** `SqsParameters.MessageGroupId`, for FIFO queues. */
  readonly messageGroupId?: string | undefined;
  readonly deadLetterArn?: string | undefined;
  /** What the dead-letter queue gets where that is not the payload: the event as it came, for rules. */
  readonly deadLetterBody?: string | undefined;
  readonly maximumRetries: number;
  /** Milliseconds since 1970 after which no further attempt begins. */
  readonly expiresAt: number;
}

export interface DeliveriesOptions {
  readonly database: DatabaseSync;
  readonly writer: GroupCommit;
  readonly clock: Clock;
  readonly target: TargetDelivery;
  readonly deadLetters?: QueueSender | undefined;
  /** Hears one line for everything that is given up without a dead-letter queue. */
  readonly report?: ((line: string) => void) | undefined;
}

export interface Deliveries {
  /** Sets off what is journaled. Before it nothing goes out; what is added waits. */
  start(): void;
  /** Journals a delivery; to be called inside a write. It sets off once that write is on disk, also after a crash. */
  add(delivery: Delivery): void;
  /** Resolves when no delivery is under way or due now; those that wait for a retry do not count. */
  idle(): Promise<void>;
  pending(): number;
  close(): void;
}

export const deliverySchema = `
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, next_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  delivery TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_at, id);
`;

/** Under way at once for each target: a slow function must not hold up the queue beside it. */
const LANE_WIDTH = 32;
/** AWS does not publish its back-off; 1 s doubling to 10 min reaches 185 attempts within its 24 hours. */
const FIRST_RETRY = 1000;
const LONGEST_RETRY = 600_000;

/** Milliseconds before attempt `attempts + 1`; half of it is chance, so that failures of one moment spread out. */
export const backOff = (attempts: number, chance: number): number => {
  const full = Math.min(FIRST_RETRY * 2 ** Math.min(attempts - 1, 20), LONGEST_RETRY);
  return Math.round(full / 2 + (full / 2) * chance);
};

/** `<aws.scheduler.attempt-number>` is the one placeholder that differs between attempts, so it is filled in here. */
const ATTEMPT = '<aws.scheduler.attempt-number>';

interface Row {
  id: number;
  target: string;
  attempts: number;
  delivery: string;
}

/** The journal of deliveries: at least once each, with retries that survive a restart, then the dead-letter queue. */
export const openDeliveries = ({
  database,
  writer,
  clock,
  target,
  deadLetters,
  report = () => {},
}: DeliveriesOptions): Deliveries => {
  const insert = database.prepare('INSERT INTO deliveries (target, next_at, delivery) VALUES (?, ?, ?)');
  const load = database.prepare('SELECT id, target, attempts, delivery FROM deliveries WHERE id = ?');
  const finish = database.prepare('DELETE FROM deliveries WHERE id = ?');
  const retry = database.prepare('UPDATE deliveries SET attempts = ?, next_at = ? WHERE id = ?');
  const count = database.prepare('SELECT count(*) AS pending FROM deliveries');
  const journaled = database.prepare('SELECT id, target, next_at FROM deliveries ORDER BY next_at, id');
  const lanes = new Map<string, { ready: number[]; running: number }>();
  const timers = new Map<number, () => void>();
  const idlers: (() => void)[] = [];
  let started = false;
  let closed = false;
  let fresh: { id: number; target: string }[] = [];

  const settle = (): void => {
    if (lanes.size === 0 && fresh.length === 0) for (const resolve of idlers.splice(0)) resolve();
  };

  const giveUp = async (row: Row, delivery: Delivery, attributes: Readonly<Record<string, string>>): Promise<void> => {
    const line = `${delivery.sourceArn} -> ${row.target}: ${attributes.ERROR_CODE}: ${attributes.ERROR_MESSAGE}`;
    try {
      if (delivery.deadLetterArn !== undefined && deadLetters !== undefined)
        await deadLetters.send(delivery.deadLetterArn, delivery.deadLetterBody ?? delivery.payload, attributes);
      else report(`dropped after ${row.attempts + 1} attempts, no dead-letter queue: ${line}`);
    } catch (error) {
      report(`dropped, the dead-letter queue ${delivery.deadLetterArn} refused it (${String(error)}): ${line}`);
    }
    if (!closed) await writer.write(() => finish.run(row.id));
  };

  const fail = async (row: Row, delivery: Delivery, error: unknown): Promise<void> => {
    const now = clock.now();
    const attempts = row.attempts + 1;
    const { code, message, isFinal } = failureOf(error);
    const nextAt = now + backOff(attempts, Math.random());
    const exhausted =
      attempts > delivery.maximumRetries
        ? 'MaximumRetryAttempts'
        : nextAt > delivery.expiresAt
          ? 'MaximumEventAgeInSeconds'
          : undefined;
    if (!isFinal && exhausted === undefined) {
      await writer.write(() => retry.run(attempts, nextAt, row.id));
      timers.set(
        row.id,
        clock.setTimer(nextAt, () => enter(row.id, row.target)),
      );
      return;
    }
    await giveUp(row, delivery, {
      [delivery.source === 'rule' ? 'RULE_ARN' : 'SCHEDULE_ARN']: delivery.sourceArn,
      TARGET_ARN: row.target,
      ERROR_CODE: code,
      ERROR_MESSAGE: message,
      RETRY_ATTEMPTS: String(row.attempts),
      ...(isFinal || exhausted === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: exhausted }),
    });
  };

  const attempt = async (id: number): Promise<void> => {
    const row = load.get(id) as unknown as Row | undefined;
    if (row === undefined) return;
    const delivery = JSON.parse(row.delivery) as Delivery;
    const payload =
      delivery.source === 'schedule'
        ? delivery.payload.replaceAll(ATTEMPT, String(row.attempts + 1))
        : delivery.payload;
    const { source, sourceArn, messageGroupId } = delivery;
    const context = { source, sourceArn, ...(messageGroupId === undefined ? {} : { messageGroupId }) };
    try {
      await target.deliver(row.target, payload, context);
    } catch (error) {
      if (!closed) await fail(row, delivery, error);
      return;
    }
    // Not awaited: losing this deletion in a crash delivers once more, which at-least-once allows.
    if (!closed)
      writer.write(() => finish.run(id)).catch((error) => report(`cannot forget delivery ${id}: ${String(error)}`));
  };

  const drain = (arn: string): void => {
    const lane = lanes.get(arn);
    if (lane === undefined || closed) return;
    while (lane.running < LANE_WIDTH && lane.ready.length > 0) {
      lane.running += 1;
      attempt(lane.ready.shift()!)
        .catch((error) => report(`delivery to ${arn} broke off: ${String(error)}`))
        .finally(() => {
          lane.running -= 1;
          drain(arn);
        });
    }
    if (lane.running > 0) return;
    lanes.delete(arn);
    settle();
  };

  const enter = (id: number, arn: string): void => {
    timers.delete(id);
    const lane = lanes.get(arn) ?? { ready: [], running: 0 };
    lanes.set(arn, lane);
    lane.ready.push(id);
    drain(arn);
  };

  const begin = (): void => {
    if (started || closed) return;
    started = true;
    const now = clock.now();
    for (const row of journaled.all() as unknown as { id: number; target: string; next_at: number }[])
      if (row.next_at <= now) enter(row.id, row.target);
      else
        timers.set(
          row.id,
          clock.setTimer(row.next_at, () => enter(row.id, row.target)),
        );
  };

  return {
    start: () => {
      // Rows that are written but not yet on disk must not go out.
      void writer.settled().then(begin, begin);
    },
    add: (delivery) => {
      const { lastInsertRowid } = insert.run(delivery.targetArn, clock.now(), JSON.stringify(delivery));
      if (!started) return;
      if (fresh.length === 0)
        void writer.settled().then(
          () => {
            const safe = fresh;
            fresh = [];
            for (const { id, target: arn } of safe) enter(id, arn);
          },
          () => {
            fresh = [];
          },
        );
      fresh.push({ id: Number(lastInsertRowid), target: delivery.targetArn });
    },
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        settle();
      }),
    pending: () => (count.get() as { pending: number }).pending,
    close: () => {
      closed = true;
      for (const cancel of timers.values()) cancel();
      for (const resolve of idlers.splice(0)) resolve();
    },
  };
};
