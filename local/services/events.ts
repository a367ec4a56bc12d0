import { join } from 'node:path';
import * as client from '@aws-sdk/client-eventbridge';
import { openDatabase } from '../database.ts';
import { busOperations } from '../events/bus-operations.ts';
import { type Deliveries, deliverySchema, openDeliveries } from '../events/deliveries.ts';
import type { EventEnvelope } from '../events/envelope.ts';
import { busName } from '../events/names.ts';
import { openPublishing } from '../events/publishing.ts';
import { ruleOperations } from '../events/rule-operations.ts';
import { openRuleSchedules } from '../events/rule-schedules.ts';
import { openRulebook, rulebookSchema } from '../events/rulebook.ts';
import { targetOperations } from '../events/target-operations.ts';
import type { SchemaService } from '../gateway/service.ts';
import type { EventPublisher, QueueSender, ServiceEvents, TargetDelivery } from '../ports.ts';
import { groupCommit } from '../queues/group-commit.ts';
import { type Clock, systemClock } from '../schedules/clock.ts';

export interface EventsOptions {
  /** Holds `events.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly delivery: TargetDelivery;
  /** Takes what could not be delivered, where a target has a DeadLetterConfig. */
  readonly deadLetters?: QueueSender;
  readonly clock?: Clock;
  /** Waits for `start()`: for a caller whose targets are not up yet. Otherwise it starts by itself, a turn later. */
  readonly held?: boolean;
  /** Hears one line for each event that is dropped. */
  readonly report?: (line: string) => void;
}

export interface EventsService extends SchemaService {
  /** The ports of those who publish in process. */
  readonly publisher: EventPublisher & ServiceEvents;
  /** Puts an event that a rule or schedule sends to a bus: `payload` is the whole event, its id and time stay. */
  forward(busArn: string, payload: string): Promise<void>;
  /** Sends what is journaled, sets the timers, makes up for missed times. Safe to call twice. */
  start(): void;
  readonly deliveries: Pick<Deliveries, 'idle' | 'pending'>;
  close(): void;
}

/**
 * Amazon EventBridge on one SQLite file: buses, rules, targets. PutEvents answers when the deliveries it caused are on
 * disk; they then go out at least once each, across restarts.
 */
export const createEventsService = ({
  directory,
  region,
  accountId,
  delivery,
  deadLetters,
  clock = systemClock,
  held = false,
  report = () => {},
}: EventsOptions): EventsService => {
  const place = { region, accountId };
  const database = openDatabase(join(directory, 'events.sqlite'), rulebookSchema + deliverySchema);
  const writer = groupCommit(database);
  const rulebook = openRulebook(database, place, clock.now());
  const deliveries = openDeliveries({ database, writer, clock, target: delivery, deadLetters, report });
  const publishing = openPublishing({ rulebook, deliveries, writer, clock, place, report });
  const schedules = openRuleSchedules({ rulebook, publishing, writer, clock, place, report });
  let phase: 'held' | 'started' | 'closed' = 'held';
  const start = (): void => {
    if (phase !== 'held') return;
    phase = 'started';
    deliveries.start();
    schedules.start();
  };
  if (!held) setImmediate(start);
  return {
    kind: 'schema',
    signingName: 'events',
    protocol: 'awsJson1_1',
    client,
    operations: {
      ...busOperations(rulebook, writer, clock),
      ...ruleOperations(rulebook, schedules, writer, clock),
      ...targetOperations(rulebook, writer),
      PutEvents: ({ Entries = [] }: client.PutEventsRequest) => publishing.putEvents(Entries),
    },
    publisher: publishing,
    forward: (arn, payload) => publishing.forward(busName(arn), JSON.parse(payload) as EventEnvelope),
    start,
    deliveries,
    close: () => {
      phase = 'closed';
      schedules.close();
      deliveries.close();
      writer.close();
      database.close();
    },
  };
};
