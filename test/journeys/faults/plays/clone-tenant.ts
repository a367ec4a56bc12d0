import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import { type Stage, tenantTables } from '../stage.ts';
import { backUp, provision } from '../tenants.ts';

/** Whose backup becomes every new tenant: a clone reads it and holds nothing of it. */
const source = 'source';

/** Rows of a tenant without its name, by table, coded apart from the product's digests. */
export const namelessRows = async ({ pool }: Stage, tenantId: string): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const table of await tenantTables(pool)) {
    const { rows } = await pool.query<{ text: string }>(
      `SELECT coalesce(string_agg(row, E'\n' ORDER BY row COLLATE "C"), '') AS text
       FROM (SELECT (to_jsonb(t) - 'tenant_id')::text AS row FROM ${table} t WHERE tenant_id = $1) rows`,
      [tenantId],
    );
    found[table] = rows[0]!.text;
  }
  return found;
};

/** The new tenant stands with every row of the source, or its name is free and no row bears it. */
export const clonedOrFree = async (stage: Stage, from: string, to: string, went: boolean): Promise<void> => {
  const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [to]);
  expect(rows).toEqual(went ? [{ status: 'active' }] : []);
  if (went) expect(await namelessRows(stage, to)).toEqual(await namelessRows(stage, from));
  else expect(Object.values(await namelessRows(stage, to)).join('')).toBe('');
};

const clone: Play = {
  workflow: 'clone-tenant',
  input: ({ id }) => ({ tenantId: source, newTenantId: id }),
  after: ({ id }, stage, went) => clonedOrFree(stage, source, id, went === 'well'),
};

export const cloning: Faults = {
  machines: ['clone-tenant'],
  prepare: async (stage) => {
    await provision(stage, [source]);
    await backUp(stage, [source]);
  },
  plays: {
    PlanClone: clone,
    ClaimTenant: clone,
    PlaceTenant: clone,
    StageRestore: clone,
    LoadClone: clone,
    ActivateTenant: { ...clone, commits: true },
    AbandonClone: { ...clone, because: { step: 'LoadClone', fault: 'refused' } },
  },
};
