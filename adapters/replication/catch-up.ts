import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move } from '../../domain/move.ts';
import { readProgress } from './copy.ts';
import type { Direction } from './names.ts';

/** A beat that takes longer would be a stall that users see; the first one also starts what is idle. */
const beatMs = 150;

const sendBeat = async (publisher: ClientBase, tenantId: string): Promise<string | undefined> => {
  const { rows } = await publisher.query<{ beat: string }>(
    `INSERT INTO tenantry.barriers AS b (tenant_id, epoch, beat)
     SELECT tenant_id, epoch, 1 FROM tenantry.tenants WHERE tenant_id = $1
     ON CONFLICT (tenant_id) DO UPDATE SET beat = b.beat + 1 RETURNING beat`,
    [tenantId],
  );
  return rows[0]?.beat;
};

/** Sends a beat the way that the barrier will take and waits for it; false when it needs longer than a fence should. */
const beats = async (
  { publisher, subscriber }: { readonly publisher: ClientBase; readonly subscriber: ClientBase },
  tenantId: string,
): Promise<boolean> => {
  const end = performance.now() + beatMs;
  const beat = await sendBeat(publisher, tenantId);
  while (performance.now() < end) {
    const { rowCount } = await subscriber.query('SELECT FROM tenantry.barriers WHERE tenant_id = $1 AND beat >= $2', [
      tenantId,
      beat,
    ]);
    if (rowCount) return true;
    await delay(2);
  }
  return false;
};

/**
 * Waits until the subscription has every table, a worker at work, and a beat that goes through in no time; a fence before that
 * would make the tenant wait for the copy. Bytes of lag say less: they count the neighbours' too. FenceTimeout after `millis`.
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
    if (ready === total && applying && (await beats(ends, move.tenantId))) return;
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
