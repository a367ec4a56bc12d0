import { expect } from 'vitest';
import { estateFindings } from '../../../estate.ts';
import type { Faults, Play } from '../cells.ts';
import { channelsOf, clearUp, homeOf } from '../homes.ts';
import type { Fault } from '../matrix.ts';
import type { Stage } from '../stage.ts';
import { provision } from '../tenants.ts';

const rowsBefore = new Map<string, string>();

/** The tenant is in one place, open, with every row; after one more operation nothing of the move is left. */
const whole: Play['after'] = async ({ id }, stage, went) => {
  if (went === 'well') {
    const { rows } = await stage.control.query('SELECT FROM moves WHERE tenant_id = $1 AND ended_at IS NULL', [id]);
    expect(rows).toEqual([]);
  }
  expect(await homeOf(stage, id)).toMatchObject({ state: 'open', rows: rowsBefore.get(id) });
  stage.saboteur.disarm(id);
  await clearUp(stage, id);
  expect(await homeOf(stage, id)).toMatchObject({ places: 1, state: 'open', rows: rowsBefore.get(id) });
  expect(await channelsOf(stage, id)).toEqual([]);
};

const stayed: Play['after'] = async (cell, stage, went) => {
  await whole(cell, stage, went);
  expect((await homeOf(stage, cell.id)).isolation).toBe('pooled');
};

const moved: Play['after'] = async (cell, stage, went) => {
  await whole(cell, stage, went);
  expect((await homeOf(stage, cell.id)).isolation).toBe('database');
};

const either =
  (wellOrBadly: Play['after'], otherwise: Play['after']): Play['after'] =>
  (cell, stage, went) =>
    (went === 'well' ? wellOrBadly : otherwise)(cell, stage, went);

const move: Play = {
  workflow: 'migrate-tenant',
  input: ({ id }) => ({ tenantId: id, isolation: 'database', windowSeconds: 0 }),
  after: either(moved, stayed),
};

/** Where the app of the tenant runs, by the registry and by Kubernetes. */
const appOf = async (stage: Stage, tenantId: string): Promise<{ tier: string; routes: number }> => {
  const { rows } = await stage.control.query<{ tier: string }>(
    'SELECT tier FROM placements WHERE tenant_id = $1 AND active',
    [tenantId],
  );
  const routes = (await stage.estate.things(tenantId)).filter((line) => line.startsWith('route '));
  return { tier: rows[0]!.tier, routes: routes.length };
};

/** The rows stay in the pool, whatever becomes of the app. */
const nowInNamespace =
  (committed: (fault: Fault) => boolean): Play['after'] =>
  async (cell, stage, went) => {
    await stayed(cell, stage, went);
    expect(await appOf(stage, cell.id)).toEqual(
      committed(cell.fault) ? { tier: 'namespace', routes: 1 } : { tier: 'shared', routes: 0 },
    );
    expect(await estateFindings(stage.estate, stage.control, cell.id)).toEqual([]);
  };

/** The tier alone changes. */
const toNamespace: Play = {
  workflow: 'migrate-tenant',
  input: ({ id }) => ({ tenantId: id, tier: 'namespace', windowSeconds: 0 }),
  commits: true,
  after: nowInNamespace((fault) => fault !== 'refused'),
};

export const migration: Faults = {
  machines: ['migrate-tenant'],
  prepare: async (stage, cells) => {
    await provision(
      stage,
      cells.map(({ id }) => id),
    );
    for (const { id } of cells) rowsBefore.set(id, (await homeOf(stage, id)).rows);
  },
  plays: {
    PlanMigration: move,
    StartCopy: move,
    AwaitCopy: move,
    PrepareWayBack: move,
    // Its answer is all that can get lost behind the commit point.
    CutOver: { ...move, commits: true },
    StartWayBack: { ...move, after: moved },
    VerifyCopy: { ...move, after: moved },
    FinishMigration: { ...move, after: moved },
    EndMigration: { ...move, after: moved, commits: true },
    MoveBack: {
      workflow: 'migrate-tenant',
      input: async ({ id }, stage) => {
        const { status, cause } = await stage.laptop.run('migrate-tenant', { tenantId: id, isolation: 'database' });
        expect(status, cause).toBe('SUCCEEDED');
        return { tenantId: id, action: 'back' };
      },
      after: async (cell, stage, went) => {
        await whole(cell, stage, went);
        const kept = went === 'badly' && cell.fault === 'refused';
        expect((await homeOf(stage, cell.id)).isolation).toBe(kept ? 'database' : 'pooled');
      },
    },
    SwitchPlacement: toNamespace,
    // The tenant has moved, and keeps both places until its route is known to be right.
    RouteTenant: { workflow: toNamespace.workflow, input: toNamespace.input, after: nowInNamespace(() => true) },
    AbandonMigration: { ...move, because: { step: 'StartCopy', fault: 'unheard' }, after: stayed },
  },
};
