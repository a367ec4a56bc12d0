import { expect } from 'vitest';
import type { Stage } from '../stage.ts';
import type { TaskFaults, TaskPlay } from '../task-cells.ts';
import type { TaskCell } from '../task-matrix.ts';
import { backUp, damage, provision } from '../tenants.ts';
import { worldFindings } from '../world.ts';
import { clonedOrFree } from './clone-tenant.ts';

const backupOf = async ({ id }: TaskCell, stage: Stage): Promise<{ status: string; reason: string | null }[]> =>
  (await stage.control.query('SELECT status, reason FROM backups WHERE operation_id = $1 AND tenant_id = $1', [id]))
    .rows;

/** An archive that can be restored, or a record that says why there is none. */
const sealedOrTold: TaskPlay['after'] = async (cell, stage, went) => {
  expect(await backupOf(cell, stage)).toEqual([
    went ? { status: 'sealed', reason: null } : { status: 'failed', reason: expect.any(String) },
  ]);
};

/** The tenant in the other slice of the same fleet, which a function dumps. */
const other = (id: string): string => `${id}-2`;

const fleet: TaskPlay = {
  input: ({ id }) => ({ tenantIds: [id, other(id)] }),
  reason: async (cell, stage) => (await backupOf(cell, stage))[0]?.reason ?? '',
  after: async (cell, stage, went) => {
    await sealedOrTold(cell, stage, went);
    const { rows } = await stage.control.query(
      'SELECT status FROM backups WHERE operation_id = $1 AND tenant_id = $2',
      [cell.id, other(cell.id)],
    );
    expect(rows).toEqual([{ status: 'sealed' }]);
    expect(await worldFindings(stage, other(cell.id), cell.id)).toEqual([]);
  },
};

/** The record says what came of the archive and nothing that did not happen; the run counts what it had by its end. */
const drill: TaskPlay = {
  input: ({ id }) => ({ tenantIds: [id], through: 'task' }),
  commits: true,
  says: /1 of 1 archives were not tried/,
  after: async ({ id, fault }, stage, went) => {
    const { rows } = await stage.control.query(
      `SELECT drill_outcome AS outcome, drill_operation AS operation,
         (SELECT detail -> 'passed' FROM events WHERE detail_type = 'RestoresDrilled' AND detail ->> 'operation' = $1) AS passed
       FROM backups WHERE tenant_id = $1`,
      [id],
    );
    // What did not end in time was tried all the same, after its run.
    const tried = went || fault === 'stuck';
    expect(rows).toEqual([{ outcome: tried ? 'passed' : null, operation: tried ? id : null, passed: went ? 1 : 0 }]);
  },
};

const clone = (id: string): string => `${id}-new`;

const cloned: TaskPlay = {
  input: ({ id }) => ({ tenantId: id, newTenantId: clone(id), through: 'task' }),
  after: async ({ id }, stage, went) => {
    await clonedOrFree(stage, id, clone(id), went);
    expect(await worldFindings(stage, clone(id), id)).toEqual([]);
  },
};

/** A second slice for every fleet, and a tenant in the first one that is too large for a function by its last archive. */
const prepareFleets = async (stage: Stage, ids: readonly string[]): Promise<void> => {
  await provision(stage, ids.map(other));
  // A slice is of one cell: a second one on the same database gives every fleet here two slices.
  await stage.control.query(
    `INSERT INTO cells (id, region, host, port, database, secret_prefix, capacity, open)
     SELECT 'local-2', region, host, port, database, secret_prefix, 0, false FROM cells WHERE id = 'local-1'`,
  );
  await stage.control.query("UPDATE placements SET cell_id = 'local-2' WHERE tenant_id = ANY ($1)", [ids.map(other)]);
  const control = await stage.control.connect();
  // A sealed backup cannot be changed while its trigger looks.
  await control.query('SET session_replication_role = replica');
  await control.query('UPDATE backups SET bytes = 10000000000 WHERE tenant_id = ANY ($1)', [ids]);
  control.release(true);
  await damage(stage, ids);
};

const idsOf = (cells: readonly TaskCell[], ...machines: readonly TaskCell['machine'][]): string[] =>
  cells.filter(({ machine }) => machines.includes(machine)).map(({ id }) => id);

/** Steps that write archives, try them and make new tenants of them. */
export const archiveTasks: TaskFaults = {
  prepare: async (stage, cells) => {
    await provision(stage, idsOf(cells, 'back-up-tenant', 'back-up-fleet', 'drill-restores', 'clone-tenant'));
    await backUp(stage, idsOf(cells, 'back-up-fleet', 'drill-restores', 'clone-tenant'));
    await prepareFleets(stage, idsOf(cells, 'back-up-fleet'));
  },
  plays: {
    'back-up-tenant': {
      DumpDatabase: { input: ({ id }) => ({ tenantId: id, through: 'task' }), after: sealedOrTold },
    },
    'back-up-fleet': { DumpDatabase: fleet },
    'drill-restores': { DrillRestore: drill },
    'clone-tenant': { StageRestore: cloned, LoadClone: cloned },
  },
};
