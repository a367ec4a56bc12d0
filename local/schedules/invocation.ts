import { randomUUID } from 'node:crypto';
import type { Delivery } from '../events/deliveries.ts';
import { DEFAULT_AGE_SECONDS, DEFAULT_RETRIES } from '../events/publishing.ts';
import type { Schedule } from './schedule-store.ts';

interface Moment {
  /** The time that the expression names, ISO 8601. */
  readonly scheduledTime: string;
  readonly executionId: string;
  readonly now: number;
  readonly region: string;
  readonly accountId: string;
}

/** What a schedule sends that has no Input. */
const scheduledEvent = (schedule: Schedule, { scheduledTime, region, accountId }: Moment): string =>
  JSON.stringify({
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.scheduler',
    account: accountId,
    time: scheduledTime,
    region,
    resources: [schedule.arn],
    detail: '{}',
  });

/**
 * One invocation of a schedule's target. Placeholders in Input are filled in, but for the attempt number, which each
 * attempt fills in itself. A bus gets an event around the Input. EventBridge Scheduler user guide, "context attributes".
 */
export const invocationOf = (schedule: Schedule, moment: Moment): Delivery => {
  const {
    Arn = '',
    Input,
    DeadLetterConfig,
    RetryPolicy,
    SqsParameters,
    EventBridgeParameters,
  } = schedule.body.Target ?? {};
  const { scheduledTime, executionId, now, region, accountId } = moment;
  const input = (Input ?? scheduledEvent(schedule, moment))
    .replaceAll('<aws.scheduler.schedule-arn>', schedule.arn)
    .replaceAll('<aws.scheduler.scheduled-time>', scheduledTime)
    .replaceAll('<aws.scheduler.execution-id>', executionId);
  const toBus = Arn.split(':')[2] === 'events';
  const event = (detail: unknown): string =>
    JSON.stringify({
      version: '0',
      id: executionId,
      'detail-type': EventBridgeParameters?.DetailType,
      source: EventBridgeParameters?.Source,
      account: accountId,
      time: scheduledTime,
      region,
      resources: [schedule.arn],
      detail,
    });
  const age = RetryPolicy?.MaximumEventAgeInSeconds ?? DEFAULT_AGE_SECONDS;
  return {
    targetArn: Arn,
    payload: toBus ? event(Input === undefined ? {} : JSON.parse(input)) : input,
    source: 'schedule',
    sourceArn: schedule.arn,
    messageGroupId: SqsParameters?.MessageGroupId,
    deadLetterArn: DeadLetterConfig?.Arn,
    maximumRetries: RetryPolicy?.MaximumRetryAttempts ?? DEFAULT_RETRIES,
    expiresAt: now + age * 1000,
  };
};
