import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { copiedColumns, type Scope, tableName } from '../../domain/scope.ts';
import { exactText } from '../dump/digest.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { clientSql } from '../postgres/sql.ts';
import { makeRoom, refuseOtherMoves, refuseUnfitSource } from './copy.ts';
import { type CutOver, type CutOverRequest, planOf } from './cut-over.ts';
import { commitSwitch, extendFence, raiseFence } from './fence.ts';
import { pipeCopy } from './pipe.ts';
import { enterStep, writeNewMove } from './record.ts';
import { raiseSequences, readSequences } from './sequences.ts';
import { endSessions, type MoveSide, namedFailure, openSession } from './side.ts';
import { completeSwitch, prepareTarget, type SwitchPlan, startWatch, takeBack } from './switch.ts';
import { compareHeld, describeDifferences, holdSnapshot, planComparison, type Verification } from './verify.ts';

/** A dead mover stalls its tenant no longer than this; a living one moves the deadline on while it copies. */
const fenceMs = 30_000;

interface Frozen {
  readonly from: pg.Client;
  readonly to: pg.Client;
  readonly keeper: pg.Client;
}

const copyTable = ({ from, to }: Frozen, table: Scope['tables'][number], tenantId: string): Promise<number> =>
  clientSql(to).transaction(async () => {
    // Foreign keys may form circles, audit triggers would write, and the fence trigger knows no closed tenant.
    await to.query(`${exactText}; SET LOCAL session_replication_role = 'replica'`);
    const columns = copiedColumns(table)
      .map(({ name }) => ident(name))
      .join(', ');
    const path = identPath(tableName(table));
    const rows = `SELECT ${columns} FROM ${path} WHERE tenant_id = ${literal(tenantId)}`;
    return pipeCopy(from, `COPY (${rows}) TO STDOUT`, to, `COPY ${path} (${columns}) FROM STDIN`);
  });

/** Moves the deadline on every third of it, until it is stopped. A fence that fell is found at the commit point. */
const keepFence = (keeper: pg.Client, fence: Parameters<typeof extendFence>[1]): (() => Promise<void>) => {
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = extendFence(keeper, fence).then(
      () => undefined,
      () => undefined,
    );
  }, fence.deadlineMs / 3);
  return async () => {
    clearInterval(timer);
    await last;
  };
};

const copyAndCompare = async (
  plan: SwitchPlan,
  sessions: Frozen,
  comparison: Awaited<ReturnType<typeof planComparison>>,
): Promise<Verification> => {
  const { from, to } = sessions;
  await holdSnapshot(from);
  for (const table of comparison.scope.tables) {
    plan.signal?.throwIfAborted();
    await copyTable(sessions, table, plan.move.tenantId);
  }
  await holdSnapshot(to);
  const verification = await compareHeld({ source: from, target: to }, plan.move.tenantId, comparison, plan.signal);
  for (const client of [from, to]) await client.query('COMMIT');
  if (!verification.equal)
    throw new StepFailure(
      'CopyDiffers',
      `the copy of tenant ${plan.move.tenantId} differs: ${describeDifferences(verification)}; the tenant writes on where it was`,
    );
  return verification;
};

const freeze = async (plan: SwitchPlan, sessions: Frozen): Promise<CutOver> => {
  const { from, to, keeper } = sessions;
  const { move, onStep } = plan;
  const comparison = await planComparison(from, to, move.tenantId);
  await raiseSequences(to, await readSequences(from), 0);
  await onStep('caught-up');
  const start = performance.now();
  const watch = startWatch(start);
  const epoch = await raiseFence(from, { move, phase: 'copying', deadlineMs: plan.deadlineMs });
  watch.lap('lock');
  const stopKeeping = keepFence(keeper, { move, epoch, deadlineMs: plan.deadlineMs });
  let verification: Verification | undefined;
  let switched = epoch;
  try {
    await onStep('fenced');
    verification = await copyAndCompare(plan, sessions, comparison);
    watch.lap('barrier');
    await onStep('barrier');
    await raiseSequences(to, await readSequences(from), 0);
    await prepareTarget(to, plan, epoch);
    watch.lap('prepare');
    await onStep('prepared');
    if (!(await commitSwitch(from, { move, epoch, before: 'copying', after: 'switched' })))
      throw new StepFailure(
        'FenceTimeout',
        `the fence of tenant ${move.tenantId} (epoch ${epoch}) fell before the switch; the tenant writes on, and it is tried again`,
      );
    watch.lap('commit');
  } catch (error) {
    const after = await takeBack(plan, epoch);
    if (after === undefined) throw error;
    if (after !== epoch) verification = undefined;
    switched = after;
  } finally {
    await stopKeeping();
  }
  await onStep('switched');
  const { openedAt } = await completeSwitch(to, plan, switched);
  const timings = watch.read(openedAt);
  return { epoch: switched, stallMs: timings.fenced + timings.flip, timings, verification };
};

/**
 * Moves a tenant whose schema or servers cannot replicate: fence, copy of every table through this process, comparison,
 * commit point, open, route. Its writers wait all that time, which grows with the tenant (`estimateMove` says how long), and
 * there is no way back that keeps later writes. Errors before the commit point leave the tenant open on the source; a repeat
 * starts the copy anew, or finishes what is left after the commit point. CopyDiffers when the copy is not the tenant's rows.
 */
export const freezeMove = async (request: CutOverRequest): Promise<CutOver> => {
  const { move } = request;
  const plan = planOf(
    { ...request, deadlineMs: request.deadlineMs ?? fenceMs },
    { from: request.source, to: request.target, carrier: undefined, before: 'copying', after: 'switched' },
  );
  const opened: pg.Client[] = [];
  const open = async (side: MoveSide): Promise<pg.Client> => {
    const client = await openSession(side);
    opened.push(client);
    return client;
  };
  try {
    const [from, to, keeper] = [await open(plan.from), await open(plan.to), await open(plan.from)];
    const entered = await enterStep({ source: from, target: to }, move, 'freezeMove');
    if (entered.phase === 'switched') {
      const epoch = entered.source.tenant?.epoch ?? 0;
      await completeSwitch(to, plan, epoch);
      return { epoch, stallMs: 0, timings: undefined, verification: undefined };
    }
    refuseUnfitSource(entered.source, move);
    for (const client of [from, to]) {
      await refuseOtherMoves(client, move);
      await writeNewMove(client, move);
    }
    await plan.onStep('connected');
    await makeRoom({ source: from, target: to }, request);
    return await freeze(plan, { from, to, keeper });
  } catch (error) {
    throw namedFailure(error, move);
  } finally {
    await endSessions(opened);
  }
};
