import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openWorld, type World } from '../../../adapters/world.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { handler as releaseTenant } from '../../../lambdas/provision/release-tenant.ts';
import { startTestRegistry, type TestRegistry } from '../../adapters/registry/database.ts';

let control: TestRegistry;
let world: World;
beforeAll(async () => {
  control = await startTestRegistry(20);
  // Nothing but the registry can be reached: the other members throw when they are touched, for want of environment.
  world = Object.create(openWorld({}), { registry: { value: control.registry } }) as World;
});
afterAll(() => control.stop());

let number = 0;
let tenantId = '';
let operation = '';
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  operation = `provision-${tenantId}-0123456789ab`;
  await control.addCell('eu-1', 1_000);
});

const claim = (more: object = {}) =>
  claimTenant.run({ operation, execution: `arn:execution:${operation}`, tenantId, ...more }, world);
const failure = { step: 'PlaceTenant', error: 'NoCapacity', cause: '{"errorType":"NoCapacity","errorMessage":"full"}' };
const release = (more: object = {}) => releaseTenant.run({ operation, tenantId, failure, ...more }, world);

describe('a signup', () => {
  test('goes from claim to a reachable, active tenant and ends its operation and lease', async () => {
    expect(await claim({ plan: 'pro', customDomain: `chat.${tenantId}.example` })).toEqual({ tenantId, plan: 'pro' });
    expect(await placeTenant.run({ operation, tenantId, tier: 'shared' }, world)).toEqual({
      cell: 'eu-1',
      tier: 'shared',
      isolation: 'pooled',
      placementId: (await world.registry.placements.get(tenantId))!.id,
      rule: '(asked for)',
      why: 'tier shared was asked for',
    });
    const active = await activateTenant.run({ operation, tenantId }, world);
    expect(active).toEqual({
      tenantId,
      plan: 'pro',
      tier: 'shared',
      isolation: 'pooled',
      cell: 'eu-1',
      url: `http://${tenantId}.localhost`,
    });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'active', tier: 'shared' });
    expect(await world.registry.routes.of(tenantId)).toMatchObject([
      { host: `${tenantId}.localhost`, kind: 'subdomain', state: 'on' },
      { host: `chat.${tenantId}.example`, kind: 'custom', state: 'off' },
    ]);
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'succeeded', outcome: active });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect((await world.registry.journal.list(operation)).map(({ step, status }) => `${step} ${status}`)).toEqual([
      'ClaimTenant succeeded',
      'PlaceTenant succeeded',
      'ActivateTenant succeeded',
    ]);
  });

  test('whose every step is delivered twice ends the same', async () => {
    expect(await claim()).toEqual(await claim());
    const place = () => placeTenant.run({ operation, tenantId }, world);
    expect(await place()).toEqual(await place());
    const activate = () => activateTenant.run({ operation, tenantId }, world);
    expect(await activate()).toEqual(await activate());
    expect(await world.registry.cells.get('eu-1')).toMatchObject({ used: 2 });
  });

  test('has no late step: after its end a claim or a placement of it is stale and changes nothing', async () => {
    await claim();
    await placeTenant.run({ operation, tenantId }, world);
    await activateTenant.run({ operation, tenantId }, world);
    await expect(claim()).rejects.toMatchObject({ name: 'StaleOperation' });
    await expect(placeTenant.run({ operation, tenantId }, world)).rejects.toMatchObject({ name: 'StaleOperation' });
    expect(await release()).toMatchObject({ stands: { tenantId, url: expect.any(String) } });
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'succeeded' });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'active' });
  });

  test('of one slug by fifty operations at once has one winner; the losers leave a failed operation and nothing else', async () => {
    const operations = Array.from({ length: 50 }, (_, n) => `provision-${tenantId}-${n}`);
    const outcomes = await Promise.allSettled(
      operations.map((id) => claimTenant.run({ operation: id, execution: 'arn', tenantId }, world)),
    );
    const losers = operations.filter((_, n) => outcomes[n]?.status === 'rejected');
    expect(losers).toHaveLength(49);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'TenantExists' });
    const exists = { step: 'ClaimTenant', error: 'TenantExists', cause: '' };
    for (const id of losers) await releaseTenant.run({ operation: id, tenantId, failure: exists }, world);
    const tenant = await world.registry.tenants.get(tenantId);
    expect(tenant).toMatchObject({ status: 'provisioning' });
    expect(losers).not.toContain(tenant?.claimedBy);
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: tenant?.claimedBy, fence: 1 });
  });
});

describe('the place of a signup', () => {
  beforeEach(() => control.registry.clusters.upsert({ id: 'k-1', cell: 'eu-1', region: 'eu-central-1', capacity: 50 }));
  const place = (more: object = {}) => placeTenant.run({ operation, tenantId, ...more }, world);

  test('is decided by the rules from what the tenant told: requirements give it a namespace of its own', async () => {
    await claim({ plan: 'pro', compliance: ['hipaa'], users: 12, residency: 'eu-central-1' });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({
      compliance: ['hipaa'],
      users: 12,
      residency: 'eu-central-1',
    });
    expect(await place()).toMatchObject({ tier: 'namespace', isolation: 'pooled', rule: 'compliance' });
    expect(await world.registry.placements.get(tenantId)).toMatchObject({
      cluster: { id: 'k-1' },
      namespace: expect.stringMatching(`^t-${tenantId}-[0-9a-f]{6}$`),
    });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ tier: 'namespace', isolation: 'pooled' });
  });

  test('is refused by a plan that does not allow what was asked for, before the name is taken', async () => {
    await expect(claim({ plan: 'pro', tier: 'cluster' })).rejects.toMatchObject({
      name: 'PlanForbids',
      message: expect.stringContaining('plan pro does not allow tier cluster; it allows shared, namespace'),
    });
    expect(await world.registry.tenants.get(tenantId)).toBeUndefined();
    await claim({ plan: 'pro' });
    await expect(place({ isolation: 'server' })).rejects.toMatchObject({ name: 'PlanForbids' });
    expect(await place({ isolation: 'server', force: true, reason: 'a trial' })).toMatchObject({ isolation: 'server' });
  });

  test('is in the region that its data must not leave, or nowhere; a mere preference falls back', async () => {
    await claim({ residency: 'mars-1' });
    await expect(place()).rejects.toMatchObject({ name: 'NoCapacity', message: expect.stringContaining('mars-1') });
    const other = `${tenantId}-too`;
    const second = { operation: `${operation}-too`, tenantId: other };
    await claimTenant.run({ ...second, execution: 'arn', region: 'mars-1' }, world);
    expect(await placeTenant.run(second, world)).toMatchObject({ cell: 'eu-1' });
  });
});

describe('a signup that fails', () => {
  test('gives slug, capacity and lease back and keeps the reason', async () => {
    const used = (await world.registry.cells.get('eu-1'))!.used;
    await claim();
    await placeTenant.run({ operation, tenantId }, world);
    expect(await release()).toEqual({ reason: 'full', failedStep: 'PlaceTenant', error: 'NoCapacity' });
    expect(await world.registry.tenants.get(tenantId)).toBeUndefined();
    expect(await world.registry.cells.get('eu-1')).toMatchObject({ used });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await world.registry.operations.get(operation)).toMatchObject({
      status: 'failed',
      reason: 'full',
      failedStep: 'PlaceTenant',
      error: 'NoCapacity',
    });
    expect(await release()).toMatchObject({ reason: 'full' });
    operation = `${operation}-second`;
    expect(await claim()).toMatchObject({ tenantId });
  });

  test('keeps the slug when its placement could not be taken down', async () => {
    await claim();
    await placeTenant.run({ operation, tenantId }, world);
    await release({ placementReleased: false });
    expect(await world.registry.tenants.get(tenantId)).toMatchObject({ status: 'failed' });
    operation = `${operation}-second`;
    await expect(claim()).rejects.toMatchObject({ name: 'TenantExists' });
  });

  test('before it could be opened is recorded all the same', async () => {
    await expect(claim({ tenantId: 'Not A Slug' })).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringMatching(/^ClaimTenant: tenantId must be 2 to 40 characters.*got "Not A Slug"/),
    });
    await releaseTenant.run(
      { operation, tenantId: '(none)', failure: { ...failure, error: 'InvalidStepInput' } },
      world,
    );
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'failed', tenantId: null });
  });

  test('for want of a place says how full every cell is', async () => {
    await control.sql.query('UPDATE cells SET capacity = 0');
    await claim();
    await expect(placeTenant.run({ operation, tenantId }, world)).rejects.toMatchObject({
      name: 'NoCapacity',
      message: expect.stringMatching(/eu-1 \d+\/0/),
    });
  });
});

test('two tenants that want the last place of a cell: one gets it, the other hears NoCapacity', async () => {
  await control.sql.query(`UPDATE cells SET open = false`);
  await control.addCell('last-1', 1);
  const ids = Array.from({ length: 10 }, (_, n) => `${tenantId}-${n}`);
  for (const id of ids) await claimTenant.run({ operation: `op-${id}`, execution: 'arn', tenantId: id }, world);
  const outcomes = await Promise.allSettled(
    ids.map((id) => placeTenant.run({ operation: `op-${id}`, tenantId: id }, world)),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await world.registry.cells.get('last-1')).toMatchObject({ used: 1 });
  await control.sql.query(`UPDATE cells SET open = id <> 'last-1'`);
});
