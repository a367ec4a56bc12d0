import { expect } from 'vitest';
import { describeFaults, type Play } from './cells.ts';
import { provision } from './tenants.ts';

/** A backup is there to be restored, or its record says why not; the tenant itself is as it was. */
const after: Play['after'] = async ({ id }, stage, went) => {
  const { rows } = await stage.control.query('SELECT status FROM backups WHERE operation_id = $1', [id]);
  if (went === 'well') expect(rows).toEqual([{ status: 'sealed' }]);
  else expect(rows.every(({ status }) => status === 'failed')).toBe(true);
  const { rows: tenants } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
  expect(tenants).toEqual([{ status: 'active' }]);
};

const backUp: Play = { workflow: 'back-up-tenant', input: ({ id }) => ({ tenantId: id }), after };

describeFaults({
  machines: ['back-up-tenant'],
  prepare: (stage, cells) =>
    provision(
      stage,
      cells.map(({ id }) => id),
    ),
  plays: {
    OpenBackup: backUp,
    DumpDatabase: backUp,
    SealBackup: { ...backUp, commits: true },
    AbandonBackup: { ...backUp, because: { step: 'SealBackup', fault: 'refused' } },
  },
});
