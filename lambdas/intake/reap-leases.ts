import * as z from 'zod';
import { removeInstance } from '../../adapters/restore/leftovers.ts';
import type { World } from '../../adapters/world.ts';
import { worldOfProcess } from '../step.ts';
import { logger } from './batch.ts';
import { endOperation } from './end-operation.ts';

const input = z.object({
  /** Seconds without a step after which an operation is looked at. */
  quietSeconds: z.number().min(0).default(600),
});

/** DescribeExecution takes 300 calls at once and 15 a second after that: with this many a run stays below 30 s. */
const mostLooks = 500;

interface Reaped {
  readonly looked: number;
  readonly closed: readonly string[];
  /** Temporary instances that recoveries had left behind. */
  readonly removed: readonly string[];
}

/** Seconds from start to stop, where both are known. */
const lasted = (startedAt: Date | undefined, stoppedAt: Date | undefined): number | undefined =>
  startedAt && stoppedAt ? Math.round((stoppedAt.getTime() - startedAt.getTime()) / 1_000) : undefined;

/** Instances of recoveries that were stopped before they could clear up: they cost money for as long as nobody looks. */
const removeLeftovers = async (world: World, failures: unknown[]): Promise<string[]> => {
  const removed: string[] = [];
  for (const recovery of await world.registry.recoveries.leftBehind())
    try {
      await removeInstance(world, recovery);
      removed.push(recovery.instance);
    } catch (error) {
      logger.error('instance could not be removed', { instance: recovery.instance, error: error as Error });
      failures.push(error);
    }
  return removed;
};

/**
 * Ends operations that nobody ended: no step of theirs has begun or ended for a while and Step Functions says that their
 * execution is over, or knows none. Temporary instances that ended recoveries left behind go as well. What cannot be cleared now
 * does not keep the others; it makes the run fail at last.
 */
export const reap = async (world: World, quietSeconds: number): Promise<Reaped> => {
  const { registry, machines } = world;
  const quiet = await registry.operations.quiet({ seconds: quietSeconds, limit: mostLooks });
  const closed: string[] = [];
  const failures: unknown[] = [];
  for (const { id, kind, executionArn: recorded } of quiet) {
    const executionArn = recorded || machines.executionArn(kind, id);
    try {
      const execution = await machines.describe(executionArn);
      if (execution?.status === 'RUNNING' || execution?.status === 'PENDING_REDRIVE') continue;
      await endOperation(world, {
        operation: id,
        kind,
        executionArn,
        status: execution?.status ?? 'UNKNOWN',
        error: execution?.error,
        cause: execution?.cause,
        input: execution?.input,
        seconds: lasted(execution?.startedAt, execution?.stoppedAt),
      });
      closed.push(id);
    } catch (error) {
      logger.error('operation could not be ended', { operation: id, error: error as Error });
      failures.push(error);
    }
  }
  const removed = await removeLeftovers(world, failures);
  if (closed.length + removed.length > 0) logger.warn('reaped', { closed, removed });
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} leftovers could not be cleared: ${String(failures[0])}`);
  return { looked: quiet.length, closed, removed };
};

/** Called by its schedule, every ten minutes. */
export const handler = (event: unknown): Promise<Reaped> =>
  reap(worldOfProcess(), input.parse(event ?? {}).quietSeconds);
