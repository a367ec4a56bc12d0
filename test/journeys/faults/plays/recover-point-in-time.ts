import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { expect } from 'vitest';
import { functionName } from '../../../../domain/deployment.ts';
import { until } from '../../../cloud.ts';
import type { Faults, Play } from '../cells.ts';
import type { Stage } from '../stage.ts';

/** A moment that the log of the tenant's server holds: something is committed after it. */
const momentOf = async ({ control, laptop }: Stage, tenantId: string): Promise<string> => {
  const { rows } = await control.query<{ host: string; port: number; database: string; prefix: string }>(
    `SELECT s.host, s.port, p.database, s.secret_prefix AS prefix
     FROM placements p JOIN servers s ON s.id = p.server_id WHERE p.tenant_id = $1`,
    [tenantId],
  );
  const { host, port, database, prefix } = rows[0]!;
  const client = await laptop.admin(database, { host, port, ...(await laptop.secret(`${prefix}/migrate`)) });
  const clock = await client.query<{ at: string }>(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM pg_sleep(0.01)`,
  );
  await client.query('SELECT pg_current_xact_id(), pg_sleep(0.01)');
  await client.end();
  return clock.rows[0]!.at;
};

const reap = async ({ laptop }: Stage): Promise<void> => {
  const { endpoint, region, credentials } = laptop.cloud;
  const lambda = new LambdaClient({ endpoint, region, credentials });
  await lambda.send(new InvokeCommand({ FunctionName: functionName('ReapLeases') }));
  lambda.destroy();
};

/** The archive is there or its record says why not; the temporary server goes, at the latest when somebody clears up. */
const after: Play['after'] = async ({ id }, stage, went) => {
  const { rows } = await stage.control.query(
    "SELECT status FROM backups WHERE tenant_id = $1 AND kind = 'point-in-time'",
    [id],
  );
  if (went === 'well') expect(rows).toEqual([{ status: 'sealed' }]);
  else expect(rows.filter(({ status }) => status !== 'failed')).toEqual([]);
  stage.saboteur.disarm(id);
  const temporary = `instance tenantry-${id}-pit-`;
  await until(
    `the temporary server of ${id} is gone`,
    async () => {
      await reap(stage);
      return (await stage.estate.things()).some((line) => line.startsWith(temporary)) ? undefined : true;
    },
    60_000,
  );
  const kept = 'SELECT FROM recoveries WHERE tenant_id = $1 AND removed_at IS NULL';
  expect((await stage.control.query(kept, [id])).rowCount).toBe(0);
  const gone = await stage.laptop.run('deprovision-tenant', { tenantId: id, graceSeconds: 0 });
  expect(gone.status, gone.cause).toBe('SUCCEEDED');
};

const recover: Play = {
  workflow: 'recover-point-in-time',
  input: async ({ id }, stage) => {
    const place = { plan: 'starter', isolation: 'server', force: true, reason: 'fault cell' };
    const { status, cause } = await stage.laptop.run('provision-tenant', { tenantId: id, ...place });
    expect(status, cause).toBe('SUCCEEDED');
    return { tenantId: id, asOf: await momentOf(stage, id) };
  },
  after,
};

/** Each cell has two servers of its own and takes half a minute, so a step has the faults that its effect is about. */
export const recovery: Faults = {
  machines: ['recover-point-in-time'],
  some: {
    // Its first calls may find that the log is not there yet, so that there is no effect after which it could die.
    PlanRecovery: ['before', 'refused'],
    StartRecovery: ['twice', 'zombie', 'unheard'],
    AwaitRecovery: ['before', 'refused'],
    ExportRecovery: ['late', 'after', 'unheard'],
    RemoveRecovery: ['twice', 'refused'],
    SealBackup: ['after', 'refused', 'unheard'],
    AbandonRecovery: ['after', 'zombie'],
  },
  prepare: async () => undefined,
  plays: {
    PlanRecovery: recover,
    StartRecovery: recover,
    AwaitRecovery: recover,
    ExportRecovery: recover,
    // Whoever clears up deletes what this could not.
    RemoveRecovery: { ...recover, outlived: true },
    SealBackup: { ...recover, commits: true },
    AbandonRecovery: { ...recover, because: { step: 'ExportRecovery', fault: 'refused' } },
  },
};
