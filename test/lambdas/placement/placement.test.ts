import { afterAll, beforeAll, expect, test } from 'vitest';
import { findTenant } from '../../../adapters/pool/tenant.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as releaseDatabase } from '../../../lambdas/placement/release-database.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

let laptop: BackupLaptop;
beforeAll(async () => {
  laptop = await startBackupLaptop();
});
afterAll(() => laptop.stop());

const inPool = async (tenantId: string) => {
  const { databases, registry } = laptop.world;
  const client = await databases.connect((await registry.cells.get('eu-1'))!, 'provision');
  try {
    return await findTenant(client, tenantId);
  } finally {
    await client.end();
  }
};
const place = async (operation: string, tenantId: string): Promise<void> => {
  await claimTenant.run(
    { operation, execution: 'arn', tenantId, name: 'Acme', adminEmail: 'ann@acme.example' },
    laptop.world,
  );
  await placeTenant.run({ operation, tenantId }, laptop.world);
};

test('a placed tenant gets its rows in the pool under the fence of its lease, twice is once', async () => {
  await place('op-1', 'acme');
  const prepared = { cell: 'eu-1', database: 'pool' };
  expect(await prepareDatabase.run({ operation: 'op-1', tenantId: 'acme' }, laptop.world)).toEqual(prepared);
  expect(await prepareDatabase.run({ operation: 'op-1', tenantId: 'acme' }, laptop.world)).toEqual(prepared);
  const lease = await laptop.world.registry.leases.get('acme');
  expect(await inPool('acme')).toMatchObject({ state: 'open', fence: lease?.fence });
});

test('a tenant without a place is not prepared', async () => {
  await claimTenant.run({ operation: 'op-2', execution: 'arn', tenantId: 'nowhere' }, laptop.world);
  await expect(prepareDatabase.run({ operation: 'op-2', tenantId: 'nowhere' }, laptop.world)).rejects.toMatchObject({
    name: 'TenantNotReady',
  });
});

test('a release deletes what was prepared, and again there is nothing left', async () => {
  await place('op-3', 'globex');
  await prepareDatabase.run({ operation: 'op-3', tenantId: 'globex' }, laptop.world);
  expect(await releaseDatabase.run({ operation: 'op-3', tenantId: 'globex' }, laptop.world)).toEqual({
    rows: 3,
    isolation: 'pooled',
    rowsStay: false,
  });
  expect(await releaseDatabase.run({ operation: 'op-3', tenantId: 'globex' }, laptop.world)).toEqual({
    rows: 0,
    isolation: 'pooled',
    rowsStay: false,
  });
  expect(await inPool('globex')).toBeUndefined();
});

test('a release of a tenant that was never placed has nothing to do', async () => {
  expect(await releaseDatabase.run({ operation: 'op-4', tenantId: 'never' }, laptop.world)).toEqual({
    rows: 0,
    isolation: 'pooled',
    rowsStay: false,
  });
});

test('a step that comes late, after another operation took the tenant over, changes nothing in the pool', async () => {
  await place('op-5', 'initech');
  await prepareDatabase.run({ operation: 'op-5', tenantId: 'initech' }, laptop.world);
  // A new holder with a larger fence was in the database; the old lease is then given back by hand.
  const { leases } = laptop.world.registry;
  await leases.release({ tenantId: 'initech', holder: 'op-5' });
  await leases.hold({ tenantId: 'initech', holder: 'op-6', seconds: 60 });
  await expect(releaseDatabase.run({ operation: 'op-5', tenantId: 'initech' }, laptop.world)).rejects.toMatchObject({
    name: 'TenantBusy',
  });
  expect(await inPool('initech')).toMatchObject({ state: 'open' });
});
