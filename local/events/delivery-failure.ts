import { ServiceError } from '../gateway/service.ts';

export interface DeliveryFailure {
  /** Value of the ERROR_CODE attribute on a dead letter. */
  readonly code: string;
  readonly message: string;
  /** Trying again cannot help: the target is not there or refuses the payload as such. */
  readonly isFinal: boolean;
}

/**
 * What a failed delivery means. EventBridge does not retry when the target is gone or may not be called; throttling,
 * time-outs and faults of the target it does. EventBridge user guide, "Using dead-letter queues", error codes.
 */
export const failureOf = (error: unknown): DeliveryFailure => {
  const message = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.name : '';
  if (/ResourceNotFound|DoesNotExist|NotFoundException/.test(name))
    return { code: 'RESOURCE_NOT_FOUND', message, isFinal: true };
  if (/AccessDenied|NotAuthorized|UnrecognizedClient/.test(name))
    return { code: 'NO_PERMISSIONS', message, isFinal: true };
  if (/Throttl|TooManyRequests|LimitExceeded/.test(name)) return { code: 'THROTTLING', message, isFinal: false };
  if (/Timeout|TimedOut/.test(name)) return { code: 'TIMEOUT', message, isFinal: false };
  const isRefusal = error instanceof ServiceError && (error.status === undefined || error.status < 500);
  if (isRefusal && /^(Invalid|Validation|Missing|Unsupported)/.test(name))
    return { code: 'INVALID_PARAMETER', message, isFinal: true };
  return { code: 'INTERNAL_ERROR', message, isFinal: false };
};
