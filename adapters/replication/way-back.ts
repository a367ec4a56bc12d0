import { StepFailure } from '../../domain/errors.ts';
import { readScope } from '../catalog/read-scope.ts';
import { dropChannel } from './channel.ts';
import { analyzeTables, type MoveRequest } from './copy.ts';
import { channelName } from './names.ts';
import { createPublication } from './publication.ts';
import { enterStep } from './record.ts';
import { withSessions } from './side.ts';
import { createSlot } from './slot.ts';
import { createSubscription, startAt } from './subscription.ts';

/** Milliseconds that the reverse slot waits for open transactions: nobody is fenced meanwhile. */
const slotMillis = 5_000;

/**
 * Prepares the way back before the fence: publication and slot of the target's own writes, which the source will take. The
 * slot waits for every open write transaction of its server, so it is never made inside the fence. FenceTimeout when one
 * does not end within 5 s. Safe to repeat.
 */
export const openWayBack = (request: MoveRequest): Promise<void> =>
  withSessions(request, request.move, async (sessions) => {
    const { target } = sessions;
    const { move } = request;
    await enterStep(sessions, move, 'openWayBack');
    await analyzeTables(target);
    const name = channelName(move, 'back');
    await createPublication(target, name, await readScope(target), move.tenantId);
    await createSlot(target, name, slotMillis);
  });

/**
 * After the switch: the source follows what the tenant writes on the target, so that moving back loses nothing. What carried
 * rows to the target goes first; otherwise the source would send back what it takes. Safe to repeat.
 */
export const startWayBack = (request: MoveRequest): Promise<void> =>
  withSessions(request, request.move, async (sessions) => {
    const { source, target } = sessions;
    const { move } = request;
    await enterStep(sessions, move, 'startWayBack');
    await dropChannel({ publisher: source, subscriber: target }, move, 'out');
    const name = channelName(move, 'back');
    const { rows } = await target.query<{ lsn: string | null }>('SELECT lsn FROM tenantry.moves WHERE move_id = $1', [
      move.id,
    ]);
    const slot = await target.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [name]);
    const lsn = rows[0]?.lsn;
    if (!lsn || !slot.rowCount)
      throw new StepFailure(
        'MoveRefused',
        `move ${move.id} has no way back: it was cut over without openWayBack, or frozen; finish it and start a new move`,
      );
    const subscription = await createSubscription(source, {
      name,
      publisher: request.target.conninfo,
      copyData: false,
    });
    await startAt(source, subscription, name, lsn);
  });
