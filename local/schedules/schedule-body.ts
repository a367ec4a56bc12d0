import type { CreateScheduleInput, Target } from '@aws-sdk/client-scheduler';
import { ServiceError } from '../gateway/service.ts';
import { recurrenceOf, type ScheduleBody } from './schedule-store.ts';

export const refuse = (message: string): never => {
  throw new ServiceError('ValidationException', message, { status: 400 });
};

export const checkName = (field: string, value: string | undefined): string =>
  value !== undefined && /^[\w.-]{1,64}$/.test(value)
    ? value
    : refuse(`Value '${value ?? ''}' at '${field}' must be 1 to 64 letters, digits, '.', '-' or '_'.`);

/** Targets that a schedule may name here; the caller's TargetDelivery serves them. */
const reachable = ['sqs', 'lambda', 'states', 'events'];

const within = (field: string, value: number | undefined, low: number, high: number): void => {
  if (value !== undefined && (!Number.isInteger(value) || value < low || value > high))
    refuse(`${field} ${value} must be a whole number from ${low} to ${high}.`);
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const checkTarget = (target: Target | undefined): void => {
  if (target === undefined) {
    refuse('Target must be given.');
    return;
  }
  const { Arn = '', RoleArn, Input, RetryPolicy, DeadLetterConfig, SqsParameters, EventBridgeParameters } = target;
  const [prefix, , service = '', , , resource = ''] = Arn.split(':');
  if (prefix !== 'arn' || resource === '') refuse(`Target.Arn "${Arn}" is no ARN.`);
  if (!reachable.includes(service))
    refuse(`Target.Arn ${Arn}: "${service}" targets are not served here; use one of ${reachable.join(', ')}.`);
  if (!RoleArn?.startsWith('arn:')) refuse(`Target.RoleArn "${RoleArn ?? ''}" must be the ARN of a role.`);
  if (service === 'states' && Input !== undefined && !isJson(Input))
    refuse('Target.Input must be JSON text for a state machine.');
  if (service === 'events') {
    if (EventBridgeParameters === undefined) refuse('Target.EventBridgeParameters must be given for an event bus.');
    if (Input !== undefined && !isJson(Input)) refuse('Target.Input must be JSON text for an event bus.');
  }
  if (service === 'sqs' && Arn.endsWith('.fifo') && !SqsParameters?.MessageGroupId)
    refuse('Target.SqsParameters.MessageGroupId must be given for a FIFO queue.');
  if (DeadLetterConfig?.Arn !== undefined && DeadLetterConfig.Arn.split(':')[2] !== 'sqs')
    refuse(`Target.DeadLetterConfig.Arn ${DeadLetterConfig.Arn} must be an SQS queue.`);
  within('Target.RetryPolicy.MaximumRetryAttempts', RetryPolicy?.MaximumRetryAttempts, 0, 185);
  within('Target.RetryPolicy.MaximumEventAgeInSeconds', RetryPolicy?.MaximumEventAgeInSeconds, 60, 86_400);
};

const oneOf = (field: string, value: string | undefined, allowed: readonly string[]): void => {
  if (value !== undefined && !allowed.includes(value))
    refuse(`${field} "${value}" must be one of ${allowed.join(', ')}.`);
};

/** Checks a CreateSchedule or UpdateSchedule and makes what is stored. Throws ValidationException naming the field. */
export const bodyOf = (input: CreateScheduleInput, times: { createdAt: number; modifiedAt: number }): ScheduleBody => {
  const { Name: _name, GroupName: _group, ClientToken: _token, StartDate, EndDate, ...rest } = input;
  const window = input.FlexibleTimeWindow;
  if (!input.ScheduleExpression) refuse('ScheduleExpression must be given.');
  if (window === undefined) return refuse('FlexibleTimeWindow must be given.');
  oneOf('FlexibleTimeWindow.Mode', window.Mode ?? '', ['OFF', 'FLEXIBLE']);
  if ((window.Mode === 'FLEXIBLE') !== (window.MaximumWindowInMinutes !== undefined))
    refuse('FlexibleTimeWindow.MaximumWindowInMinutes must be given with Mode FLEXIBLE, and only with it.');
  within('FlexibleTimeWindow.MaximumWindowInMinutes', window.MaximumWindowInMinutes, 1, 1440);
  oneOf('State', input.State, ['ENABLED', 'DISABLED']);
  oneOf('ActionAfterCompletion', input.ActionAfterCompletion, ['NONE', 'DELETE']);
  checkTarget(input.Target);
  if (StartDate !== undefined && EndDate !== undefined && Number(EndDate) <= Number(StartDate))
    refuse(`EndDate ${EndDate.toISOString()} must be later than StartDate ${StartDate.toISOString()}.`);
  const body: ScheduleBody = {
    ...rest,
    State: input.State ?? 'ENABLED',
    ActionAfterCompletion: input.ActionAfterCompletion ?? 'NONE',
    ScheduleExpressionTimezone: input.ScheduleExpressionTimezone ?? 'UTC',
    startDate: StartDate === undefined ? undefined : Number(StartDate),
    endDate: EndDate === undefined ? undefined : Number(EndDate),
    ...times,
  };
  recurrenceOf(body);
  return body;
};
