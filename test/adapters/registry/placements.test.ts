import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestRegistry, type TestRegistry } from './database.ts';

let world: TestRegistry;
beforeAll(async () => {
  world = await startTestRegistry();
  await world.addCell('eu-1', 10, 'eu-central-1');
});
afterAll(() => world.stop());

test('a tenant whose data must not leave its region is moved to no other one, however full its own is', async () => {
  const { tenants, placements } = world.registry;
  await tenants.claim({ id: 'acme', operation: 'op-1', plan: 'pro', residency: 'eu-central-1' });
  await tenants.claim({ id: 'globex', operation: 'op-2', plan: 'pro', region: 'eu-central-1' });
  for (const [tenantId, operation] of [
    ['acme', 'op-1'],
    ['globex', 'op-2'],
  ] as const)
    await placements.place({ tenantId, operation, plan: 'pro', tier: 'shared', isolation: 'pooled' });
  await world.addCell('us-1', 10, 'us-east-1');
  const away = { operation: 'op-3', plan: 'pro', region: 'eu-central-1' };
  const from = { cell: 'eu-1', tier: 'shared', isolation: 'pooled' } as const;
  expect(await placements.choose({ tenantId: 'globex', plan: 'pro', from })).toMatchObject({ cell: 'us-1' });
  expect(await placements.reserve({ tenantId: 'globex', ...away, from })).toMatchObject({ cell: { id: 'us-1' } });
  const refused = {
    name: 'NoCapacity',
    message: expect.stringContaining('eu-central-1, which its data must not leave'),
  };
  await expect(placements.choose({ tenantId: 'acme', plan: 'pro', from })).rejects.toMatchObject(refused);
  await expect(placements.reserve({ tenantId: 'acme', ...away, from })).rejects.toMatchObject(refused);
});
