import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import { provision } from '../tenants.ts';

/** A backup is there to be restored, or its record says why not; the tenant itself is as it was. */
const after: Play['after'] = async ({ id }, stage, went) => {
  const { rows } = await stage.control.query('SELECT status FROM backups WHERE operation_id = $1', [id]);
  if (went === 'well') expect(rows).toEqual([{ status: 'sealed' }]);
  else expect(rows.every(({ status }) => status === 'failed')).toBe(true);
  const { rows: tenants } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
  expect(tenants).toEqual([{ status: 'active' }]);
};

/** The rows are sealed whatever becomes of the objects, and the record says which. */
const withObjects: Play['after'] = async (cell, stage, went) => {
  await after(cell, stage, went);
  const { rows } = await stage.control.query(
    'SELECT objects_state, objects_reason FROM backups WHERE operation_id = $1',
    [cell.id],
  );
  if (cell.fault === 'refused')
    expect(rows).toEqual([{ objects_state: 'missing', objects_reason: expect.stringContaining('ExportWorkload') }]);
  else expect(rows).toEqual([{ objects_state: 'archived', objects_reason: null }]);
};

const backUp: Play = { workflow: 'back-up-tenant', input: ({ id }) => ({ tenantId: id }), after };

export const backup: Faults = {
  machines: ['back-up-tenant'],
  prepare: async (stage, cells) => {
    const [own, shared] = [true, false].map((wanted) =>
      cells.filter(({ task }) => (task === 'ExportWorkload') === wanted).map(({ id }) => id),
    );
    await provision(stage, shared!);
    await provision(stage, own!, 'namespace');
  },
  plays: {
    OpenBackup: backUp,
    DumpDatabase: backUp,
    ExportWorkload: { ...backUp, outlived: true, after: withObjects },
    SealBackup: { ...backUp, commits: true },
    AbandonBackup: { ...backUp, because: { step: 'SealBackup', fault: 'refused' } },
  },
};
