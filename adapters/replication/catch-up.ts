import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move } from '../../domain/move.ts';
import { readProgress } from './copy.ts';
import type { Direction } from './names.ts';

/** Lag at which a fence may go up: the barrier then arrives within a few milliseconds. */
const fenceLag = 1_000_000;

/**
 * Waits until the subscription has every table, a worker at work and little left to apply; a fence before that would make
 * the tenant wait for the copy. FenceTimeout after `millis`.
 */
export const awaitCaughtUp = async (
  ends: { readonly publisher: ClientBase; readonly subscriber: ClientBase },
  move: Move,
  direction: Direction,
  millis: number,
  signal?: AbortSignal,
): Promise<void> => {
  const end = performance.now() + millis;
  for (;;) {
    const { ready, total, applying, lagBytes } = await readProgress(ends, move, direction);
    if (ready === total && applying && lagBytes <= fenceLag) return;
    if (performance.now() > end)
      throw new StepFailure(
        'FenceTimeout',
        `the copy of tenant ${move.tenantId} has ${ready} of ${total} tables and is ${lagBytes} bytes behind${applying ? '' : ', with no worker'}; it is tried again`,
      );
    await delay(25, undefined, signal ? { signal } : {});
  }
};

/** Proof that the subscriber has every commit of the tenant from before its fence. FenceTimeout when it does not come in time. */
export const awaitBarrier = async (
  subscriber: ClientBase,
  { tenantId }: Pick<Move, 'tenantId'>,
  epoch: number,
  millis: number,
): Promise<void> => {
  const { rows } = await subscriber.query<{ seen: boolean }>('SELECT tenantry.await_barrier($1, $2, $3) AS seen', [
    tenantId,
    epoch,
    Math.trunc(millis),
  ]);
  if (!rows[0]?.seen)
    throw new StepFailure(
      'FenceTimeout',
      `the barrier of tenant ${tenantId} (epoch ${epoch}) did not arrive within ${Math.trunc(millis)} ms; the tenant writes on, and it is tried again`,
    );
};
