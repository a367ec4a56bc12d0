import { pipeline } from 'node:stream/promises';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { registryRoutes } from '../app-kit/registry.ts';
import { secretsManagerLogins } from '../app-kit/secrets.ts';
import { checkOperations, type Load, longestGap, prepareWriters, startWriters } from '../test/load/writers.ts';
import { runMachine } from './fleet.ts';
import type { Laptop } from './laptop.ts';
import type { BenchRow } from './row.ts';
import { addSecondServer, type SecondServer } from './second-server.ts';

const sizes = [
  { suffix: '10mb', megabytes: 10 },
  { suffix: '200mb', megabytes: 200 },
  { suffix: '1gb', megabytes: 1_000 },
] as const;

/** Half of it attachments of 64 KiB, half messages with what hangs on them. As superuser: only the filling. */
const fill = async (client: pg.Client, tenantId: string, megabytes: number): Promise<void> => {
  await client.query('SET session_replication_role = replica');
  await client.query(
    `INSERT INTO messages (tenant_id, stream_id, sender_id, body)
     SELECT $1, s.id, u.id, md5(i::text) || repeat(' some words that were said before', 10)
     FROM (SELECT min(id) AS id FROM streams WHERE tenant_id = $1) s, (SELECT min(id) AS id FROM users WHERE tenant_id = $1) u,
       generate_series(1, $2::int) i`,
    [tenantId, megabytes * 1_000],
  );
  await client.query(
    `INSERT INTO attachments (tenant_id, message_id, file_name, content)
     SELECT $1, m.id, 'file ' || i, (SELECT string_agg(decode(md5(random()::text || i || j), 'hex'), '') FROM generate_series(1, 4096) j)
     FROM (SELECT min(id) AS id FROM messages WHERE tenant_id = $1) m, generate_series(1, $2::int) i`,
    [tenantId, Math.round(megabytes * 8)],
  );
  await client.query('RESET session_replication_role');
  await client.query('ANALYZE');
};

const copied = ['users', 'streams', 'messages', 'attachments', 'reactions', 'audit_trail'];

/** The yardstick of a copy: the tenant's rows of every large table, one COPY piped into another, between the same servers. */
const rawCopy = async (from: pg.Client, server: SecondServer, tenantId: string): Promise<number> => {
  const admin = await server.connect('postgres');
  await admin.query('CREATE DATABASE raw_copy TEMPLATE tn_ready');
  const into = await server.connect('raw_copy');
  await into.query('SET session_replication_role = replica');
  const started = performance.now();
  for (const table of copied) {
    const { rows } = await from.query<{ columns: string }>(
      `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
      [table],
    );
    const { columns } = rows[0]!;
    await pipeline(
      from.query(copyTo(`COPY (SELECT ${columns} FROM ${table} WHERE tenant_id = '${tenantId}') TO STDOUT`)),
      into.query(copyFrom(`COPY ${table} (${columns}) FROM STDIN`)),
    );
  }
  const took = performance.now() - started;
  await into.end();
  await admin.query('DROP DATABASE raw_copy WITH (FORCE)');
  await admin.end();
  return took;
};

interface Steps {
  readonly copyMs: number;
  readonly switchFrom: number;
  readonly switchTo: number;
}

const stepsOf = async (control: pg.Client, tenantId: string): Promise<Steps> => {
  const { rows } = await control.query<{ step: string; started_at: Date; ended_at: Date }>(
    `SELECT step, started_at, ended_at FROM steps WHERE status = 'succeeded' AND operation_id =
       (SELECT operation_id FROM moves WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 1)`,
    [tenantId],
  );
  const of = (name: string) => rows.filter(({ step }) => step === name);
  const cutOver = of('CutOver')[0]!;
  const [copy, awaited] = [of('StartCopy')[0], of('AwaitCopy').at(-1)];
  return {
    copyMs: copy && awaited ? awaited.ended_at.getTime() - copy.started_at.getTime() : Number.NaN,
    switchFrom: cutOver.started_at.getTime() - performance.timeOrigin,
    switchTo: cutOver.ended_at.getTime() - performance.timeOrigin,
  };
};

interface Moved {
  readonly stallMs: number;
  readonly copyMs: number;
  readonly rawMs: number;
  readonly perSecond: number;
  readonly lost: number;
  readonly duplicated: number;
}

interface Parts {
  readonly laptop: Laptop;
  readonly server: SecondServer;
  readonly control: pg.Client;
  readonly pool: pg.Client;
  readonly load: (tenantId: string) => Promise<Load & { readonly end: () => Promise<void> }>;
}

const home = async ({ laptop, server, control }: Parts, tenantId: string): Promise<pg.Client> => {
  const { rows } = await control.query<{ port: number; database: string }>(
    'SELECT database_port AS port, database FROM router WHERE tenant_id = $1 LIMIT 1',
    [tenantId],
  );
  const { port, database } = rows[0]!;
  return port === laptop.cloud.postgres.port ? laptop.connect(database) : server.connect(database);
};

const moveUnderLoad = async (
  parts: Parts,
  { suffix, megabytes }: (typeof sizes)[number],
  mode: 'live' | 'freeze',
): Promise<Moved> => {
  const { laptop, server, control, pool } = parts;
  const tenantId = `${mode}-${suffix}`;
  await runMachine(laptop, 'provision-tenant', { tenantId });
  await fill(pool, tenantId, megabytes);
  const rawMs = mode === 'live' ? await rawCopy(pool, server, tenantId) : Number.NaN;
  await prepareWriters(pool, tenantId, 6);
  const load = await parts.load(tenantId);
  const from = { at: performance.now(), acks: load.acks.length };
  await load.more(1_000);
  const perSecond = ((load.acks.length - from.acks) / (performance.now() - from.at)) * 1_000;
  await runMachine(laptop, 'migrate-tenant', { tenantId, isolation: 'database', server: server.id, mode });
  await load.more(200);
  await load.end();
  const { copyMs, switchFrom, switchTo } = await stepsOf(control, tenantId);
  const there = await home(parts, tenantId);
  const { lost, duplicated } = await checkOperations(there, tenantId, load);
  await there.end();
  if (mode === 'live') await runMachine(laptop, 'migrate-tenant', { tenantId, action: 'finish' });
  await runMachine(laptop, 'deprovision-tenant', { tenantId, graceSeconds: 0 });
  const stallMs = longestGap(load.acks, switchFrom, switchTo);
  return { stallMs, copyMs, rawMs, perSecond, lost: lost.length, duplicated: duplicated.length };
};

const openParts = async (laptop: Laptop): Promise<Parts> => {
  const { cloud } = laptop;
  const secrets = new SecretsManagerClient({
    endpoint: cloud.endpoint,
    region: cloud.region,
    credentials: cloud.credentials,
  });
  const logins = secretsManagerLogins(secrets);
  const { host, port } = cloud.postgres;
  return {
    laptop,
    server: await addSecondServer(laptop),
    control: await laptop.connect('control'),
    pool: await laptop.connect('pool'),
    load: async (tenantId) => {
      const routes = registryRoutes({ host, port, database: 'control', secretId: 'tenantry/registry/router' }, logins);
      const read = async () => (await routes.byTenant(tenantId))!;
      const load = startWriters({ board: { read }, app: logins, writers: 6, pause: 1, deadline: 120_000 });
      return {
        ...load,
        end: async () => {
          await load.stop();
          await routes.close();
        },
      };
    },
  };
};

const liveRows = (moved: readonly (readonly [string, Moved])[]): BenchRow[] => {
  const stalls = moved.map(([, { stallMs }]) => stallMs);
  const [, largest] = moved.at(-1)!;
  const growth = stalls.at(-1)! / stalls[0]!;
  const sum = (of: (one: Moved) => number): number => moved.reduce((total, [, one]) => total + of(one), 0);
  return [
    ...moved.map(([suffix, { stallMs, perSecond }]) => ({
      name: `move.stall_ms.${suffix}`,
      value: stallMs,
      unit: 'ms',
      yardstick: { name: 'acknowledged transactions before the move', value: perSecond, unit: '/s (>= 400)' },
      goal: '<= 100',
      met: stallMs <= 100 && perSecond >= 400,
    })),
    { name: 'move.stall_growth', value: growth, unit: 'x, 1 GB over 10 MB', goal: '<= 1.5', met: growth <= 1.5 },
    {
      name: 'move.copy_ratio',
      value: largest.rawMs / largest.copyMs,
      unit: 'x',
      yardstick: { name: 'raw COPY of 1 GB between the same servers', value: largest.rawMs, unit: 'ms' },
      goal: '>= 0.8',
      met: largest.rawMs / largest.copyMs >= 0.8,
    },
    { name: 'move.lost', value: sum(({ lost }) => lost), unit: '', goal: '0', met: sum(({ lost }) => lost) === 0 },
    {
      name: 'move.duplicated',
      value: sum(({ duplicated }) => duplicated),
      unit: '',
      goal: '0',
      met: sum(({ duplicated }) => duplicated) === 0,
    },
  ];
};

/** Tenants of 10 MB, 200 MB and 1 GB go from the pool to another server while six writers hammer them; frozen, for contrast. */
export const benchMoves = async (laptop: Laptop): Promise<BenchRow[]> => {
  const parts = await openParts(laptop);
  try {
    const live: (readonly [string, Moved])[] = [];
    for (const size of sizes) live.push([size.suffix, await moveUnderLoad(parts, size, 'live')]);
    const frozen: BenchRow[] = [];
    for (const size of sizes) {
      const { stallMs } = await moveUnderLoad(parts, size, 'freeze');
      const [, same] = live.find(([suffix]) => suffix === size.suffix)!;
      frozen.push({
        name: `freeze.stall_ms.${size.suffix}`,
        value: stallMs,
        unit: 'ms',
        yardstick: { name: 'the same move live', value: same.stallMs, unit: 'ms' },
      });
    }
    return [...liveRows(live), ...frozen];
  } finally {
    await parts.control.end();
    await parts.pool.end();
    await parts.server.stop();
  }
};
