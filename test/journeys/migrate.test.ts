import { createHash } from 'node:crypto';
import { DescribeTasksCommand, ECSClient, ListTasksCommand } from '@aws-sdk/client-ecs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tasksCluster } from '../../domain/deployment.ts';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { hammer } from '../load/hammer.ts';
import { checkOperations, type Load } from '../load/writers.ts';
import { openHeldSteps } from './held-steps.ts';

const steps = openHeldSteps();
let laptop: TestCloud;
let control: pg.Client;
let neighbour: string;

/** Written apart from the product's digests: a mistake there must not hide here. */
const digest = async (tenantId: string): Promise<string> => {
  const client = await homeOf(tenantId);
  const hash = createHash('sha256');
  for (const table of chatTables) {
    const { rows } = await client.query<{ row: string }>(
      `SELECT t::text AS row FROM ${table} t WHERE tenant_id = $1 ORDER BY 1`,
      [tenantId],
    );
    hash.update(rows.map(({ row }) => row).join('\n'));
  }
  return hash.digest('hex');
};

const homes = new Map<string, Promise<pg.Client>>();

/** The owner of the server on which the tenant's rows are now, in their database. */
const homeOf = async (tenantId: string): Promise<pg.Client> => {
  const { rows } = await control.query<{ host: string; port: number; database: string; secret: string | null }>(
    `SELECT r.database_host AS host, r.database_port AS port, r.database, s.secret_prefix || '/migrate' AS secret
     FROM router r JOIN placements p ON p.tenant_id = r.tenant_id AND p.active LEFT JOIN servers s ON s.id = p.server_id
     WHERE r.tenant_id = $1 LIMIT 1`,
    [tenantId],
  );
  const { secret, ...place } = rows[0]!;
  const name = `${place.host}:${place.port}/${place.database}`;
  const known = homes.get(name);
  if (known) return known;
  const opened = (async () =>
    laptop.admin(place.database, { ...place, ...(secret ? await laptop.secret(secret) : {}) }))();
  homes.set(name, opened);
  return opened;
};

const hammerHome = async (tenantId: string): Promise<Load> => hammer(laptop, tenantId, await homeOf(tenantId));

const move = async (input: object): Promise<Record<string, unknown>> => {
  const moved = await laptop.run('migrate-tenant', input);
  expect(moved, moved.cause).toMatchObject({ status: 'SUCCEEDED' });
  return JSON.parse(moved.output!) as Record<string, unknown>;
};

/** What a move makes in the databases, on every server that the laptop has. */
const leftovers = async (): Promise<unknown[]> => {
  const { rows } = await control.query(
    `SELECT slot_name::text AS name FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription`,
  );
  return rows;
};

const expectWhole = async (tenantId: string, load: Load): Promise<void> => {
  const home = await homeOf(tenantId);
  expect(await checkOperations(home, tenantId, load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
  expect(load.refused).toEqual([]);
  const { rows } = await home.query<{ last: string; highest: string }>(
    `SELECT (SELECT last_value FROM messages_id_seq) AS last, (SELECT max(id) FROM messages WHERE tenant_id = $1) AS highest`,
    [tenantId],
  );
  expect(Number(rows[0]!.last)).toBeGreaterThanOrEqual(Number(rows[0]!.highest));
  expect(await digest('globex')).toBe(neighbour);
};

const expectNotPooled = async (tenantId: string): Promise<void> => {
  const pool = await laptop.admin('pool');
  for (const table of [...chatTables, 'tenantry.tenants'])
    expect((await pool.query(`SELECT FROM ${table} WHERE tenant_id = $1`, [tenantId])).rowCount, table).toBe(0);
};

/** Families of the container tasks that have run so far, with their exit codes, in order. */
const taskEnds = async (): Promise<string[]> => {
  const { endpoint, region, credentials } = laptop.cloud;
  const ecs = new ECSClient({ endpoint, region, credentials });
  try {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster: tasksCluster, desiredStatus: 'STOPPED' }));
    if (taskArns.length === 0) return [];
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: tasksCluster, tasks: taskArns }));
    return tasks
      .toSorted((a, b) => a.createdAt!.getTime() - b.createdAt!.getTime())
      .map(({ group, containers }) => `${group!.replace(/^family:tenantry-|-task$/g, '')} ${containers![0]!.exitCode}`);
  } finally {
    ecs.destroy();
  }
};

const verificationOf = async (moveId: unknown): Promise<unknown> =>
  (await control.query<{ verification: unknown }>('SELECT verification FROM moves WHERE id = $1', [moveId])).rows[0]!
    .verification;

beforeAll(async () => {
  laptop = await startTestCloud({ interpose: steps.interpose });
  control = await laptop.admin('control');
  const pool = await laptop.admin('pool');
  for (const [seed, tenantId] of ['acme', 'globex'].entries()) {
    expect(await laptop.run('provision-tenant', { tenantId })).toMatchObject({ status: 'SUCCEEDED' });
    await loadChat(pool, { tenantId, users: 8, messages: 120, seed: seed + 1 });
  }
  neighbour = await digest('globex');
});
afterAll(() => laptop.close());

describe('a tenant that is moved while it is written to', () => {
  test('goes from the pool to a database of its own, and back with everything that was written since', async () => {
    const load = await hammerHome('acme');
    const out = await move({ tenantId: 'acme', isolation: 'database' });
    expect(out).toMatchObject({ phase: 'switched', outcome: 'succeeded' });
    await load.more(100);
    const back = await move({ tenantId: 'acme', action: 'back' });
    expect(back).toMatchObject({ phase: 'finished' });
    await load.more(50);
    await load.stop();
    expect(load.acks.length).toBeGreaterThan(150);
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
    expect((await control.query("SELECT FROM placements WHERE tenant_id = 'acme'")).rowCount).toBe(1);
    expect((await control.query("SELECT FROM pg_database WHERE datname LIKE 't_acme%'")).rowCount).toBe(0);
  });

  test('stays at its new place when its window closes, and the pool has no row of it', async () => {
    const load = await hammerHome('acme');
    expect(await move({ tenantId: 'acme', isolation: 'database', windowSeconds: 0 })).toMatchObject({
      phase: 'finished',
    });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
    await expectNotPooled('acme');
  });

  test('goes from a database of its own into tables that neighbours share', async () => {
    const load = await hammerHome('acme');
    await move({ tenantId: 'acme', isolation: 'pooled', windowSeconds: 0 });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
  });

  test('goes to a server of its own, and back with everything that was written since', {
    timeout: 120_000,
  }, async () => {
    const load = await hammerHome('acme');
    expect(await move({ tenantId: 'acme', isolation: 'server' })).toMatchObject({ phase: 'switched' });
    await load.more(100);
    expect(await move({ tenantId: 'acme', action: 'back' })).toMatchObject({ phase: 'finished' });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
    expect((await control.query('SELECT FROM servers WHERE tenant_id IS NOT NULL')).rowCount).toBe(0);
  });

  test('can be moved with its writes stopped, as announced', async () => {
    const load = await hammerHome('acme');
    await move({ tenantId: 'acme', isolation: 'database', mode: 'freeze' });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    await move({ tenantId: 'acme', isolation: 'pooled', windowSeconds: 0 });
  });
});

describe('a tenant whose rows take longer than a Lambda lives', () => {
  test('is moved by container tasks with the same stall and the same way back', async () => {
    const before = (await taskEnds()).length;
    const load = await hammerHome('acme');
    const out = await move({ tenantId: 'acme', isolation: 'database', through: 'task' });
    expect(out).toMatchObject({ phase: 'switched', outcome: 'succeeded' });
    expect(out.stallMs).toBeGreaterThan(0);
    expect(out.stallMs).toBeLessThan(5_000);
    expect(await verificationOf(out.moveId)).toMatchObject({ equal: true });
    await load.more(50);
    expect(await move({ tenantId: 'acme', action: 'back', through: 'task' })).toMatchObject({ phase: 'finished' });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
    expect((await taskEnds()).slice(before)).toEqual(['cut-over 0', 'finish-migration 0']);
  });

  test('is compared by a task of its own where the snapshots of the cut-over were lost', async () => {
    const before = (await taskEnds()).length;
    await control.query(`CREATE SEQUENCE lost_notes; CREATE FUNCTION lose_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN IF nextval('lost_notes') = 1 THEN RAISE 'the comparison is lost'; END IF; RETURN new; END $$;
      CREATE TRIGGER lose_note BEFORE UPDATE ON moves FOR EACH ROW
      WHEN (old.verification IS NULL AND new.verification IS NOT NULL) EXECUTE FUNCTION lose_note()`);
    try {
      const load = await hammerHome('acme');
      const out = await move({ tenantId: 'acme', isolation: 'database', windowSeconds: 0, through: 'task' });
      expect(out).toMatchObject({ phase: 'finished' });
      expect(await verificationOf(out.moveId)).toMatchObject({ equal: true });
      await load.more(50);
      await load.stop();
      await expectWhole('acme', load);
    } finally {
      await control.query('DROP TRIGGER lose_note ON moves; DROP FUNCTION lose_note; DROP SEQUENCE lost_notes');
    }
    expect(await leftovers()).toEqual([]);
    expect((await taskEnds()).slice(before)).toEqual([
      'cut-over 1',
      'cut-over 0',
      'verify-copy 0',
      'finish-migration 0',
    ]);
  });

  test('whose move is given up writes on at once, and a task deletes what was copied', async () => {
    const before = (await taskEnds()).length;
    const load = await hammerHome('acme');
    steps.refuse('PrepareWayBack', 'given-up', 'nobody may prepare it');
    const input = { tenantId: 'acme', isolation: 'pooled', through: 'task' };
    const given = await laptop.ended(await laptop.start('migrate-tenant', input, 'given-up'));
    expect([given.status, given.cause]).toEqual(['FAILED', expect.stringContaining('nobody may prepare it')]);
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect(await leftovers()).toEqual([]);
    await expectNotPooled('acme');
    expect((await control.query("SELECT isolation FROM placements WHERE tenant_id = 'acme'")).rows).toEqual([
      { isolation: 'database' },
    ]);
    expect((await taskEnds()).slice(before)).toEqual(['abandon-migration 0']);
  });

  test('is frozen for as long as a task needs where its move is announced', async () => {
    const before = (await taskEnds()).length;
    const load = await hammerHome('acme');
    await move({ tenantId: 'acme', isolation: 'pooled', mode: 'freeze', through: 'task' });
    await load.more(50);
    await load.stop();
    await expectWhole('acme', load);
    expect((await taskEnds()).slice(before)).toEqual(['cut-over 0', 'finish-migration 0']);
  });
});

describe('a move that does not happen', () => {
  test('a dry run says whether it would go, and changes nothing', async () => {
    expect(await move({ tenantId: 'acme', isolation: 'database', dryRun: true })).toMatchObject({ phase: 'previewed' });
    const { rows } = await control.query<{ preflight: { ok: boolean }[]; estimate: { bytes: number } }>(
      `SELECT preflight, estimate FROM moves WHERE tenant_id = 'acme' AND dry_run`,
    );
    expect(rows[0]!.preflight.every(({ ok }) => ok)).toBe(true);
    expect(rows[0]!.estimate.bytes).toBeGreaterThan(1_000);
    expect((await control.query("SELECT FROM placements WHERE tenant_id = 'acme'")).rowCount).toBe(1);
  });

  test('one without a place to go is refused with the numbers, and one without a wish is told what is missing', async () => {
    const full = await laptop.run('migrate-tenant', { tenantId: 'acme', isolation: 'database', server: 'nowhere' });
    expect(full.cause).toContain('no free place for isolation database on server nowhere');
    const vague = await laptop.run('migrate-tenant', { tenantId: 'acme' });
    expect(vague.cause).toContain('are all missing; say where to');
    const there = await laptop.run('migrate-tenant', { tenantId: 'acme', tier: 'shared' });
    expect(there.cause).toContain('tenant acme is in tier shared already');
    const late = await laptop.run('migrate-tenant', { tenantId: 'acme', action: 'back' });
    expect(late.cause).toContain('tenant acme has no open move to back');
    expect(await leftovers()).toEqual([]);
  });

  test('one whose copy cannot start leaves the tenant where it was, and nothing behind', async () => {
    const pool = await laptop.admin('pool');
    await pool.query('ALTER TABLE reactions REPLICA IDENTITY NOTHING');
    const refused = await laptop.run('migrate-tenant', { tenantId: 'acme', isolation: 'database' });
    await pool.query('ALTER TABLE reactions REPLICA IDENTITY DEFAULT');
    expect(refused.status).toBe('FAILED');
    expect(refused.cause).toContain('replica-identity');
    expect(await leftovers()).toEqual([]);
    expect((await control.query("SELECT FROM placements WHERE tenant_id = 'acme'")).rowCount).toBe(1);
    expect((await control.query("SELECT FROM leases WHERE tenant_id = 'acme' AND holder IS NOT NULL")).rowCount).toBe(
      0,
    );
  });
});
