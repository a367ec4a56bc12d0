import { CloudFormationServiceException } from '@aws-sdk/client-cloudformation';
import { EKSServiceException, ResourceInUseException } from '@aws-sdk/client-eks';
import { StepFailure } from '../../domain/errors.ts';

/** CloudFormation's throttling comes as an error of no shape, which the SDK does not mark as one that may be repeated. */
const throttled = /Throttl|RequestLimitExceeded|TooManyRequests|ServiceUnavailable|InternalFailure/;

const isAws = (error: unknown): error is CloudFormationServiceException | EKSServiceException =>
  error instanceof CloudFormationServiceException || error instanceof EKSServiceException;

/**
 * What AWS will not do however often it is asked becomes StackRefused with its words, what waits for something under way
 * StackNotReady. Throttling and AWS's own faults stay what they are.
 */
export const refusal = (what: string, error: unknown): unknown => {
  if (!isAws(error) || error.$fault !== 'client' || error.$retryable !== undefined || throttled.test(error.name))
    return error;
  const name = error instanceof ResourceInUseException ? 'StackNotReady' : 'StackRefused';
  return new StepFailure(name, `${what}: AWS says ${error.name}: ${error.message}`, { cause: error });
};
