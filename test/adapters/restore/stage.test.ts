import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import { stageRestore } from '../../../adapters/restore/stage.ts';
import type { ArchiveMember } from '../../../domain/archive.ts';
import { type Bench, fillTenant, openBench, type Taken } from './restore-bench.ts';

let bench: Bench;
let live: Record<string, string>;
let neighbour: Record<string, string>;
beforeAll(async () => {
  bench = await openBench();
  for (const tenant of ['acme', 'globex']) await fillTenant(bench, tenant);
});
afterAll(() => bench.stop());
beforeEach(async () => {
  live = await bench.fingerprints('acme');
  neighbour = await bench.fingerprints('globex');
});
// Staging alone never changes a live row, of nobody.
afterEach(async () => {
  expect(await bench.fingerprints('acme')).toEqual(live);
  expect(await bench.fingerprints('globex')).toEqual(neighbour);
});

const withText = (
  taken: Taken,
  table: string,
  change: (text: string) => string,
  note: Partial<ArchiveMember> = {},
): Taken => ({
  ...taken,
  manifest: {
    ...taken.manifest,
    members: taken.manifest.members.map((member) => (member.table === table ? { ...member, ...note } : member)),
  },
  open: (member) =>
    member.table === table
      ? Readable.from([Buffer.from(change(taken.texts.get(table)!.toString()))])
      : taken.open(member),
});

describe('an archive is refused', () => {
  test('when it was taken of another tenant', async () => {
    const taken = await bench.take('globex');
    await expect(bench.begin('acme', taken)).rejects.toMatchObject({
      name: 'ForeignRows',
      message: expect.stringMatching(/is of tenant globex, not of acme/),
    });
  });

  test('when one of its rows is of another tenant, whatever its manifest says', async () => {
    const taken = await bench.take('acme');
    const forged = withText(taken, 'public.labels', (text) => text.replace('acme', 'globex'));
    await expect(bench.begin('acme', forged)).rejects.toMatchObject({
      name: 'ForeignRows',
      message: expect.stringMatching(/1 rows of public\.labels/),
    });
  });

  test('when a row is missing', async () => {
    const taken = await bench.take('acme');
    const short = withText(taken, 'public.messages', (text) => text.slice(text.indexOf('\n') + 1));
    await expect(bench.begin('acme', short)).rejects.toMatchObject({
      name: 'ArchiveDamaged',
      message: expect.stringMatching(/public\.messages .* has 24 rows instead of 25/),
    });
  });

  test('when a single letter differs', async () => {
    const taken = await bench.take('acme');
    const changed = withText(taken, 'public.messages', (text) => text.replace('message 7 of', 'message 8 of'));
    await expect(bench.begin('acme', changed)).rejects.toMatchObject({
      name: 'ArchiveDamaged',
      message: expect.stringMatching(/public\.messages .* digest/),
    });
  });

  test('when rows of two partitions changed places with one another but are not those of the snapshot', async () => {
    const taken = await bench.take('acme');
    const changed = withText(taken, 'public.activity_2026', (text) => text.replace('user ', 'User '));
    await expect(bench.begin('acme', changed)).rejects.toMatchObject({ name: 'ArchiveDamaged' });
  });

  test('when it cannot be read as rows, with the line that is wrong', async () => {
    const taken = await bench.take('acme');
    const broken = withText(taken, 'public.users', (text) => text.replace(/\t\d/, '\tx'));
    await expect(bench.begin('acme', broken)).rejects.toMatchObject({
      name: 'ArchiveDamaged',
      message: expect.stringMatching(/public\.users .* bigint/),
    });
  });

  test('when its stream breaks off, and the connection serves the next attempt', async () => {
    const taken = await bench.take('acme');
    const torn: Taken = {
      ...taken,
      open: (member) =>
        member.table === 'public.messages'
          ? Readable.from(
              (function* () {
                yield taken.texts.get(member.table)!.subarray(0, 100);
                throw new Error('SHA-256 differs');
              })(),
            )
          : taken.open(member),
    };
    await expect(bench.begin('acme', torn, { operation: 'torn' })).rejects.toThrow('SHA-256 differs');
    expect((await bench.begin('acme', taken, { operation: 'torn' })).staged.rows).toBeGreaterThan(50);
  });

  test('when no row of it is meant', async () => {
    const rows = { table: 'public.labels', where: `code = 'violet'` };
    await expect(bench.begin('acme', await bench.take('acme'), { rows })).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/no row of public\.labels .*violet/),
    });
  });
});

describe('staging', () => {
  test('is the same after a repeat, and in the way of nobody', async () => {
    const taken = await bench.take('acme');
    const first = await bench.begin('acme', taken, { operation: 'again' });
    const second = await bench.begin('acme', taken, { operation: 'again' });
    expect(second.staged).toEqual(first.staged);
    expect(second.report.digest).toBe(first.report.digest);
    const seen = await bench.pool.connect('app');
    await expect(seen.query(`SELECT FROM ${first.work.stagingSchema}.messages`)).rejects.toMatchObject({
      code: '42501',
    });
  });

  test('of an attempt that ran out of time is ended by the next one, whose rows stay its own', async () => {
    const taken = await bench.take('acme');
    const { work } = await bench.begin('acme', taken, { operation: 'stalled' });
    const zombie = await bench.pool.connect('restore');
    const stalled = stageRestore(zombie, {
      restore: work,
      manifest: taken.manifest,
      openMember: (member) =>
        member.table === 'public.users' ? new Readable({ read: () => undefined }) : taken.open(member),
      readScope,
    });
    const ended = expect(stalled).rejects.toThrow();
    await bench.awaitStaging(work.id);
    const fresh = await bench.begin('acme', taken, { operation: 'stalled' });
    await ended;
    expect(fresh.report.tables.every(({ onlyNow, onlyThen, changed }) => onlyNow + onlyThen + changed === 0)).toBe(
      true,
    );
  });

  test('that a server crash has emptied is not swapped in', async () => {
    const restoring = await bench.begin('acme', await bench.take('acme'));
    await bench.restorer.query(`TRUNCATE ${restoring.work.stagingSchema}.messages`);
    await expect(bench.swap(restoring)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/public\.messages are not what was loaded/),
    });
  });

  test('keeps two tables apart that have one name in two schemas', async () => {
    await bench.pool.master.query(`CREATE SCHEMA crm; CREATE TABLE crm.labels (tenant_id text, code text, PRIMARY KEY (tenant_id, code));
      SELECT tenantry.protect_app(); SET app.tenant_id = 'acme'; INSERT INTO crm.labels VALUES ('acme', 'in crm'); RESET app.tenant_id`);
    live = await bench.fingerprints('acme');
    neighbour = await bench.fingerprints('globex');
    const restoring = await bench.begin('acme', await bench.take('acme'), { tables: ['public.labels', 'crm.labels'] });
    expect(restoring.report.tables).toMatchObject([{ same: 2 }, { same: 1 }]);
    expect(await bench.swap(restoring)).toMatchObject({ removed: 0, inserted: 0, updated: 0 });
  });
});

describe('the login of restores', () => {
  test('is bound by row-level security even with triggers off', async () => {
    await bench.restorer.query(
      `BEGIN; SELECT set_config('app.tenant_id', 'acme', true); SET LOCAL session_replication_role = replica`,
    );
    const touched = await bench.restorer.query(`UPDATE labels SET code = 'mine' WHERE tenant_id = 'globex'`);
    await expect(bench.restorer.query(`INSERT INTO labels VALUES ('globex', 'mine')`)).rejects.toMatchObject({
      code: '42501',
    });
    await bench.restorer.query('ROLLBACK');
    expect(touched.rowCount).toBe(0);
  });
});

describe('a report', () => {
  test('shows samples of every kind by key, with the columns that differ, cut at 200 characters', async () => {
    const taken = await bench.take('acme');
    const restoring = await bench.begin('acme', taken);
    await bench.pool.master.query(`SET app.tenant_id = 'acme'; SET session_replication_role = replica;
      UPDATE gadgets SET price = 3, spec = ('"' || repeat('x', 300) || '"')::json WHERE tenant_id = 'acme' AND id = (SELECT min(id) FROM gadgets WHERE tenant_id = 'acme');
      DELETE FROM labels WHERE tenant_id = 'acme' AND code = 'red'; INSERT INTO labels SELECT 'acme', 'l' || i FROM generate_series(1, 40) i;
      RESET app.tenant_id; RESET session_replication_role`);
    live = await bench.fingerprints('acme');
    const { report } = await bench.begin('acme', taken);
    const gadgets = report.tables.find(({ table }) => table === 'public.gadgets')!;
    expect(gadgets).toMatchObject({ changed: 1, same: 4, onlyNow: 0, onlyThen: 0 });
    const [sample] = gadgets.samples;
    expect(sample?.columns?.map(({ column }) => column)).toEqual(['spec', 'price']);
    expect(sample?.columns?.[1]).toEqual({ column: 'price', now: '3', backup: '1.50' });
    expect(sample?.columns?.[0]?.now).toHaveLength(201);
    const labels = report.tables.find(({ table }) => table === 'public.labels')!;
    expect(labels).toMatchObject({ onlyNow: 40, onlyThen: 1 });
    expect(labels.samples).toHaveLength(20);
    expect(labels.samples.filter(({ kind }) => kind === 'onlyThen')).toEqual([
      { kind: 'onlyThen', key: { code: 'red' } },
    ]);
    expect(report.digest).not.toBe(restoring.report.digest);
    await bench.swap(await bench.begin('acme', taken));
    live = await bench.fingerprints('acme');
  });
});
