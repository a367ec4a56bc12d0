import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chatTables } from '../sample-app/load.ts';
import { clientEnvironment, type FleetBench, runMachine } from './fleet.ts';
import type { Laptop } from './laptop.ts';
import type { BenchRow } from './row.ts';

/** Bytes of each tenant's rows in the pool, as the pool's own size is counted: what a tenant of 1 MB has 1 MB of. */
const bytesOf = async (laptop: Laptop, tenants: readonly string[]): Promise<{ id: string; bytes: number }[]> => {
  const client = await laptop.connect('pool');
  const sizes = chatTables.map((table) => `SELECT tenant_id, pg_column_size(t.*) AS bytes FROM ${table} t`);
  const { rows } = await client.query<{ id: string; bytes: string }>(
    `SELECT tenant_id AS id, sum(bytes) AS bytes FROM (${sizes.join(' UNION ALL ')}) r WHERE tenant_id = ANY($1) GROUP BY 1`,
    [tenants],
  );
  await client.end();
  return rows.map(({ id, bytes }) => ({ id, bytes: Number(bytes) }));
};

const nearest = (sizes: readonly { id: string; bytes: number }[], bytes: number): { id: string; bytes: number } =>
  sizes.reduce((best, one) => (Math.abs(one.bytes - bytes) < Math.abs(best.bytes - bytes) ? one : best));

/** Half of the tenant's messages and all its reactions go, as a bad release would do it. */
export const damage = async (laptop: Laptop, tenantId: string): Promise<void> => {
  const client = await laptop.connect('pool');
  await client.query('SET session_replication_role = replica');
  await client.query('DELETE FROM reactions WHERE tenant_id = $1', [tenantId]);
  await client.query("UPDATE messages SET body = 'lost' WHERE tenant_id = $1 AND id % 2 = 0", [tenantId]);
  await client.end();
};

const restoreWholePool = async (laptop: Laptop, dump: string): Promise<number> => {
  const admin = await laptop.connect('postgres');
  await admin.query('CREATE DATABASE whole');
  const started = performance.now();
  const child = spawn('pg_restore', ['-d', 'whole', '-j2', dump], {
    env: clientEnvironment(laptop, 'whole'),
    stdio: 'ignore',
  });
  await once(child, 'exit');
  const took = performance.now() - started;
  await admin.query('DROP DATABASE whole WITH (FORCE)');
  await admin.end();
  return took;
};

/** Restores one damaged tenant in place by the real machine: about 1, 10 and 50 MB of rows, median of three. */
export const benchRestores = async (laptop: Laptop, fleet: FleetBench): Promise<BenchRow[]> => {
  const sizes = await bytesOf(laptop, fleet.tenants);
  const measure = async (megabytes: number): Promise<{ took: number; bytes: number }> => {
    const { id, bytes } = nearest(sizes, megabytes * 1_000_000);
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await damage(laptop, id);
      times.push(await runMachine(laptop, 'restore-tenant', { tenantId: id, into: 'in-place', approval: 'given' }));
    }
    return { took: times.sort((a, b) => a - b)[1]!, bytes };
  };
  const small = await measure(1);
  const larger = { '10mb': await measure(10), '50mb': await measure(50) };
  const whole = fleet.wholeDump ? await restoreWholePool(laptop, fleet.wholeDump) : undefined;
  fleet.dispose();
  const yardstick =
    whole === undefined ? {} : { yardstick: { name: 'pg_restore -j2 of the whole pool', value: whole, unit: 'ms' } };
  const sizeOf = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB of rows`;
  return [
    {
      name: 'restore.tenant_ms',
      value: small.took,
      unit: `ms, ${sizeOf(small.bytes)}`,
      ...yardstick,
      goal: '< 1000',
      met: small.took < 1000,
    },
    ...Object.entries(larger).map(([suffix, { took, bytes }]) => ({
      name: `restore.tenant_ms.${suffix}`,
      value: took,
      unit: `ms, ${sizeOf(bytes)}`,
      ...yardstick,
    })),
    ...(whole === undefined
      ? []
      : [
          {
            name: 'restore.ratio',
            value: small.took / whole,
            unit: sizeOf(small.bytes),
            ...yardstick,
            goal: '<= 0.02',
            met: small.took / whole <= 0.02,
          },
        ]),
  ];
};
