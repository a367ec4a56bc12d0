import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import type { Stage } from '../stage.ts';
import { backUp, provision } from '../tenants.ts';

interface Backup {
  readonly id: string;
  readonly status: string;
  readonly drill_outcome: string | null;
  readonly drill_operation: string | null;
}

/** Of a tenant, oldest first. */
const backupsOf = async (stage: Stage, tenantId: string): Promise<Backup[]> =>
  (
    await stage.control.query<Backup>(
      'SELECT id, status, drill_outcome, drill_operation FROM backups WHERE tenant_id = $1 ORDER BY opened_at',
      [tenantId],
    )
  ).rows;

/** Two archives of each tenant, the first of them from before every plan's memory. */
const age = async (stage: Stage, tenantIds: readonly string[]): Promise<void> => {
  const client = await stage.control.connect();
  try {
    // A sealed backup cannot be changed while its trigger looks.
    await client.query('SET session_replication_role = replica');
    await client.query(
      "UPDATE backups SET kind = 'manual', taken_at = now() - interval '500 days' WHERE tenant_id = ANY ($1)",
      [tenantIds],
    );
  } finally {
    client.release(true);
  }
  const pool = await stage.pool.connect();
  try {
    await pool.query('SET session_replication_role = replica');
    await pool.query("UPDATE users SET full_name = 'Changed' WHERE tenant_id = ANY ($1)", [tenantIds]);
  } finally {
    pool.release(true);
  }
};

/** The archive that was tried says so, whatever became of the run; one that was not says nothing new. */
const drill: Play = {
  workflow: 'drill-restores',
  input: ({ id }) => ({ tenantIds: [id] }),
  after: async ({ id, task, fault }, stage, went) => {
    const newest = (await backupsOf(stage, id)).at(-1)!;
    const tried = went === 'well' || task === 'SummariseDrills';
    expect(newest).toMatchObject(
      tried ? { drill_outcome: 'passed', drill_operation: id } : { drill_outcome: null, drill_operation: null },
    );
    const { rows: events } = await stage.control.query<{ detail: object }>(
      "SELECT detail FROM events WHERE detail_type = 'RestoresDrilled' AND detail ->> 'operation' = $1",
      [id],
    );
    expect(
      events.map(({ detail }) => detail),
      `${task} ${fault}`,
    ).toEqual([
      expect.objectContaining({ outcome: went === 'well' ? 'passed' : 'failed', failed: 0, passed: tried ? 1 : 0 }),
    ]);
  },
};

/** The old archive is gone with its record or there with its record; the newest is there. */
const expire: Play = {
  workflow: 'expire-backups',
  input: ({ id }) => ({ tenantIds: [id] }),
  after: async ({ id, task, fault }, stage) => {
    const [old, newest] = await backupsOf(stage, id);
    const gone = task !== 'ExpireBackups' || fault !== 'refused';
    expect([old!.status, newest!.status]).toEqual([gone ? 'deleted' : 'sealed', 'sealed']);
    expect((await stage.keys(`t/${id}/${old!.id}/`)).length > 0).toBe(!gone);
    expect(await stage.keys(`t/${id}/${newest!.id}/`)).not.toEqual([]);
  },
};

export const archives: Faults = {
  machines: ['drill-restores', 'expire-backups'],
  prepare: async (stage, cells) => {
    const ids = cells.map(({ id }) => id);
    await provision(stage, ids);
    await backUp(stage, ids);
    await age(stage, ids);
    await backUp(stage, ids);
  },
  plays: {
    ChooseDrills: drill,
    // The records count: an archive that was tried is tried, whoever heard of it.
    DrillRestore: { ...drill, commits: true },
    SummariseDrills: drill,
    ExpireBackups: expire,
    SummariseExpiry: expire,
  },
  without: (['SummariseDrills', 'SummariseExpiry'] as const).map((task) => ({
    task,
    fault: 'unheard' as const,
    because: 'nothing comes after the summary that could announce it: the registry is right, the execution says FAILED',
  })),
};
