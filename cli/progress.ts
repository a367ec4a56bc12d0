import { setTimeout as delay } from 'node:timers/promises';
import { call } from './api.ts';
import { CommandFailure, type ExitCode, exitCodes, Unreachable } from './exit-codes.ts';
import { faint, green, red, seconds, yellow } from './print.ts';

export interface StepRecord {
  readonly step: string;
  readonly attempt: number;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly error: string | null;
  readonly detail?: string | null;
}

export interface OperationRecord {
  readonly id: string;
  readonly kind: string;
  readonly tenantId: string | null;
  readonly status: 'running' | 'awaiting-approval' | 'succeeded' | 'failed';
  readonly reason: string | null;
  readonly failedStep: string | null;
  readonly error: string | null;
  readonly executionArn: string;
  readonly requestedBy: string | null;
  readonly input: unknown;
  readonly outcome: unknown;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly steps?: readonly StepRecord[];
}

const isOver = ({ status }: OperationRecord): boolean => status !== 'running';

const exitCodeOf = ({ status }: OperationRecord): ExitCode => {
  if (status === 'succeeded') return exitCodes.ok;
  return status === 'awaiting-approval' ? exitCodes.awaitingApproval : exitCodes.executionFailed;
};

const glyphs: Readonly<Record<string, string>> = { succeeded: 'ok', failed: 'fail', running: '..' };

const stepLine = (step: StepRecord): string => {
  const took = step.endedAt ? seconds(Date.parse(step.endedAt) - Date.parse(step.startedAt)) : '';
  const paint = step.status === 'succeeded' ? green : step.status === 'failed' ? red : faint;
  const attempt = step.attempt > 0 ? ` (attempt ${step.attempt + 1})` : '';
  return `  ${paint((glyphs[step.status] ?? step.status).padEnd(4))}  ${step.step.padEnd(18)} ${took}${attempt}${step.error ? `  ${step.error}` : ''}`;
};

const readOperation = async (id: string): Promise<OperationRecord | undefined> => {
  try {
    return await call<OperationRecord>('GET', `/operations/${encodeURIComponent(id)}`);
  } catch (error) {
    // A cloud that is away has the exit code of an operation that is not there, and knows nothing of any.
    if (error instanceof Unreachable || !(error instanceof CommandFailure)) throw error;
    if (error.exitCode === exitCodes.notFound) return undefined;
    throw error;
  }
};

/** Seconds after which a person is told that the operation is not known yet; a signup was active 0.6 to 9 after its event. */
const quiet = 3;

/** Seconds for which an API that does not answer is asked again: a killed local cloud is back within 10 (measured: 5 to 9). */
const patience = 30;

export interface Following {
  /** Called once for each step that ended, in order, before the next look. */
  readonly onStep?: (step: StepRecord, operation: OperationRecord) => Promise<void> | void;
}

const detach = (id: string): void => {
  console.error(
    `\ndetached; the operation goes on. Watch: npx tenantry exec watch ${id}   stop: npx tenantry exec stop ${id}`,
  );
  process.exit(exitCodes.interrupted);
};

/** Asks for the operation, and again while the cloud is away: it goes on with the operation when it is back. */
const readPatiently = async (id: string, deadline: number): Promise<OperationRecord | undefined> => {
  const until = Math.min(deadline, Date.now() + patience * 1000);
  for (let told = false; ; ) {
    try {
      return await readOperation(id);
    } catch (error) {
      if (!(error instanceof Unreachable) || Date.now() > until) throw error;
      if (!told) console.error(yellow(`the cloud does not answer now; asking again for ${patience} s`));
      told = true;
      await delay(500);
    }
  }
};

/**
 * Follows an operation until it ends or waits for a person. An operation that was asked for by an event may not exist yet: it
 * is awaited too, and a person is told so. Ctrl-C leaves it running.
 * @throws CommandFailure after `timeoutSeconds`: waitTimedOut, or notFound when it never began.
 */
export const follow = async (
  id: string,
  options: Following & { readonly timeoutSeconds: number },
): Promise<OperationRecord> => {
  const interrupted = (): void => detach(id);
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const began = Date.now();
  const deadline = began + options.timeoutSeconds * 1000;
  let told = false;
  const seen = new Set<string>();
  try {
    for (;;) {
      const operation = await readPatiently(id, deadline);
      for (const step of operation?.steps ?? []) {
        const key = `${step.step} ${step.startedAt}`;
        if (step.endedAt === null || seen.has(key)) continue;
        seen.add(key);
        await options.onStep?.(step, operation!);
      }
      if (operation && isOver(operation)) return operation;
      if (!operation && !told && Date.now() > began + quiet * 1000) {
        console.error(
          yellow(`${id} is not known yet; waiting for it to begin (wrong id? Ctrl-C, npx tenantry exec list)`),
        );
        told = true;
      }
      if (Date.now() > deadline)
        throw new CommandFailure(
          operation ? exitCodes.waitTimedOut : exitCodes.notFound,
          operation
            ? `${id} still runs after ${options.timeoutSeconds} s; watch: npx tenantry exec watch ${id}`
            : `${id} has not started after ${options.timeoutSeconds} s; check the id, and npx tenantry event dead`,
        );
      await delay(200);
    }
  } finally {
    process.removeListener('SIGINT', interrupted).removeListener('SIGTERM', interrupted);
  }
};

/** Follows with a line on standard error for each step, prints how it ended and sets the process's exit code. */
export const followToEnd = async (
  id: string,
  timeoutSeconds: number,
  following: Following = {},
): Promise<OperationRecord> => {
  console.error(id);
  const operation = await follow(id, {
    timeoutSeconds,
    onStep: async (step, of) => {
      console.error(stepLine(step));
      await following.onStep?.(step, of);
    },
  });
  if (operation.status === 'failed')
    console.error(red(`failed in ${operation.failedStep ?? '?'}: ${operation.reason ?? 'no reason recorded'}`));
  if (operation.status === 'awaiting-approval')
    console.error(
      yellow(
        `waits for approval; look: npx tenantry restore compare ${id}   then: npx tenantry exec approve ${id}   or: npx tenantry exec reject ${id}`,
      ),
    );
  process.exitCode = exitCodeOf(operation);
  return operation;
};
