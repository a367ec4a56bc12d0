import type { BusEntry, EventPublisher, ServiceEvents } from '../ports.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from '../schedules/clock.ts';
import type { Deliveries } from './deliveries.ts';
import { type EventEnvelope, entryBytes, envelopeOf, eventTime, isFault, REQUEST_BYTES } from './envelope.ts';
import { busName, type Place, validation } from './names.ts';
import type { Rule, Rulebook, RuleTarget } from './rulebook.ts';

/** AWS's defaults where a target has no RetryPolicy: 185 attempts within 24 hours. EventBridge user guide. */
export const DEFAULT_RETRIES = 185;
export const DEFAULT_AGE_SECONDS = 86_400;

export interface Publishing extends EventPublisher, ServiceEvents {
  /** Puts an event that another bus or a schedule made; id, source and time stay. */
  forward(bus: string, event: EventEnvelope): Promise<void>;
  /** Sends to the targets of one rule; to be called inside a write. */
  journal(rule: Rule, event: EventEnvelope): void;
}

export const openPublishing = ({
  rulebook,
  deliveries,
  writer,
  clock,
  place,
  report,
}: {
  rulebook: Rulebook;
  deliveries: Deliveries;
  writer: GroupCommit;
  clock: Clock;
  place: Place;
  report: (line: string) => void;
}): Publishing => {
  const addDelivery = (rule: Rule, { target, render }: RuleTarget, event: EventEnvelope, now: number): void => {
    const { Arn = '', DeadLetterConfig, RetryPolicy, SqsParameters } = target;
    const context = { ruleArn: rule.arn, ruleName: rule.name, ingestionTime: new Date(now).toISOString() };
    let payload: string;
    try {
      payload = render(event, context);
    } catch (error) {
      // AWS drops what its transformer cannot make; the reason is worth a line.
      report(`${rule.arn} -> ${Arn}: ${(error as Error).message}`);
      return;
    }
    const age = RetryPolicy?.MaximumEventAgeInSeconds ?? DEFAULT_AGE_SECONDS;
    const whole = DeadLetterConfig?.Arn === undefined ? undefined : JSON.stringify(event);
    deliveries.add({
      targetArn: Arn,
      payload,
      source: 'rule',
      sourceArn: rule.arn,
      messageGroupId: SqsParameters?.MessageGroupId,
      deadLetterArn: DeadLetterConfig?.Arn,
      deadLetterBody: whole === payload ? undefined : whole,
      maximumRetries: RetryPolicy?.MaximumRetryAttempts ?? DEFAULT_RETRIES,
      expiresAt: now + age * 1000,
    });
  };

  const journal = (rule: Rule, event: EventEnvelope): void => {
    for (const target of rule.targets.values()) addDelivery(rule, target, event, clock.now());
  };

  const route = (bus: string, event: EventEnvelope): void => {
    for (const rule of rulebook.rules(bus))
      if (rule.body.state === 'ENABLED' && rule.matches?.(event) === true) journal(rule, event);
  };

  return {
    journal,
    forward: (bus, event) => writer.write(() => route(rulebook.bus(bus).name, event)),
    tell: ({ id, source, detailType, time, resources, detail }) =>
      writer.write(() =>
        route('default', {
          version: '0',
          id,
          'detail-type': detailType,
          source,
          account: place.accountId,
          time: eventTime(time),
          region: place.region,
          resources,
          detail,
        }),
      ),
    putEvents: async (entries: readonly BusEntry[]) => {
      if (entries.length < 1 || entries.length > 10)
        return validation(
          `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length from 1 to 10, it has ${entries.length}`,
        );
      const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      if (bytes > REQUEST_BYTES)
        return validation(
          `Total size of the entries in the request is over the limit: ${bytes} bytes, ${REQUEST_BYTES} are allowed.`,
        );
      const now = clock.now();
      const outcomes = entries.map((entry) => ({
        bus: busName(entry.EventBusName),
        made: envelopeOf(entry, { now, account: place.accountId, region: place.region }),
      }));
      // One commit for all entries and targets: what this answers is on disk.
      await writer.write(() => {
        for (const { bus, made } of outcomes) {
          if (isFault(made)) continue;
          // AWS takes an event for a bus that does not exist and drops it; here a line says so.
          if (rulebook.findBus(bus) === undefined)
            report(`PutEvents: event bus ${bus} does not exist, event ${made.id} ("${made['detail-type']}") dropped`);
          else route(bus, made);
        }
      });
      return {
        FailedEntryCount: outcomes.filter(({ made }) => isFault(made)).length,
        Entries: outcomes.map(({ made }) => (isFault(made) ? made : { EventId: made.id })),
      };
    },
  };
};

/** The event that a rule with a schedule sends. EventBridge user guide, "Scheduled event". */
export const scheduledEvent = (rule: Rule, at: number, { accountId, region }: Place, id: string): EventEnvelope => ({
  version: '0',
  id,
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: accountId,
  time: eventTime(at),
  region,
  resources: [rule.arn],
  detail: {},
});
