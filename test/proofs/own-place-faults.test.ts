import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { expect } from 'vitest';
import { describeFaults, type Play } from '../journeys/faults/cells.ts';
import type { Stage } from '../journeys/faults/stage.ts';

/** Databases, logins and instances that bear the tenant's name, wherever the laptop keeps such things. */
const thingsOf = async (stage: Stage, tenantId: string): Promise<string[]> => {
  const name = `t_${tenantId.replaceAll('-', '_')}_%`;
  const { rows } = await stage.control.query<{ name: string }>(
    `SELECT 'database ' || datname AS name FROM pg_database WHERE datname LIKE $1
     UNION ALL SELECT 'login ' || rolname FROM pg_roles WHERE rolname LIKE $1
     UNION ALL SELECT 'server ' || id FROM servers WHERE tenant_id = $2
     UNION ALL SELECT 'placement ' || id FROM placements WHERE tenant_id = $2`,
    [name, tenantId],
  );
  const { endpoint, region, credentials } = stage.laptop.cloud;
  const rds = new RDSClient({ endpoint, region, credentials });
  const { DBInstances = [] } = await rds.send(new DescribeDBInstancesCommand({}));
  rds.destroy();
  const own = DBInstances.filter(({ TagList = [] }) =>
    TagList.some(({ Key, Value }) => Key === 'tenant' && Value === tenantId),
  );
  return [...rows.map((row) => row.name), ...own.map((one) => `instance ${one.DBInstanceIdentifier}`)];
};

/** Stands whole, and goes without a trace when it is taken off; or has left no trace. */
const wholeOrNothing: Play['after'] = async ({ id }, stage, went) => {
  const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
  expect(rows).toEqual(went === 'well' ? [{ status: 'active' }] : []);
  if (went === 'well') {
    const gone = await stage.laptop.run('deprovision-tenant', { tenantId: id, graceSeconds: 0 });
    expect(gone.status, gone.cause).toBe('SUCCEEDED');
  }
  expect(await thingsOf(stage, id)).toEqual([]);
};

/** A place that could not be taken down keeps the tenant's name, so that nobody gets what is left of it. */
const releasedOrKept: Play['after'] = async ({ id, fault }, stage) => {
  const kept = fault === 'refused' || fault === 'unheard';
  const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
  expect(rows).toEqual(kept ? [{ status: 'failed' }] : []);
  if (kept) {
    const gone = await stage.laptop.run('deprovision-tenant', { tenantId: id, graceSeconds: 0 });
    // The fault is for good: what it forbids, it forbids the offboarding too.
    expect(gone.status).toBe('FAILED');
    return;
  }
  expect(await thingsOf(stage, id)).toEqual([]);
};

const signUp = (isolation: 'database' | 'server'): Play => ({
  workflow: 'provision-tenant',
  input: ({ id }) => ({ tenantId: id, plan: 'enterprise', isolation }),
  after: wholeOrNothing,
});

const takenBack = (isolation: 'database' | 'server'): Play => ({
  ...signUp(isolation),
  because: { step: 'ActivateTenant', fault: 'refused' },
  after: releasedOrKept,
});

describeFaults({
  machines: ['prepare-placement', 'release-placement'],
  ownPlaces: 'only',
  prepare: async () => undefined,
  plays: {
    CreateServer: signUp('server'),
    AwaitServer: signUp('server'),
    PrepareServer: signUp('server'),
    CreateDatabase: signUp('database'),
    DropDatabase: takenBack('database'),
    DeleteServer: takenBack('server'),
    AwaitServerGone: takenBack('server'),
  },
});
