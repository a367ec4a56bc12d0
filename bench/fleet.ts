import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Laptop } from './laptop.ts';
import { addTenants, fillPool } from './pool.ts';
import type { BenchRow } from './row.ts';

export interface FleetBench {
  readonly rows: BenchRow[];
  /** Tenants by size, largest first. */
  readonly tenants: readonly string[];
  /** A whole-pool dump to restore from as a yardstick, where a client is installed. */
  readonly wholeDump: string | undefined;
  dispose(): void;
}

/** Runs a machine to its end; answers its milliseconds from start to stop as Step Functions records them. */
export const runMachine = async (laptop: Laptop, name: string, input: unknown): Promise<number> => {
  const { executionArn } = await laptop.states.send(
    new StartExecutionCommand({ stateMachineArn: laptop.machineArn(name), input: JSON.stringify(input) }),
  );
  for (;;) {
    const execution = await laptop.states.send(new DescribeExecutionCommand({ executionArn }));
    if (execution.status === 'SUCCEEDED') return execution.stopDate!.getTime() - execution.startDate!.getTime();
    if (execution.status !== 'RUNNING')
      throw new Error(`${name} ended ${execution.status}: ${execution.error} ${execution.cause}`);
    await delay(50);
  }
};

export const clientEnvironment = (laptop: Laptop, database: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  PGHOST: laptop.cloud.postgres.host,
  PGPORT: String(laptop.cloud.postgres.port),
  PGUSER: laptop.cloud.postgres.superuser.username,
  PGPASSWORD: laptop.cloud.postgres.superuser.password,
  PGDATABASE: database,
});

export const hasClient = (): boolean => spawnSync('pg_dump', ['--version']).status === 0;

export const copyEverything = async (client: pg.Client): Promise<void> => {
  const { rows } = await client.query<{ name: string }>(
    "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  for (const { name } of rows)
    for await (const _ of client.query(copyTo(`COPY ${name} TO STDOUT`))) {
      // Read and thrown away: the floor that no backup can beat.
    }
};

/** Milliseconds of one dump of the whole pool at the compression of our archives, or of raw COPY where no client is. */
const wholeDatabase = async (laptop: Laptop, file: string): Promise<{ name: string; value: number; unit: string }> => {
  const started = performance.now();
  if (hasClient()) {
    const child = spawn('pg_dump', ['-Fc', '-Z1', '-f', file], {
      env: clientEnvironment(laptop, 'pool'),
      stdio: 'inherit',
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`pg_dump ended with ${code}`);
    return {
      name: `pg_dump -Fc -Z1 (${Math.round(statSync(file).size / 2 ** 20)} MiB)`,
      value: performance.now() - started,
      unit: 'ms',
    };
  }
  const client = await laptop.connect('pool');
  await copyEverything(client);
  await client.end();
  return { name: 'raw COPY of all tables', value: performance.now() - started, unit: 'ms' };
};

/** The same for a pool that no signup of the bench made: 5,000 tenants, about 840 MB. */
export const benchLargeFleet = async (laptop: Laptop): Promise<BenchRow[]> => {
  const tenants = Array.from({ length: 5_000 }, (_, place) => `fleet-${place}`);
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'));
  try {
    await addTenants(laptop, tenants);
    const client = await laptop.connect('pool');
    const { bytes } = await fillPool(client, tenants, 970_000);
    await client.end();
    const yardstick = await wholeDatabase(laptop, join(directory, 'whole.dump'));
    const changed = await runMachine(laptop, 'back-up-fleet', { tenantIds: tenants });
    const unchanged = await runMachine(laptop, 'back-up-fleet', { tenantIds: tenants });
    const size = `5000 tenants, ${Math.round(bytes / 2 ** 20)} MiB`;
    const ratio = (name: string, took: number, most: number): BenchRow => ({
      name,
      value: took / yardstick.value,
      unit: size,
      yardstick,
      goal: `<= ${most}`,
      met: took / yardstick.value <= most,
    });
    return [ratio('fleet.ratio_5000', changed, 3), ratio('fleet.unchanged_ratio', unchanged, 0.4)];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/**
 * 1,000 pooled tenants of Zipf-skewed sizes, about 600 MB: the fleet's backup by its real machine, against one dump of the
 * whole database; then a slice of a hundred of the smallest alone.
 */
export const benchFleet = async (laptop: Laptop, all: readonly string[]): Promise<FleetBench> => {
  const tenants = all.slice(0, 1000);
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'));
  const client = await laptop.connect('pool');
  const { bytes } = await fillPool(client, tenants, 620_000);
  await client.end();
  const wholeDump = join(directory, 'whole.dump');
  const yardstick = await wholeDatabase(laptop, wholeDump);
  const fleet = await runMachine(laptop, 'back-up-fleet', { tenantIds: tenants });
  const again = await runMachine(laptop, 'back-up-fleet', { tenantIds: tenants });
  const changed = await laptop.connect('pool');
  const small = tenants.slice(-100);
  await changed.query('SET session_replication_role = replica');
  await changed.query('UPDATE users SET full_name = full_name || $2 WHERE tenant_id = ANY($1)', [small, ' jr']);
  await changed.end();
  const slice = await runMachine(laptop, 'back-up-fleet', { tenantIds: small });
  const size = `${tenants.length} tenants, ${Math.round(bytes / 2 ** 20)} MiB`;
  return {
    tenants,
    wholeDump: hasClient() ? wholeDump : undefined,
    dispose: () => rmSync(directory, { recursive: true, force: true }),
    rows: [
      { name: 'backup.fleet_ms', value: fleet, unit: 'ms', yardstick },
      {
        name: 'backup.fleet_ratio',
        value: fleet / yardstick.value,
        unit: size,
        yardstick,
        goal: '<= 3',
        met: fleet / yardstick.value <= 3,
      },
      {
        name: 'backup.fleet_unchanged_ratio',
        value: again / yardstick.value,
        unit: size,
        yardstick,
        goal: '<= 0.4',
        met: again / yardstick.value <= 0.4,
      },
      {
        name: 'backup.ms_per_small_tenant',
        value: slice / small.length,
        unit: 'ms',
        yardstick: { name: 'tenants in the run', value: small.length, unit: '' },
        goal: '<= 15',
        met: slice / small.length <= 15,
      },
    ],
  };
};
