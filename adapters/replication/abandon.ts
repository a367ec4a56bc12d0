import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { type Move, type MovePhase, phaseRefusal } from '../../domain/move.ts';
import { releaseTenant } from '../pool/release.ts';
import { clientSql } from '../postgres/sql.ts';
import { dropChannel } from './channel.ts';
import type { MoveRequest } from './copy.ts';
import { channelName } from './names.ts';
import { dropPublication } from './publication.ts';
import { readRecord, writePhase } from './record.ts';
import { endSessions, namedFailure, openSession } from './side.ts';
import { dropSlots } from './slot.ts';

/**
 * The decision, on the source: from here on no late attempt of this move reaches its commit point. The tenant's row is locked
 * first, as the commit point does it, so one of the two sees the other.
 */
const decide = (source: pg.Client, move: Move): Promise<void> =>
  clientSql(source).transaction(async () => {
    await source.query('SELECT FROM tenantry.tenants WHERE tenant_id = $1 FOR UPDATE', [move.tenantId]);
    const { phase } = await readRecord(source, move);
    const refusal = phaseRefusal('abandonMove', phase);
    if (refusal)
      throw new StepFailure(
        refusal.late ? 'StaleOperation' : 'MoveRefused',
        `move ${move.id} of tenant ${move.tenantId}: ${refusal.reason}`,
      );
    await source.query(
      `UPDATE tenantry.tenants SET state = 'open', epoch = epoch + 1, deadline = NULL
       WHERE tenant_id = $1 AND state = 'fenced' AND deadline IS NOT NULL`,
      [move.tenantId],
    );
    await source.query('UPDATE tenantry.tenants SET fence = $2 WHERE tenant_id = $1 AND fence < $2', [
      move.tenantId,
      move.fence,
    ]);
    await writePhase(source, move, 'abandoned');
  });

export interface AbandonRequest extends MoveRequest {
  /** Leaves the rows on the target to another call: what a tenant of any size waits for is done in a moment. */
  readonly leavesRows?: boolean | undefined;
}

export interface Abandoned {
  /** Rows that this call deleted on the target. */
  readonly deleted: number;
  /** Whether a call without `leavesRows` is still to come. */
  readonly rowsLeft: boolean;
}

/** Rows are deleted only where this move put them: under another move they may be its way back. */
const clearTarget = async (
  { source, target }: { readonly source: pg.Client; readonly target: pg.Client },
  { move, signal, leavesRows = false }: AbandonRequest,
): Promise<Abandoned> => {
  const { phase } = await readRecord(target, move);
  const ours: readonly (MovePhase | 'new')[] = ['copying'];
  await dropChannel({ publisher: source, subscriber: target }, move, 'out');
  await dropChannel({ publisher: target, subscriber: source }, move, 'back');
  if (!ours.includes(phase)) {
    await writePhase(target, move, 'abandoned');
    return { deleted: 0, rowsLeft: false };
  }
  if (leavesRows) return { deleted: 0, rowsLeft: true };
  await target.query('DELETE FROM tenantry.barriers WHERE tenant_id = $1', [move.tenantId]);
  const deleted = await releaseTenant(target, {
    tenantId: move.tenantId,
    fence: move.fence,
    ...(signal ? { signal } : {}),
  });
  await writePhase(target, move, 'abandoned');
  return { deleted, rowsLeft: false };
};

/**
 * Gives a move up, from any state before its commit point: the tenant is open on the source, the target has none of its rows,
 * and no slot, publication or subscription is left. Safe to repeat.
 * MoveRefused after the commit point: finish it, or move back. When the target cannot be reached the source is freed all the
 * same, its slot included, which would otherwise fill the disk, and DatabaseUnavailable asks for a repeat.
 */
export const abandonMove = async (request: AbandonRequest): Promise<Abandoned> => {
  const { move } = request;
  const opened: pg.Client[] = [];
  try {
    const source = await openSession(request.source);
    opened.push(source);
    await decide(source, move);
    let target: pg.Client;
    try {
      target = await openSession(request.target);
    } catch (error) {
      await dropSlots(source, `^${channelName(move, 'out')}$`);
      await dropPublication(source, channelName(move, 'out'));
      throw error;
    }
    opened.push(target);
    return await clearTarget({ source, target }, request);
  } catch (error) {
    throw namedFailure(error, move);
  } finally {
    await endSessions(opened);
  }
};
