import type { Failure } from '../../domain/failure.ts';
import type { Registry } from './registry.ts';

/** `DumpDatabaseAsTask` is the state in which DumpDatabase runs as a task. */
const suffix = 'AsTask';

/**
 * A failure as its step told it. A container task answers by its exit code alone, so the cause is a description of the task;
 * what went wrong is in the journal, where the last attempt of the step ended. A task that was killed has written nothing.
 */
export const failureOfTask = async (
  { journal }: Pick<Registry, 'journal'>,
  operation: string,
  failure: Failure,
): Promise<Failure> => {
  if (failure.error !== 'States.TaskFailed' || !failure.step.endsWith(suffix)) return failure;
  const step = failure.step.slice(0, -suffix.length);
  const last = (await journal.list(operation)).findLast((attempt) => attempt.step === step);
  if (last?.status === 'failed' && last.error)
    return {
      step,
      error: last.error,
      cause: JSON.stringify({ errorType: last.error, errorMessage: last.detail ?? '' }),
    };
  return { step, error: failure.error, cause: 'its task ended without an answer; the log of the task says more' };
};
