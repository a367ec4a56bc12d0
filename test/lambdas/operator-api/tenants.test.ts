import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operatorApi } from '../../../lambdas/operator-api/app.ts';
import { type OperatorLaptop, startOperatorLaptop } from './operator-laptop.ts';

let laptop: OperatorLaptop;
let call: OperatorLaptop['call'];
let activeTenant: OperatorLaptop['activeTenant'];
let auditOf: OperatorLaptop['auditOf'];
beforeAll(async () => {
  laptop = await startOperatorLaptop();
  ({ call, activeTenant, auditOf } = laptop);
});
afterAll(() => laptop.stop());

let tenantId = '';
beforeEach(() => {
  tenantId = laptop.newTenantId();
});

describe('a signup over HTTP', () => {
  test('is a request on the bus, answers the operation to follow and leaves two audit rows', async () => {
    const answer = await call('POST', '/tenants', { tenantId, plan: 'pro', adminEmail: 'ada@example.org' });
    expect(answer).toMatchObject({ status: 202, body: { operation: expect.stringMatching(/^provision-tenant\d+-/) } });
    const { operation } = answer.body;
    const [message] = await laptop.requests(1);
    expect(JSON.parse(message!.body)).toMatchObject({
      source: 'tenantry.saas',
      'detail-type': 'TenantSignedUp',
      detail: { tenantId, plan: 'pro', requestedBy: 'ada', eventId: expect.any(String) },
    });
    expect(await call('GET', `/operations/${operation}`)).toMatchObject({
      status: 200,
      body: { id: operation, status: 'running', kind: 'provision-tenant', steps: [] },
    });
    expect(await auditOf(tenantId)).toEqual([
      { actor: 'ada', action: 'tenant.create', phase: 'before', outcome: null, operation: null },
      { actor: 'ada', action: 'tenant.create', phase: 'after', outcome: 'accepted', operation },
    ]);
  });

  test('sent twice under one Idempotency-Key is one request', async () => {
    const key = { 'idempotency-key': `key-${tenantId}` };
    const [first, second] = [
      await call('POST', '/tenants', { tenantId }, key),
      await call('POST', '/tenants', { tenantId }, key),
    ];
    expect(second.body).toEqual(first.body);
    expect(await laptop.requests(1)).toHaveLength(1);
  });

  test.each([
    [{ tenantId: 'No Good' }, /tenantId must be 2 to 40 characters.*try "no-good"/],
    [{ tenantId: 'www' }, /tenantId is reserved/],
    [{ tenantId: 'fine', adminEmail: 'nobody' }, /adminEmail/],
    [{}, /tenantId/],
    ['{"half', /not JSON/],
  ])('of %j is refused with the field and its rule', async (body, detail) => {
    expect(await call('POST', '/tenants', body)).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      body: { code: 'invalid-request', status: 400, detail: expect.stringMatching(detail) },
    });
  });

  test('of a taken id is refused, and the audit says so', async () => {
    await activeTenant(tenantId);
    expect(await call('POST', '/tenants', { tenantId })).toMatchObject({
      status: 409,
      body: { code: 'tenant-exists' },
    });
    expect((await auditOf(tenantId)).at(-1)).toMatchObject({
      action: 'tenant.create',
      phase: 'after',
      outcome: 'refused',
    });
  });
});

describe('reading', () => {
  test('a tenant shows its place, its address and what works on it', async () => {
    await activeTenant(tenantId);
    await laptop.world.registry.leases.hold({ tenantId, holder: 'op-busy', seconds: 60 });
    expect(await call('GET', `/tenants/${tenantId}`)).toMatchObject({
      status: 200,
      body: {
        id: tenantId,
        status: 'active',
        url: `http://${tenantId}.localhost`,
        placement: { cell: 'eu-1', isolation: 'pooled', tier: 'shared' },
        busyWith: 'op-busy',
        lastBackup: null,
      },
    });
  });

  test('all tenants goes page by page and misses none', async () => {
    const ids: string[] = [];
    for (let after = ''; ; ) {
      const { body } = await call('GET', `/tenants?limit=1${after && `&after=${after}`}`);
      ids.push(...body.items.map(({ id }: { id: string }) => id));
      if (!body.next) break;
      after = body.next;
    }
    expect(ids).toEqual((await laptop.world.registry.tenants.list({ limit: 500 })).map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(1);
  });

  test.each([
    ['/tenants/nobody', 404, 'tenant-not-found'],
    ['/tenants/nobody/backups', 404, 'tenant-not-found'],
    ['/operations/nothing', 404, 'operation-not-found'],
    ['/restores/r-000000000000', 404, 'restore-not-found'],
    ['/nowhere', 404, 'not-found'],
    ['/tenants?limit=0', 400, 'invalid-request'],
    ['/tenants?status=happy', 400, 'invalid-request'],
    ['/events?wait=60', 400, 'invalid-request'],
  ])('GET %s answers %i %s', async (path, status, code) => {
    expect(await call('GET', path)).toMatchObject({ status, type: 'application/problem+json', body: { code, status } });
  });

  test('operations goes page by page, newest first, by tenant', async () => {
    await activeTenant(tenantId);
    const { operations } = laptop.world.registry;
    for (const id of ['a', 'b'])
      await operations.open({
        id: `${tenantId}-${id}`,
        kind: 'back-up-tenant',
        tenantId,
        executionArn: 'a',
        input: {},
      });
    const first = await call('GET', `/operations?tenant=${tenantId}&limit=2`);
    expect(first.body.items.map(({ id }: { id: string }) => id)).toEqual([`${tenantId}-b`, `${tenantId}-a`]);
    const second = await call('GET', `/operations?tenant=${tenantId}&limit=2&after=${first.body.next}`);
    expect(second.body).toMatchObject({ items: [{ id: `provision-${tenantId}`, status: 'succeeded' }] });
    expect((await call('GET', `/operations?tenant=${tenantId}&status=succeeded`)).body.items).toHaveLength(1);
  });

  test('an unavailable registry is 503 and says nothing of hosts or queries', async () => {
    const away = operatorApi(
      () =>
        Object.create(laptop.world, {
          registry: {
            get: () => {
              throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });
            },
          },
        }) as typeof laptop.world,
    );
    const response = await away.request('/api/v1/tenants');
    const text = await response.text();
    expect(response.status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ code: 'unavailable' });
    expect(text).not.toContain('10.0.0.7');
  });

  test('a placement is explained for a tenant that is not there yet, and nothing is taken', async () => {
    const before = (await call('GET', '/placements/capacity')).body;
    const { status, body } = await call('GET', '/placements/explain?plan=pro&compliance=hipaa,pci&tier=shared');
    expect(status).toBe(200);
    expect(body).toMatchObject({ tier: 'shared', isolation: 'pooled', rule: '(asked for)' });
    expect(body.options[0]).toMatchObject({ chosen: true, possible: true, where: 'cell eu-1' });
    expect((await call('GET', '/placements/explain?compliance=hipaa')).body).toMatchObject({
      plan: 'starter',
      tier: 'namespace',
      rule: 'compliance',
      decision: { kind: 'no-capacity' },
    });
    expect((await call('GET', '/placements/capacity')).body).toEqual(before);
    expect(before.items).toContainEqual(expect.objectContaining({ cell: 'eu-1', kind: 'servers' }));
  });

  test('what the plan does not allow is refused with plan, value and what is allowed; forced it is in the audit', async () => {
    expect(await call('GET', '/placements/explain?plan=starter&isolation=server')).toMatchObject({
      status: 409,
      body: { code: 'plan-forbids', detail: expect.stringContaining('starter does not allow isolation server') },
    });
    const wish = { tenantId: `${tenantId}-x`, plan: 'starter', isolation: 'server' };
    expect(await call('POST', '/tenants', wish)).toMatchObject({ status: 409, body: { code: 'plan-forbids' } });
    expect(await call('POST', '/tenants', { ...wish, force: true })).toMatchObject({ status: 400 });
    expect(await call('POST', '/tenants', { ...wish, force: true, reason: 'a trial' })).toMatchObject({ status: 202 });
    await laptop.requests(1);
    const { body } = await call('GET', `/audit?tenant=${tenantId}-x`);
    expect(body.items.at(-1)).toMatchObject({
      outcome: 'accepted',
      reason: 'a trial',
      detail: { isolation: 'server', force: true },
    });
  });

  test('meta tells version, plans and the room in the cells', async () => {
    expect((await call('GET', '/meta')).body).toMatchObject({
      api: 'v1',
      cells: [{ id: 'eu-1', capacity: 100 }],
      plans: { starter: { isolation: 'pooled' } },
    });
    expect((await call('GET', '/meta/event-schemas')).body).toHaveProperty('TenantSignedUp.properties.tenantId');
  });
});
