import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { releaseTenant } from '../../../adapters/pool/release.ts';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import type { World } from '../../../adapters/world.ts';
import { handler as abandonOffboarding } from '../../../lambdas/deprovision/abandon-offboarding.ts';
import { handler as eraseTenant } from '../../../lambdas/deprovision/erase-tenant.ts';
import { handler as openOffboarding } from '../../../lambdas/deprovision/open-offboarding.ts';
import { handler as verifyGone } from '../../../lambdas/deprovision/verify-gone.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { type Laptop, startLaptop } from '../operator-api/laptop.ts';

let laptop: Laptop;
let world: World;
beforeAll(async () => {
  laptop = await startLaptop();
  world = laptop.world;
  await setUp(laptop.setUpInput, world);
});
afterAll(() => laptop.stop());

let number = 0;
let tenantId = '';
let operation = '';
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  operation = `deprovision-${tenantId}-0123456789ab`;
  const { tenants, placements, routes, operations } = world.registry;
  const signup = `provision-${tenantId}`;
  await operations.open({ id: signup, kind: 'provision-tenant', tenantId, executionArn: 'arn', input: { tenantId } });
  await tenants.claim({ id: tenantId, operation: signup, plan: 'starter', adminEmail: `ada@${tenantId}.example` });
  await placements.place({ tenantId, operation: signup, plan: 'starter' });
  await tenants.move(tenantId, { from: ['provisioning'], to: 'active', operation: signup });
  await operations.succeed(signup);
  await routes.set({ host: `${tenantId}.localhost`, tenantId, kind: 'subdomain', state: 'on' });
});

const open = (more: object = {}, id = operation) =>
  openOffboarding.run({ operation: id, execution: 'arn', tenantId, graceSeconds: 0, ...more }, world);
const failure = { step: 'TakeFinalBackup', error: 'States.TaskFailed', cause: 'the archive is full' };
const abandon = (id = operation) => abandonOffboarding.run({ operation: id, tenantId, failure }, world);
const routeStates = async () => (await world.registry.routes.of(tenantId)).map(({ state }) => state);

describe('an offboarding', () => {
  test('takes the tenant off the air, proves it gone and erases it', async () => {
    await world.registry.domains.bring(tenantId, `chat.${tenantId}.example`);
    expect(await open({ reason: 'left' })).toEqual({ tenantId, graceSeconds: 0, saved: false });
    expect(await routeStates()).toEqual(['off', 'off']);
    expect(await verifyGone.run({ operation, tenantId }, world)).toEqual({});
    expect(await eraseTenant.run({ operation, tenantId }, world)).toEqual({});
    expect(await eraseTenant.run({ operation, tenantId }, world)).toEqual({});
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'deprovisioned', adminEmail: null });
    expect(await world.registry.placements.get(tenantId)).toBeUndefined();
    expect(await world.registry.routes.of(tenantId)).toEqual([]);
    expect(await laptop.sql.query('SELECT FROM domains')).toEqual([]);
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'succeeded' });
    const { reservedUntil } = (await world.registry.tenants.get(tenantId))!;
    expect((reservedUntil!.getTime() - Date.now()) / 86_400_000).toBeCloseTo(30, 1);
  });

  test('without a grace period of its own waits a week', async () => {
    expect(await open({ graceSeconds: undefined })).toEqual({ tenantId, graceSeconds: 604_800, saved: false });
    const lease = await world.registry.leases.get(tenantId);
    expect(lease!.expiresAt.getTime()).toBeGreaterThan(Date.now() + 604_800_000);
  });

  test('is not gone while one row is left, and the refusal counts them', async () => {
    await open();
    const { fence } = await world.registry.leases.hold({ tenantId, holder: operation, seconds: 60 });
    const client = await world.databases.connect((await world.registry.cells.get('eu-1'))!, 'provision');
    await prepareTenant(client, { tenantId, profile: { name: 'Ada' }, fence });
    await expect(verifyGone.run({ operation, tenantId }, world)).rejects.toMatchObject({
      name: 'TenantStillPresent',
      message: expect.stringMatching(/public\.users 1.*tenantry\.tenants 1/),
    });
    await releaseTenant(client, { tenantId, fence });
    await client.end();
    expect(await verifyGone.run({ operation, tenantId }, world)).toEqual({});
  });

  test('of a tenant that is not there is TenantNotFound and ends as failed', async () => {
    await expect(open({ tenantId: 'nobody' })).rejects.toMatchObject({ name: 'TenantNotFound' });
    await abandonOffboarding.run({ operation, tenantId: 'nobody', failure }, world);
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'failed', tenantId: 'nobody' });
  });
});

describe('an offboarding that fails', () => {
  test('before rows were touched brings the tenant back', async () => {
    await open();
    expect(await abandon()).toEqual({
      reason: 'the archive is full',
      failedStep: 'TakeFinalBackup',
      error: 'States.TaskFailed',
    });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'active' });
    expect(await routeStates()).toEqual(['on']);
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await abandon()).toMatchObject({ reason: 'the archive is full' });
  });

  test('after rows were touched leaves the tenant off and failed', async () => {
    await open();
    await world.registry.journal.start({ operation, step: 'ReleaseDatabase', tenantId });
    await abandon();
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'failed' });
    expect(await routeStates()).toEqual(['off']);
    expect(await open({}, `${operation}-again`)).toMatchObject({ tenantId });
  });

  test('because another one is under way leaves that one alone', async () => {
    await open();
    const second = `${operation}-second`;
    await expect(open({}, second)).rejects.toMatchObject({ name: 'TenantBusy' });
    await abandon(second);
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({
      status: 'deprovisioning',
      changedBy: operation,
    });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: operation });
    expect(await routeStates()).toEqual(['off']);
  });

  test('cannot bring back a tenant that is erased', async () => {
    await open();
    await eraseTenant.run({ operation, tenantId }, world);
    expect(await abandon()).toMatchObject({ stands: { tenantId } });
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'succeeded' });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'deprovisioned' });
  });
});
