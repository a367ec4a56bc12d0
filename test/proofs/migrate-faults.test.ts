import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { estateFindings } from '../estate.ts';
import { describeFaults, type Play } from '../journeys/faults/cells.ts';
import type { Fault } from '../journeys/faults/matrix.ts';
import type { Stage } from '../journeys/faults/stage.ts';
import { tenantTables } from '../journeys/faults/stage.ts';
import { provision } from '../journeys/faults/tenants.ts';

const rowsBefore = new Map<string, string>();

interface Home {
  readonly isolation: string;
  readonly places: number;
  readonly rows: string;
  /** Of the tenant's row in its database. */
  readonly state: string;
}

/** Where the registry says that the tenant is, looked at there and past row-level security. */
const homeOf = async (stage: Stage, tenantId: string): Promise<Home> => {
  const { rows: places } = await stage.control.query<{ isolation: string; database: string | null; active: boolean }>(
    'SELECT isolation, database, active FROM placements WHERE tenant_id = $1',
    [tenantId],
  );
  const active = places.find((place) => place.active)!;
  const client = await stage.laptop.admin(active.database ?? 'pool');
  const hash = createHash('sha256');
  for (const table of await tenantTables(client)) {
    const { rows } = await client.query<{ row: string }>(
      `SELECT t::text AS row FROM ${client.escapeIdentifier(table)} t WHERE tenant_id = $1 ORDER BY 1`,
      [tenantId],
    );
    hash.update(`${table} ${rows.map(({ row }) => row).join('\n')}`);
  }
  const { rows } = await client.query<{ state: string }>('SELECT state FROM tenantry.tenants WHERE tenant_id = $1', [
    tenantId,
  ]);
  // A hundred tenants are looked at, and a server has two hundred connections.
  await client.end();
  return { isolation: active.isolation, places: places.length, rows: hash.digest('hex'), state: rows[0]!.state };
};

/** Whatever a fault left half done, one more operation brings to its end. */
const clearUp = async (stage: Stage, tenantId: string): Promise<void> => {
  const { rows } = await stage.control.query<{ phase: string }>(
    'SELECT phase FROM moves WHERE tenant_id = $1 AND ended_at IS NULL',
    [tenantId],
  );
  if (!rows[0]) return;
  const action = ['planned', 'copying'].includes(rows[0].phase) ? 'abandon' : 'finish';
  const cleared = await stage.laptop.run('migrate-tenant', { tenantId, action });
  expect(cleared.status, `${action}: ${cleared.cause}`).toBe('SUCCEEDED');
};

const leftoversOf = async (stage: Stage, tenantId: string): Promise<unknown[]> => {
  const { rows } = await stage.control.query(
    `SELECT s.name FROM moves m, LATERAL (
       SELECT slot_name::text AS name FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription) s
     WHERE m.tenant_id = $1 AND s.name LIKE '%' || right(m.id, 12) || '%'`,
    [tenantId],
  );
  return rows;
};

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
  expect(await leftoversOf(stage, id)).toEqual([]);
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

describeFaults({
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
});
