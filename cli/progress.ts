import { setTimeout as delay } from 'node:timers/promises';
import { call } from './api.ts';
import { CommandFailure, type ExitCode, exitCodes } from './exit-codes.ts';
import { faint, green, red, seconds, yellow } from './print.ts';

export interface StepRecord {
  readonly step: string;
  readonly attempt: number;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly error: string | null;
}

export interface OperationRecord {
  readonly id: string;
  readonly kind: string;
  readonly tenantId: string | null;
  readonly status: 'running' | 'awaiting-approval' | 'succeeded' | 'failed';
  readonly reason: string | null;
  readonly failedStep: string | null;
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
    if (error instanceof CommandFailure && error.exitCode === exitCodes.notFound) return undefined;
    throw error;
  }
};

/**
 * Follows an operation until it ends or waits for a person, printing each step to standard error as it ends.
 * An operation that was asked for by an event may not exist yet: it is awaited too. Ctrl-C leaves it running.
 * @throws CommandFailure waitTimedOut after `timeoutSeconds`.
 */
export const follow = async (
  id: string,
  options: { timeoutSeconds: number; quiet?: boolean },
): Promise<OperationRecord> => {
  const detach = (): void => {
    console.error(
      `\ndetached; the operation goes on. Watch: npx tenantry exec watch ${id}   stop: npx tenantry exec stop ${id}`,
    );
    process.exit(exitCodes.interrupted);
  };
  process.once('SIGINT', detach);
  const deadline = Date.now() + options.timeoutSeconds * 1000;
  const printed = new Set<string>();
  try {
    for (;;) {
      const operation = await readOperation(id);
      for (const step of operation?.steps ?? []) {
        const key = `${step.step} ${step.startedAt}`;
        if (step.endedAt === null || printed.has(key) || options.quiet) continue;
        printed.add(key);
        console.error(stepLine(step));
      }
      if (operation && isOver(operation)) return operation;
      if (Date.now() > deadline)
        throw new CommandFailure(
          exitCodes.waitTimedOut,
          `${id} still ${operation ? 'runs' : 'has not started'} after ${options.timeoutSeconds} s; watch: npx tenantry exec watch ${id}`,
        );
      await delay(200);
    }
  } finally {
    process.removeListener('SIGINT', detach);
  }
};

/** Follows, prints how it ended and sets the process's exit code. */
export const followToEnd = async (id: string, timeoutSeconds: number): Promise<OperationRecord> => {
  console.error(`${id}`);
  const operation = await follow(id, { timeoutSeconds });
  if (operation.status === 'failed')
    console.error(red(`failed in ${operation.failedStep ?? '?'}: ${operation.reason ?? 'no reason recorded'}`));
  if (operation.status === 'awaiting-approval')
    console.error(
      yellow(`waits for approval   npx tenantry restore compare ${id}   then   npx tenantry exec approve ${id}`),
    );
  process.exitCode = exitCodeOf(operation);
  return operation;
};
