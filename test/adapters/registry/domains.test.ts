import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Domain } from '../../../adapters/registry/domains.ts';
import { startTestRegistry, type TestRegistry } from './database.ts';

let control: TestRegistry;
let number = 0;
let tenantId = '';
let name = '';
beforeAll(async () => {
  control = await startTestRegistry();
});
afterAll(() => control.stop());

const signUp = async (id: string, customDomain: string, status = 'active'): Promise<void> => {
  await control.sql.query(
    'INSERT INTO tenants (id, status, plan, claimed_by, changed_by, custom_domain) VALUES ($1, $2, $3, $4, $4, $5)',
    [id, status, 'pro', 'op', customDomain],
  );
};
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  name = `chat.${tenantId}.example`;
  await control.sql.query('DELETE FROM domains');
  await signUp(tenantId, name);
});

const domains = () => control.registry.domains;
const known = async (): Promise<Domain> => (await domains().of(tenantId))!;
const routed = async (id = tenantId) => (await control.registry.routes.of(id)).map(({ host, state }) => [host, state]);
const age = (interval: string) =>
  control.sql.query('UPDATE domains SET brought_at = now() - $1::interval, check_at = now()', [interval]);

describe('a custom domain', () => {
  test('has a token nobody guesses and a route that is off', async () => {
    await domains().bring(tenantId, name);
    expect(await known()).toMatchObject({ domain: name, refusal: null, provedAt: null, announcedAt: null });
    expect((await known()).token).toMatch(/^[0-9a-f]{32}$/);
    expect(await routed()).toEqual([[name, 'off']]);
  });

  test('that is proved is routed; brought again it keeps its token and has to be proved anew', async () => {
    await domains().bring(tenantId, name);
    const { token } = await known();
    await domains().prove(await known());
    expect(await routed()).toEqual([[name, 'on']]);
    expect(await known()).toMatchObject({ provedAt: expect.any(Date), checkedAt: expect.any(Date) });
    await domains().bring(tenantId, name);
    expect(await known()).toMatchObject({ token, provedAt: null });
    expect(await routed()).toEqual([[name, 'off']]);
  });

  test('of a tenant that is leaving stays off, and a tenant that comes back has only what was proved', async () => {
    await domains().bring(tenantId, name);
    await control.registry.routes.turn(tenantId, 'on');
    expect(await routed()).toEqual([[name, 'off']]);
    await control.sql.query(`UPDATE tenants SET status = 'deprovisioning' WHERE id = $1`, [tenantId]);
    await domains().prove(await known());
    expect(await routed()).toEqual([[name, 'off']]);
    await control.registry.routes.turn(tenantId, 'on');
    expect(await routed()).toEqual([[name, 'on']]);
  });

  test('that the tenant has given up meanwhile is not routed by a late proof', async () => {
    await domains().bring(tenantId, name);
    const before = await known();
    await control.sql.query('UPDATE tenants SET custom_domain = NULL WHERE id = $1', [tenantId]);
    await domains().prove(before);
    expect(await routed()).toEqual([[name, 'off']]);
    expect(await domains().of(tenantId)).toBeUndefined();
  });

  test('is refused where another tenant is reached under that name, and nothing is left of it', async () => {
    const { routes } = control.registry;
    const host = `other-${number}.example`;
    await signUp(`${tenantId}-other`, `else.${name}`);
    await routes.set({ host, tenantId: `${tenantId}-other`, kind: 'subdomain', state: 'on' });
    await expect(domains().bring(tenantId, host)).rejects.toMatchObject({
      name: 'TenantExists',
      message: expect.stringContaining(`customDomain ${host}`),
    });
    expect(await routed(`${tenantId}-other`)).toEqual([[host, 'on']]);
    expect(await domains().takeDue(9)).toEqual([]);
  });
});

describe('looking at domains', () => {
  test('shares the due ones between two runs at once', async () => {
    for (let n = 0; n < 20; n += 1) {
      await signUp(`${tenantId}-${n}`, `${n}.${name}`);
      await domains().bring(`${tenantId}-${n}`, `${n}.${name}`);
    }
    const runs = await Promise.all([domains().takeDue(50), domains().takeDue(50)]);
    expect(new Set(runs.flat().map(({ domain }) => domain)).size).toBe(20);
    expect(runs.flat()).toHaveLength(20);
    expect(await domains().takeDue(50)).toEqual([]);
  });

  test.each([
    ['2 minutes', 60],
    ['1 hour', 360],
    ['3 days', 3_600],
  ])('comes again after %s of waiting in %d seconds', async (waited, seconds) => {
    await domains().bring(tenantId, name);
    await age(waited);
    expect(await domains().takeDue(9)).toHaveLength(1);
    const [row] = await control.sql.query<{ pause: number }>(
      'SELECT round(extract(epoch FROM check_at - now()))::int AS pause FROM domains',
    );
    expect(Math.abs(row!.pause - seconds)).toBeLessThanOrEqual(2);
  });

  test('comes at once when somebody asks for it', async () => {
    await domains().bring(tenantId, name);
    await domains().takeDue(9);
    expect(await domains().takeDue(9)).toEqual([]);
    await domains().hasten(tenantId);
    expect(await domains().takeDue(9)).toHaveLength(1);
  });

  test('ends when all is told, and passes over tenants that are not active', async () => {
    await domains().bring(tenantId, name);
    await domains().announced(await known());
    expect(await domains().takeDue(9)).toHaveLength(1);
    await domains().prove(await known());
    await domains().announced(await known());
    await domains().hasten(tenantId);
    expect(await domains().takeDue(9)).toEqual([]);
    await signUp(`${tenantId}-late`, `late.${name}`, 'suspended');
    await domains().bring(`${tenantId}-late`, `late.${name}`);
    expect(await domains().takeDue(9)).toEqual([]);
  });

  test('forgets what a tenant had that is gone', async () => {
    await domains().bring(tenantId, name);
    await domains().remove(tenantId);
    expect(await domains().takeDue(9)).toEqual([]);
  });
});
