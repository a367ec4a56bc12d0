import { join } from 'node:path';
import * as client from '@aws-sdk/client-scheduler';
import { openDatabase } from '../database.ts';
import { type Deliveries, deliverySchema, openDeliveries } from '../events/deliveries.ts';
import type { SchemaService } from '../gateway/service.ts';
import type { QueueSender, TargetDelivery } from '../ports.ts';
import { groupCommit } from '../queues/group-commit.ts';
import { type Clock, systemClock } from '../schedules/clock.ts';
import { openFiring } from '../schedules/firing.ts';
import { groupOperations } from '../schedules/group-operations.ts';
import { scheduleOperations } from '../schedules/schedule-operations.ts';
import { openScheduleStore, scheduleSchema } from '../schedules/schedule-store.ts';

export interface SchedulerOptions {
  /** Holds `schedules.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly delivery: TargetDelivery;
  readonly deadLetters?: QueueSender;
  readonly clock?: Clock;
  /** Waits for `start()`: for a caller whose targets are not up yet. Otherwise it starts by itself, a turn later. */
  readonly held?: boolean;
  /** Hears one line for each invocation that is dropped. */
  readonly report?: (line: string) => void;
}

export interface SchedulerService extends SchemaService {
  /** Sends what is journaled, sets the timers, makes up for missed times. Safe to call twice. */
  start(): void;
  readonly deliveries: Pick<Deliveries, 'idle' | 'pending'>;
  close(): void;
}

/**
 * Amazon EventBridge Scheduler on one SQLite file. After down time a recurring schedule makes up for its latest missed
 * time if that was due within the last hour; a one-time schedule fires in any case, once.
 */
export const createSchedulerService = ({
  directory,
  region,
  accountId,
  delivery,
  deadLetters,
  clock = systemClock,
  held = false,
  report = () => {},
}: SchedulerOptions): SchedulerService => {
  const place = { region, accountId };
  const database = openDatabase(join(directory, 'schedules.sqlite'), scheduleSchema + deliverySchema);
  const writer = groupCommit(database);
  const store = openScheduleStore(database, place, clock.now());
  const deliveries = openDeliveries({ database, writer, clock, target: delivery, deadLetters, report });
  const firing = openFiring({ store, writer, clock, deliver: deliveries.add, place, report });
  let phase: 'held' | 'started' | 'closed' = 'held';
  const start = (): void => {
    if (phase !== 'held') return;
    phase = 'started';
    deliveries.start();
    firing.start();
  };
  if (!held) setImmediate(start);
  return {
    kind: 'schema',
    signingName: 'scheduler',
    protocol: 'restJson1',
    client,
    operations: {
      ...scheduleOperations(store, firing, writer, clock),
      ...groupOperations(store, firing, writer, clock),
    },
    start,
    deliveries,
    close: () => {
      phase = 'closed';
      firing.close();
      deliveries.close();
      writer.close();
      database.close();
    },
  };
};
