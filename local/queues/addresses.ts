import { ServiceError } from '../gateway/service.ts';

/** `http://host/<account>/<name>`, or the bare name that some clients send. */
export const queueName = (queueUrl: string | undefined): string => {
  if (!queueUrl) throw new ServiceError('MissingParameter', 'The request must contain the parameter QueueUrl.');
  return queueUrl.split('/').findLast((part) => part !== '') ?? queueUrl;
};

/** Reads one whole-number parameter given in seconds or as a count; throws InvalidParameterValue naming it. */
export const wholeNumber = (
  name: string,
  value: number | undefined,
  [low, high]: readonly [number, number],
): number | undefined => {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < low || value > high)
    throw new ServiceError(
      'InvalidParameterValue',
      `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${low} and ${high}, if provided.`,
    );
  return value;
};
