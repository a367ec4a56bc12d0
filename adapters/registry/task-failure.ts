import type { Failure } from '../../domain/failure.ts';
import type { Registry } from './registry.ts';

/** `DumpDatabaseAsTask` is the state in which DumpDatabase runs as a task. */
const suffix = 'AsTask';

/** What ECS says of a task that stopped, read from its description, of which machines keep 8,000 characters. */
const wordsOfEcs = (cause: string): string => {
  const reason = /"StoppedReason":\s*"((?:[^"\\]|\\.)*)"/.exec(cause)?.[1];
  const code = /"ExitCode":\s*(\d+)/.exec(cause)?.[1];
  const words = [...(reason ? [JSON.parse(`"${reason}"`) as string] : []), ...(code ? [`exit code ${code}`] : [])];
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
};

/**
 * A failure as its step told it. A container task answers by its exit code alone, so the cause is a description of the task;
 * what went wrong is in the journal, where the last attempt of the step ended. A task that was killed, or never started, has
 * written nothing: then ECS has the word.
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
  const cause = `its task ended without an answer${wordsOfEcs(failure.cause)}; the log of the task says more`;
  return { step, error: failure.error, cause };
};
