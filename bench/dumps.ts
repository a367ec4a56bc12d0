import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionName } from '../domain/deployment.ts';
import { clientEnvironment, copyEverything, hasClient, runMachine } from './fleet.ts';
import type { Laptop } from './laptop.ts';
import { addTenants, fillPool } from './pool.ts';
import { damage } from './restores.ts';
import type { BenchRow } from './row.ts';

/** Messages of a tenant whose rows take about 1 GB in the tables. */
const messages = 1_330_000;

const runProgram = async (
  laptop: Laptop,
  program: string,
  args: readonly string[],
  database: string,
): Promise<number> => {
  const started = performance.now();
  const child = spawn(program, args, { env: clientEnvironment(laptop, database), stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 && program === 'pg_dump') throw new Error(`${program} ended with ${code}`);
  return performance.now() - started;
};

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A process that has ended meanwhile.
    return '';
  }
};

/** Most MiB that a process of the function has held so far, by the kernel's own count; undefined where there is no /proc. */
const peakMemory = (name: string): number | undefined => {
  const peaks = read('/proc/self/status') === '' ? [] : readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  const own = peaks
    .filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(`AWS_LAMBDA_FUNCTION_NAME=${name}`))
    .map((pid) => Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024);
  return own.length > 0 ? Math.max(...own) : undefined;
};

const yardstickOf = async (
  laptop: Laptop,
  directory: string,
): Promise<{ name: string; value: number; unit: string }> => {
  if (hasClient())
    return {
      name: 'pg_dump -Fd -Z1 of the database',
      value: await runProgram(laptop, 'pg_dump', ['-Fd', '-Z1', '-f', directory], 'pool'),
      unit: 'ms',
    };
  const client = await laptop.connect('pool');
  const started = performance.now();
  await copyEverything(client);
  await client.end();
  return { name: 'raw COPY of all tables', value: performance.now() - started, unit: 'ms' };
};

const restoreWhole = async (laptop: Laptop, directory: string): Promise<number> => {
  const admin = await laptop.connect('postgres');
  await admin.query('CREATE DATABASE whole');
  const took = await runProgram(laptop, 'pg_restore', ['-d', 'whole', '-j2', directory], 'whole');
  await admin.query('DROP DATABASE whole WITH (FORCE)');
  await admin.end();
  return took;
};

/** A pooled tenant of about 1 GB, alone in its pool: dumped, and restored in place, by the real machines. */
export const benchDumps = async (laptop: Laptop): Promise<BenchRow[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'));
  const whole = join(directory, 'whole');
  try {
    await addTenants(laptop, ['large']);
    const client = await laptop.connect('pool');
    const { bytes } = await fillPool(client, ['large'], messages);
    await client.end();
    const size = `${(bytes / 1e9).toFixed(2)} GB`;
    const yardstick = await yardstickOf(laptop, whole);
    const dump = await runMachine(laptop, 'back-up-tenant', { tenantId: 'large' });
    const peak = peakMemory(functionName('DumpDatabase'));
    await damage(laptop, 'large');
    const restored = await runMachine(laptop, 'restore-tenant', {
      tenantId: 'large',
      into: 'in-place',
      approval: 'given',
    });
    const wholeRestore = hasClient()
      ? { name: 'pg_restore -j2 into an empty database', value: await restoreWhole(laptop, whole), unit: 'ms' }
      : undefined;
    return [
      { name: 'dump.large_ms', value: dump, unit: 'ms', yardstick },
      {
        name: 'dump.large_ratio',
        value: dump / yardstick.value,
        unit: size,
        yardstick,
        goal: '<= 1.1',
        met: dump / yardstick.value <= 1.1,
      },
      ...(peak === undefined
        ? []
        : [
            {
              name: 'dump.rss_mb',
              value: peak,
              unit: 'MiB',
              yardstick: { name: 'rows dumped', value: bytes / 2 ** 20, unit: 'MiB' },
            },
          ]),
      {
        name: 'restore.tenant_ms.1gb',
        value: restored,
        unit: 'ms',
        ...(wholeRestore ? { yardstick: wholeRestore } : {}),
      },
      ...(wholeRestore
        ? [{ name: 'restore.ratio.1gb', value: restored / wholeRestore.value, unit: size, yardstick: wholeRestore }]
        : []),
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
