import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import { provision } from '../tenants.ts';
import { worldFindings } from '../world.ts';

/** The tenant in the other slice of the same fleet. */
const other = (id: string): string => `${id}-2`;

/** Whatever becomes of one slice, the other one is backed up, and the summary counts both as the records do. */
const after: Play['after'] = async ({ id, task }, stage, went) => {
  const { rows } = await stage.control.query<{ tenant_id: string; status: string }>(
    'SELECT tenant_id, status FROM backups WHERE operation_id = $1',
    [id],
  );
  const sealed = rows.filter(({ status }) => status === 'sealed').map(({ tenant_id }) => tenant_id);
  if (task !== 'ListDueTenants' || went === 'well') expect(sealed).toContain(other(id));
  expect(sealed.includes(id)).toBe(went === 'well' || task === 'SummariseBackups');
  const { rows: events } = await stage.control.query<{ detail: { sealed: number; failed: number } }>(
    "SELECT detail FROM events WHERE detail_type = 'FleetBackedUp' AND detail ->> 'operation' = $1",
    [id],
  );
  if (task !== 'ListDueTenants' || went === 'well')
    expect(events[0]!.detail).toMatchObject({ sealed: sealed.length, failed: 2 - sealed.length });
  expect(await worldFindings(stage, other(id), id)).toEqual([]);
};

const fleet: Play = { workflow: 'back-up-fleet', input: ({ id }) => ({ tenantIds: [id, other(id)] }), after };

export const fleetBackup: Faults = {
  machines: ['back-up-fleet'],
  prepare: async (stage, cells) => {
    const ids = cells.map(({ id }) => id);
    const own = cells.filter(({ task }) => task === 'ExportWorkload').map(({ id }) => id);
    await provision(stage, [...ids.filter((id) => !own.includes(id)), ...ids.map(other)]);
    await provision(stage, own, 'namespace');
    // A slice is of one cell: a second one on the same database gives every fleet here two slices.
    await stage.control.query(
      `INSERT INTO cells (id, region, host, port, database, secret_prefix, capacity, open)
       SELECT 'local-2', region, host, port, database, secret_prefix, 0, false FROM cells WHERE id = 'local-1'`,
    );
    await stage.control.query("UPDATE placements SET cell_id = 'local-2' WHERE tenant_id = ANY ($1)", [ids.map(other)]);
  },
  plays: {
    ListDueTenants: fleet,
    OpenBackup: fleet,
    DumpDatabase: fleet,
    ExportWorkload: { ...fleet, outlived: true },
    SealBackup: { ...fleet, commits: true },
    AbandonBackup: { ...fleet, because: { step: 'DumpDatabase', fault: 'unheard' } },
    SummariseBackups: fleet,
  },
  without: {
    task: 'SummariseBackups',
    fault: 'unheard',
    because: 'nothing comes after the summary that could announce it: the registry is right, the execution says FAILED',
  },
};
