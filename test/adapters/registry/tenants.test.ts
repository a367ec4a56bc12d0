import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestRegistry, type TestRegistry } from './database.ts';

let world: TestRegistry;
beforeAll(async () => {
  world = await startTestRegistry(50);
});
afterAll(() => world.stop());

const claim = (id: string, operation: string, more: object = {}) =>
  world.registry.tenants.claim({ id, operation, plan: 'starter', ...more });

describe('a claim', () => {
  test('of one slug by fifty operations at once has exactly one winner and leaves nothing of the losers', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => claim('rush', `op-${n}`)));
    const won = answers.filter((answer) => answer.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ name: 'TenantExists' });
    expect(await world.sql.query(`SELECT count(*) AS n FROM tenants WHERE id = 'rush'`)).toEqual([{ n: 1 }]);
    expect((await world.registry.tenants.get('rush'))?.claimedBy).toBe(won[0]?.value.claimedBy);
  });

  test('repeated by the same operation answers the same tenant', async () => {
    const first = await claim('again', 'op-again', { adminEmail: 'ada@again.example' });
    const second = await claim('again', 'op-again', { adminEmail: 'ada@again.example' });
    expect(second).toMatchObject({ id: 'again', createdAt: first.createdAt, status: 'provisioning' });
  });

  test('repeated after the tenant is active is refused: it would make a live tenant provisioning again', async () => {
    await claim('late', 'op-late');
    await world.registry.tenants.move('late', { from: ['provisioning'], to: 'active', operation: 'op-late' });
    await expect(claim('late', 'op-late')).rejects.toMatchObject({ name: 'TenantExists' });
  });

  test('of a custom domain that another tenant has is refused and takes no slug', async () => {
    await claim('owner', 'op-owner', { customDomain: 'chat.owner.example' });
    await expect(claim('thief', 'op-thief', { customDomain: 'chat.owner.example' })).rejects.toMatchObject({
      name: 'TenantExists',
      message: expect.stringContaining('customDomain chat.owner.example'),
    });
    expect(await world.registry.tenants.get('thief')).toBeUndefined();
  });

  test('that is dropped frees the slug at once, and only its own operation can drop it', async () => {
    await claim('brief', 'op-1');
    expect(await world.registry.tenants.drop('brief', 'op-2')).toBe(false);
    expect(await world.registry.tenants.drop('brief', 'op-1')).toBe(true);
    expect((await claim('brief', 'op-2')).claimedBy).toBe('op-2');
  });

  test('cannot be dropped once the tenant is active', async () => {
    await claim('firm', 'op-firm');
    await world.registry.tenants.move('firm', { from: ['provisioning'], to: 'active', operation: 'op-firm' });
    expect(await world.registry.tenants.drop('firm', 'op-firm')).toBe(false);
  });

  test('of a name whose tenant left waits until the reservation is over', async () => {
    await claim('gone', 'op-1', { adminEmail: 'ada@gone.example', customDomain: 'gone.example' });
    await world.registry.tenants.erase('gone', new Date(Date.now() + 60_000));
    await expect(claim('gone', 'op-2')).rejects.toMatchObject({
      name: 'TenantExists',
      message: expect.stringContaining('reserved until'),
    });
    await world.sql.query(`UPDATE tenants SET reserved_until = now() - interval '1 second' WHERE id = 'gone'`);
    expect(await claim('gone', 'op-2')).toMatchObject({ claimedBy: 'op-2', reservedUntil: null });
  });
});

describe('a status', () => {
  test('moves only from where it may, and a repeat counts only for the operation that moved it', async () => {
    await claim('mover', 'op-1');
    const off = { from: ['active'], to: 'deprovisioning' } as const;
    await expect(world.registry.tenants.move('mover', { ...off, operation: 'op-2' })).rejects.toMatchObject({
      name: 'TenantNotReady',
      message: expect.stringContaining('is provisioning since operation op-1'),
    });
    await world.registry.tenants.move('mover', { from: ['provisioning'], to: 'active', operation: 'op-1' });
    await world.registry.tenants.move('mover', { ...off, operation: 'op-2' });
    await expect(world.registry.tenants.move('mover', { ...off, operation: 'op-2' })).resolves.toMatchObject({
      status: 'deprovisioning',
    });
    await expect(world.registry.tenants.move('mover', { ...off, operation: 'op-3' })).rejects.toMatchObject({
      name: 'TenantNotReady',
    });
  });

  test('of a tenant that is not there is TenantNotFound', async () => {
    await expect(world.registry.tenants.require('nobody')).rejects.toMatchObject({ name: 'TenantNotFound' });
  });
});

test('an erased tenant has left its profile nowhere in the registry', async () => {
  const told = { name: 'Canary Ltd', adminEmail: 'canary@erased.example', adminName: 'Canary Person' };
  const { tenants, operations, events } = world.registry;
  await operations.open({
    id: 'op-erased',
    kind: 'provision-tenant',
    tenantId: 'erased',
    executionArn: 'arn',
    input: { tenantId: 'erased', ...told },
  });
  await claim('erased', 'op-erased', told);
  await operations.succeed('op-erased');
  await events.claim({
    eventId: 'e-erased',
    detailType: 'TenantSignedUp',
    tenantId: 'erased',
    kind: 'provision-tenant',
    operation: 'op-erased',
    detail: told,
  });
  await events.record({
    id: 'bus-erased',
    source: 'tenantry.saas',
    detailType: 'TenantSignedUp',
    tenantId: 'erased',
    detail: told,
    occurredAt: new Date(),
  });
  await tenants.erase('erased', new Date());
  const tables = await world.sql.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  for (const { name } of tables) {
    const rows = await world.sql.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`);
    expect(rows.filter(({ text }) => /canary/i.test(text))).toEqual([]);
  }
  expect(await tenants.get('erased')).toMatchObject({ status: 'deprovisioned', adminEmail: null });
});
