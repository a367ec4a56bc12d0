import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { preflight } from '../../../adapters/replication/preflight.ts';
import { type Finding, moveMode, preflightChecks } from '../../../domain/move.ts';
import { leftovers, sidesOf } from './move-bench.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

let server: TestServer;
let source: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  server = await openServer();
  [source, target] = [await server.database('pool'), await server.database('acme')];
  await source.addTenant('acme', 300);
  await source.addTenant('globex', 20);
});
afterAll(() => server?.stop());

const look = () => preflight({ ...sidesOf({ source, target }), tenantId: 'acme' });

const broken = async (): Promise<readonly Finding[]> => (await look()).findings.filter(({ ok }) => !ok);

/** What is not well while something is broken, and that all is well again. */
const whileBroken = async (place: TestDatabase, breaking: string, mending: string): Promise<readonly Finding[]> => {
  await place.look(breaking);
  try {
    return await broken();
  } finally {
    await place.look(mending);
  }
};

test('a sound tenant passes every check, and the probes leave nothing behind', async () => {
  const { findings, estimate } = await look();
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(findings.map(({ check }) => check).toSorted()).toEqual([...preflightChecks].toSorted());
  expect(estimate.tables.find(({ table }) => table === 'public.messages')).toMatchObject({ rows: 300 });
  expect(estimate.bytes).toBeGreaterThan(40_000);
  expect(await leftovers(source)).toEqual([]);
});

test('before its target is made a tenant is looked at alone', async () => {
  const { findings } = await preflight({ source: source.side, tenantId: 'acme' });
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(findings.map(({ check }) => check)).not.toContain('schema');
});

describe('a live move is refused, a freeze is not', () => {
  test.each([
    [
      'a login that row-level security binds, whose copy would be empty',
      'ALTER ROLE tenantry_replicate NOBYPASSRLS',
      'ALTER ROLE tenantry_replicate BYPASSRLS',
      { privileges: /row-level security binds tenantry_replicate/ },
    ],
    [
      'a leaf without replica identity, whose updates would fail for every tenant',
      'ALTER TABLE activity_2026 REPLICA IDENTITY NOTHING',
      'ALTER TABLE activity_2026 REPLICA IDENTITY DEFAULT',
      { 'replica-identity': /source: public\.activity_2026 has REPLICA IDENTITY NOTHING/ },
    ],
    [
      'a table with REPLICA IDENTITY FULL',
      'ALTER TABLE messages REPLICA IDENTITY FULL',
      'ALTER TABLE messages REPLICA IDENTITY DEFAULT',
      { 'replica-identity': /source: public\.messages has REPLICA IDENTITY FULL/ },
    ],
    [
      'an identity that lacks tenant_id',
      'CREATE UNIQUE INDEX attachment_ids ON attachments (id); ALTER TABLE attachments REPLICA IDENTITY USING INDEX attachment_ids',
      'ALTER TABLE attachments REPLICA IDENTITY DEFAULT; DROP INDEX attachment_ids',
      {
        'replica-identity': /the key of public\.attachments lacks tenant_id/,
        schema: /attachment_ids/,
        publication: /./,
      },
    ],
  ])('%s', async (_, breaking, mending, wanted) => {
    const found = await whileBroken(source, breaking, mending);
    for (const [check, words] of Object.entries(wanted)) {
      const one = found.find((finding) => finding.check === check);
      expect(one?.detail).toMatch(words);
      expect(one?.fix).toBeTruthy();
    }
    if (!('schema' in wanted)) expect(moveMode(found)).toBe('freeze');
    expect(await broken()).toEqual([]);
  });
});

describe('no move at all is allowed', () => {
  test('between different schemas, and the differing lines are shown', async () => {
    const found = await whileBroken(
      target,
      `ALTER TABLE messages ADD COLUMN by_hand text; ALTER TYPE stream_visibility ADD VALUE 'secret'`,
      'ALTER TABLE messages DROP COLUMN by_hand',
    );
    const schema = found.find(({ check }) => check === 'schema');
    expect(schema?.detail).toContain('only the target has column public.messages.by_hand text');
    expect(schema?.detail).toContain(`'secret'`);
    expect(moveMode(found)).toBe('none');
    await source.look(`ALTER TYPE stream_visibility ADD VALUE 'secret'`);
    expect(await broken()).toEqual([]);
  });

  test.each([
    [
      'with large objects, which belong to no tenant',
      () => source,
      'SELECT lo_create(4711)',
      'SELECT lo_unlink(4711)',
      'large-objects',
      /1 large objects/,
    ],
    [
      'when reference rows differ under one key',
      () => target,
      `UPDATE emoji_catalogue SET glyph = 'X' WHERE code = 'tada'`,
      `UPDATE emoji_catalogue SET glyph = '🎉' WHERE code = 'tada'`,
      'reference-rows',
      /1 rows of public\.emoji_catalogue differ/,
    ],
    [
      'while a fence trigger is off, so that writes would pass the fence',
      () => source,
      `SET session_replication_role = 'replica'; ALTER TABLE users DISABLE TRIGGER tenantry_fence`,
      'ALTER TABLE users ENABLE TRIGGER tenantry_fence',
      'fence',
      /source: public\.users has no fence trigger/,
    ],
    [
      'while another move of the tenant is open',
      () => source,
      `INSERT INTO tenantry.moves VALUES ('m-000000000001', 'acme', 'copying')`,
      'DELETE FROM tenantry.moves',
      'other-moves',
      /m-000000000001 of this tenant is copying on the source/,
    ],
    [
      'while the target serves the tenant',
      () => target,
      `INSERT INTO tenantry.tenants (tenant_id) VALUES ('acme')`,
      'DELETE FROM tenantry.tenants',
      'target',
      /acme is open on the target/,
    ],
    [
      'while the source does not serve the tenant',
      () => source,
      `UPDATE tenantry.tenants SET state = 'moved' WHERE tenant_id = 'acme'`,
      `UPDATE tenantry.tenants SET state = 'open' WHERE tenant_id = 'acme'`,
      'tenant',
      /acme is moved on the source/,
    ],
    [
      'over objects that belong to no move',
      () => source,
      'CREATE PUBLICATION tn_move_0123456789ab_out',
      'DROP PUBLICATION tn_move_0123456789ab_out',
      'other-moves',
      /publication tn_move_0123456789ab_out on the source belongs to no living move/,
    ],
  ])('%s', async (_, place, breaking, mending, check, words) => {
    const found = await whileBroken(place(), breaking, mending);
    expect(found.find((finding) => finding.check === check)?.detail).toMatch(words);
    expect(moveMode(found)).toBe('none');
    expect(await broken()).toEqual([]);
  });

  test('when keys of the tenant belong to a neighbour on the target', async () => {
    const index = 'CREATE UNIQUE INDEX stream_names ON streams (name)';
    await target.addTenant('initech', 5);
    for (const place of [source, target]) {
      await place.look(`SET session_replication_role = 'replica'; UPDATE streams SET name = name || tenant_id`);
      await place.look(index);
    }
    await target.look(`SET session_replication_role = 'replica'; UPDATE streams SET name = 'generalacme'`);
    const found = (await broken()).find(({ check }) => check === 'id-spaces');
    expect(found).toMatchObject({
      blocks: 'both',
      detail: '1 keys (name) of public.streams belong to other tenants on the target',
    });
    for (const place of [source, target]) await place.look('DROP INDEX stream_names');
  });
});

test('too little disk is told where it is known', async () => {
  const { findings } = await preflight({ ...sidesOf({ source, target }), tenantId: 'acme', freeBytes: 1_000 });
  expect(findings.find(({ check }) => check === 'disk')).toMatchObject({ ok: false, blocks: 'both' });
});

describe('a server is told that', () => {
  const detail = async (check: string, extra: object = {}): Promise<string | undefined> => {
    const { findings } = await preflight({ ...sidesOf({ source, target }), tenantId: 'acme', ...extra });
    const found = findings.find((finding) => finding.check === check);
    if (found && !found.ok) expect(found.blocks).toBe('live');
    return found?.ok ? undefined : found?.detail;
  };

  test('has a transaction that has been writing for long, because no slot can be made', async () => {
    const writer = await source.login('provision');
    await writer.query('BEGIN');
    await writer.query(`SELECT set_config('app.tenant_id', 'acme', true)`);
    await writer.query(`INSERT INTO audit_trail (tenant_id, action) VALUES ('acme', 'slow')`);
    expect(await detail('oldest-transaction', { longestWrite: 0 })).toMatch(/a transaction has been writing/);
    expect(await detail('oldest-transaction')).toBeUndefined();
    await writer.query('ROLLBACK');
    expect(await detail('oldest-transaction', { longestWrite: 0 })).toBeUndefined();
  });

  test('has too few slots left for a move', async () => {
    const names = `SELECT 'full_' || i AS name FROM generate_series(1, current_setting('max_replication_slots')::int - 3) i`;
    await source.look(`SELECT pg_create_physical_replication_slot(name) FROM (${names}) x`);
    expect(await detail('capacity')).toMatch(/max_replication_slots has 3 left, a move needs 4/);
    await source.look(`SELECT pg_drop_replication_slot(name) FROM (${names}) x`);
    expect(await detail('capacity')).toBeUndefined();
  });

  test('does not write the log that replication reads', async () => {
    const plain = await openServer({ extra: { wal_level: 'replica', max_replication_slots: '4' } });
    try {
      const other = await plain.database('plain');
      const { findings } = await preflight({ source: source.side, target: other.side, tenantId: 'acme' });
      const broken = findings.filter(({ ok }) => !ok);
      expect(broken.find(({ check }) => check === 'wal-level')?.detail).toBe('target: wal_level is replica');
    } finally {
      await plain.stop();
    }
  });
});
