import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../../../adapters/world.ts';
import { handler as abandonRestore } from '../../../lambdas/restore/abandon-restore.ts';
import { addBackedUpTenant, type BackedUpTenant, failure, inPlace } from './backed-up-tenant.ts';
import { type RestoreLaptop, startRestoreLaptop } from './restore-laptop.ts';

let bench: RestoreLaptop;
let world: World;
beforeAll(async () => {
  bench = await startRestoreLaptop();
  world = bench.world;
});
afterAll(() => bench.stop());

let tenantId = '';
let operation = '';
let backupId = '';
let harm: BackedUpTenant['harm'];
beforeEach(async () => {
  ({ tenantId, operation, backupId, harm } = await addBackedUpTenant(bench));
});

describe('a plan', () => {
  test('finds the backup before a time, and points to the archive that an unchanged backup shares', async () => {
    const second = await bench.backUp(tenantId);
    expect((await world.registry.backups.get(second))?.archiveId).toBe(backupId);
    const before = await bench.rows(tenantId);
    await harm();
    const asOf = new Date().toISOString();
    expect(await bench.plan(operation, { tenantId, asOf })).toMatchObject({ backupId: second, asOf });
    await bench.restore(operation, { tenantId, ...inPlace, asOf });
    expect(await bench.rows(tenantId)).toEqual(before);
  });

  test.each([
    [{ asOf: '2020-01-01' }, 'BackupNotFound', /at or before 2020-01-01T00:00:00.000Z; the first later ones are b-/],
    [{ backupId: 'b-000000000000' }, 'BackupNotFound', /no sealed backup b-000000000000/],
    [{ tables: ['mesages'] }, 'InvalidStepInput', /did you mean messages/],
    [{ rows: { table: 'messages', where: 'bdy = 1' } }, 'InvalidStepInput', /did you mean body/],
    [
      { rows: { table: 'messages', where: `sent_at > 'noon'` } },
      'InvalidStepInput',
      /sent_at is timestamp with time zone, and "noon" is not/,
    ],
    [
      { rows: { table: 'streams', where: `visibility = 'open'` } },
      'InvalidStepInput',
      /visibility is public\.stream_visibility, and "open"/,
    ],
    [{ rows: { table: 'messages', keys: [1] }, tables: ['users'] }, 'InvalidStepInput', /leave tables out/],
    [{ rows: { table: 'messages', keys: [1] }, withReferences: true }, 'InvalidStepInput', /rows are restored alone/],
    [{ action: 'swap' }, 'InvalidStepInput', /restoreId is missing/],
    [{ action: 'swap', restoreId: 'r-000000000000' }, 'RestoreNotFound', /has no restore r-000000000000/],
    [{ tenantId: 'nobody' }, 'TenantNotFound', /nobody/],
  ])('of %j is refused as %s, and ends the operation with the reason', async (input, name, why) => {
    const error = await bench.plan(operation, { tenantId, ...input }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name, message: expect.stringMatching(why) });
    const cause = JSON.stringify({ errorMessage: (error as Error).message, errorType: name });
    const failed = await abandonRestore.run(
      {
        operation,
        tenantId: 'tenantId' in input ? input.tenantId : tenantId,
        failure: { step: 'PlanRestore', error: name, cause },
      },
      world,
    );
    expect(failed).toMatchObject({ failedStep: 'PlanRestore', error: name, reason: expect.stringMatching(why) });
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'failed' });
    expect((await world.registry.leases.get(tenantId))?.holder ?? null).toBeNull();
  });

  test('of one table takes along what its rows refer to, when asked to, and says so before anything is loaded', async () => {
    const before = await bench.rows(tenantId);
    await bench.as(tenantId, `DELETE FROM reactions; DELETE FROM messages; UPDATE users SET full_name = 'lost'`);
    await expect(bench.restore('alone', { tenantId, ...inPlace, tables: ['reactions'] })).rejects.toMatchObject({
      name: 'BrokenReferences',
    });
    await abandonRestore.run({ operation: 'alone', tenantId, failure }, world);
    const asked = { tenantId, ...inPlace, tables: ['reactions'], withReferences: true };
    const { restoreId, tables, warnings } = await bench.plan(operation, asked);
    expect(tables).toEqual(['realms', 'users', 'streams', 'messages', 'reactions'].map((name) => `public.${name}`));
    expect(warnings).toContain(
      'public.messages is restored too: public.reactions (tenant_id, message_id) refers to it',
    );
    expect(await bench.schemas()).not.toContain((await world.registry.restores.get(restoreId))!.stagingSchema);
    await bench.restore(operation, asked);
    const after = await bench.rows(tenantId);
    for (const table of ['realms', 'users', 'streams', 'messages', 'reactions'])
      expect(after[table]).toBe(before[table]);
  });

  test('of a tenant whose app got one table and lost another since leaves the one and names both', async () => {
    const master = await bench.connect('migrate');
    const made = (name: string): string =>
      `CREATE TABLE ${name} (tenant_id text NOT NULL, id int NOT NULL, PRIMARY KEY (tenant_id, id))`;
    await master.query(made('lost'));
    await bench.as(tenantId, `INSERT INTO lost VALUES ('${tenantId}', 1)`);
    const older = await bench.backUp(tenantId);
    const before = await bench.rows(tenantId);
    await master.query(`DROP TABLE lost; ${made('gained')}`);
    await bench.as(tenantId, `INSERT INTO gained VALUES ('${tenantId}', 7)`);
    await harm();
    const asked = { tenantId, ...inPlace, backupId: older };
    for (const [name, table, why] of [
      ['RestoreRefused', 'lost', /public\.lost was dropped since backup/],
      ['RestoreRefused', 'gained', /does not know public\.gained: added after it was taken/],
    ] as const)
      await expect(bench.plan(operation, { ...asked, tables: [table] })).rejects.toMatchObject({
        name,
        message: expect.stringMatching(why),
      });
    expect((await bench.plan(operation, asked)).warnings).toEqual([
      'public.gained was added after the backup: stays as it is',
      'public.lost was dropped since the backup: not restored',
    ]);
    await bench.restore(operation, asked);
    expect(await bench.rows(tenantId)).toEqual(before);
    expect((await master.query('SELECT id FROM gained')).rows).toEqual([{ id: 7 }]);
    await master.query('DROP TABLE gained');
  });

  test('of rows by key brings those back alone', async () => {
    const before = await bench.rows(tenantId);
    await harm();
    const client = await bench.connect('migrate');
    const { rows } = await client.query<{ id: string }>(`SELECT min(id) AS id FROM messages WHERE tenant_id = $1`, [
      tenantId,
    ]);
    const result = await bench.restore(operation, {
      tenantId,
      ...inPlace,
      rows: { table: 'messages', keys: [Number(rows[0]!.id)] },
    });
    expect(result).toMatchObject({ removed: 0, inserted: 0, updated: 1 });
    expect(before.messages?.split('\n').filter((line) => !line.includes('gone'))).toContain(
      (await bench.rows(tenantId)).messages?.split('\n').find((line) => !line.includes('gone')),
    );
  });

  test('while another operation holds the tenant is TenantBusy', async () => {
    await world.registry.leases.hold({ tenantId, holder: 'somebody', seconds: 60 });
    await expect(bench.plan(operation, { tenantId })).rejects.toMatchObject({ name: 'TenantBusy' });
  });
});
