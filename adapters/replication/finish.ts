import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { releaseTenant } from '../pool/release.ts';
import { dropChannels } from './channel.ts';
import type { MoveRequest } from './copy.ts';
import { enterStep, type Recorded, writePhase } from './record.ts';
import { withSessions } from './side.ts';

export interface FinishRequest extends MoveRequest {
  /** Rows per transaction of the deletion, 10,000 unless told. */
  readonly batch?: number | undefined;
}

/**
 * Ends a move that was switched or moved back: no way back any more, and the rows at the place that the tenant left are
 * deleted in batches, its row in `tenantry.tenants` last. Answers how many this call deleted. Safe to repeat, also after it
 * was stopped by its signal. MoveRefused unless the tenant is open at the other place.
 */
export const finishMove = (request: FinishRequest): Promise<{ readonly deleted: number }> =>
  withSessions(request, request.move, async (sessions) => {
    const { source, target } = sessions;
    const { move, batch, signal } = request;
    const entered = await enterStep(sessions, move, 'finishMove');
    if (entered.phase === 'finished') return { deleted: 0 };
    const [left, seen]: [pg.Client, Recorded] =
      entered.phase === 'switched' ? [source, entered.target] : [target, entered.source];
    if (seen.tenant?.state !== 'open')
      throw new StepFailure(
        'MoveRefused',
        `tenant ${move.tenantId} is ${seen.tenant?.state ?? 'missing'} where it should serve; repeat the cut-over before its other rows are deleted`,
      );
    await dropChannels(sessions, move);
    for (const client of [source, target])
      await client.query('DELETE FROM tenantry.barriers WHERE tenant_id = $1', [move.tenantId]);
    const deleted = await releaseTenant(left, {
      tenantId: move.tenantId,
      fence: move.fence,
      ...(batch ? { batch } : {}),
      ...(signal ? { signal } : {}),
    });
    // The source last: its phase decides whether a repeat has anything to do.
    await writePhase(target, move, 'finished');
    await writePhase(source, move, 'finished');
    return { deleted };
  });
