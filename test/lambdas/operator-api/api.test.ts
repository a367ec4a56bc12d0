import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { operatorApi } from '../../../lambdas/operator-api/app.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { endsAtOnce, type Laptop, runsOn, startLaptop } from './laptop.ts';

/** What the machine below hands to its function: where a test reads the token that a person answers with. */
const tokens: string[] = [];
let tokenCame: () => void = () => undefined;

let laptop: Laptop;
let api: ReturnType<typeof operatorApi>;
beforeAll(async () => {
  laptop = await startLaptop({
    invoke: async (_arn, payload) => {
      tokens.push((JSON.parse(payload) as { token: string }).token);
      tokenCame();
      return { payload: '{}' };
    },
  });
  await setUp(laptop.setUpInput, laptop.world);
  await laptop.machine('provision-tenant', runsOn);
  await laptop.machine('deprovision-tenant', runsOn);
  await laptop.machine('back-up-tenant', endsAtOnce);
  await laptop.machine('restore-tenant', {
    QueryLanguage: 'JSONata',
    StartAt: 'Ask',
    States: {
      Ask: {
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
        Arguments: {
          FunctionName: 'arn:aws:lambda:eu-central-1:000000000000:function:ask',
          Payload: { token: '{% $states.context.Task.Token %}' },
        },
        Next: 'Done',
      },
      Done: { Type: 'Succeed' },
    },
  });
  api = operatorApi(() => laptop.world);
});
afterAll(() => laptop.stop());

interface Answer {
  readonly status: number;
  readonly type: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the API answered
  readonly body: any;
}

const call = async (method: string, path: string, body?: unknown, headers: object = {}): Promise<Answer> => {
  const response = await api.request(`/api/v1${path}`, {
    method,
    headers: { 'x-tenantry-actor': 'ada', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
};

let number = 0;
let tenantId = '';
/** An active tenant as a signup leaves it. */
const activeTenant = async (): Promise<void> => {
  const { tenants, placements, operations } = laptop.world.registry;
  const operation = `provision-${tenantId}`;
  await operations.open({
    id: operation,
    kind: 'provision-tenant',
    tenantId,
    executionArn: 'arn',
    input: { tenantId },
  });
  await tenants.claim({ id: tenantId, operation, plan: 'starter' });
  await placements.place({ tenantId, operation, plan: 'starter' });
  await tenants.move(tenantId, { from: ['provisioning'], to: 'active', operation });
  await operations.succeed(operation);
};
beforeEach(() => {
  number += 1;
  tenantId = `tenant${number}`;
});

const auditOf = async () =>
  (await laptop.world.registry.audit.list({ tenantId, limit: 100 })).map(
    ({ actor, action, phase, outcome, operation }) => ({ actor, action, phase, outcome, operation }),
  );

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
    expect(await auditOf()).toEqual([
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
    await activeTenant();
    expect(await call('POST', '/tenants', { tenantId })).toMatchObject({
      status: 409,
      body: { code: 'tenant-exists' },
    });
    expect((await auditOf()).at(-1)).toMatchObject({ action: 'tenant.create', phase: 'after', outcome: 'refused' });
  });
});

describe('reading', () => {
  test('a tenant shows its place, its address and what works on it', async () => {
    await activeTenant();
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
    await activeTenant();
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

describe('the event log', () => {
  const record = (id: string) =>
    laptop.world.registry.events.record({
      id,
      source: 'tenantry',
      detailType: 'Noted',
      tenantId,
      detail: { id },
      occurredAt: new Date(),
    });

  test('answers a reader who waits as soon as an event is there', async () => {
    const { cursor } = (await call('GET', '/events?limit=1')).body;
    const waiting = call('GET', `/events?after=${cursor}&wait=20`);
    await record(`late-${tenantId}`);
    const { body } = await waiting;
    expect(body.items).toMatchObject([{ id: `late-${tenantId}`, detailType: 'Noted', tenantId, cursor: body.cursor }]);
  });

  test('answers an empty page with the same cursor when nothing came in time', async () => {
    await record(`before-${tenantId}`);
    const { cursor } = (await call('GET', '/events?limit=1')).body;
    expect((await call('GET', `/events?after=${cursor}&wait=0.1`)).body).toEqual({ items: [], cursor });
  });

  test('published to with a bad event tells the sender why it will be refused', async () => {
    expect(await call('POST', '/events', { detailType: 'TenantSignedUp', detail: { tenantId: '-' } })).toMatchObject({
      status: 202,
      body: { refused: expect.stringContaining('detail.tenantId') },
    });
    const good = await call('POST', '/events', { detailType: 'TenantBackupRequested', detail: { tenantId } });
    expect(good.body.operation).toMatch(/^back-up-/);
    expect(await laptop.requests(2)).toHaveLength(2);
  });
});

describe('dead letters', () => {
  const event = (detail: object) =>
    JSON.stringify({
      id: `bus-${tenantId}`,
      source: 'tenantry.saas',
      'detail-type': 'TenantSignedUp',
      time: '2026-11-23T05:00:00Z',
      detail,
    });

  test('are listed with their reason; a replay sends the good ones and keeps the bad ones', async () => {
    const { deadLetters } = laptop.world;
    await deadLetters.send(event({ tenantId }), 'an older release refused it', 'TenantSignedUp');
    const bad = await deadLetters.send(event({ tenantId: '-' }), 'first reason', 'TenantSignedUp');
    const { items } = (await call('GET', '/dead-letters')).body;
    expect(items.map(({ reason }: { reason: string }) => reason).toSorted()).toEqual([
      'an older release refused it',
      'first reason',
    ]);
    expect((await call('POST', '/dead-letters/replay', { messageId: 'none' })).status).toBe(404);
    expect((await call('POST', '/dead-letters/replay')).body).toEqual({
      replayed: 1,
      refused: [{ messageId: bad, reason: expect.stringContaining('detail.tenantId') }],
    });
    const [message] = await laptop.requests(1);
    expect(JSON.parse(message!.body)).toMatchObject({ detail: { tenantId, eventId: `bus-${tenantId}` } });
    const left = (await call('GET', '/dead-letters')).body.items;
    expect(left).toMatchObject([{ messageId: bad, reason: 'first reason' }]);
  });
});

describe('an operator', () => {
  const execution = async (arn: string) =>
    (await laptop.states.send(new DescribeExecutionCommand({ executionArn: arn }))).status;

  const waiting = async (): Promise<string> => {
    await activeTenant();
    const came = new Promise<void>((resolve) => {
      tokenCame = resolve;
    });
    const { operation } = (await call('POST', '/restores', { tenantId, into: 'in-place' })).body;
    await came;
    const executionArn = laptop.world.machines.executionArn('restore-tenant', operation);
    const { operations } = laptop.world.registry;
    await operations.open({ id: operation, kind: 'restore-tenant', tenantId, executionArn, input: { tenantId } });
    await operations.awaitApproval(operation, tokens.at(-1)!);
    return operation;
  };

  test('approves once: the machine goes on, a second answer is refused', async () => {
    const operation = await waiting();
    const answers = await Promise.all([
      call('POST', `/operations/${operation}/approve`, { reason: 'compared it' }),
      call('POST', `/operations/${operation}/approve`),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('not-awaiting-approval');
    const arn = laptop.world.machines.executionArn('restore-tenant', operation);
    await expect.poll(() => execution(arn)).toBe('SUCCEEDED');
  });

  test('rejects: the machine fails under the name that it compensates', async () => {
    const operation = await waiting();
    expect((await call('POST', `/operations/${operation}/reject`, { reason: 'wrong day' })).status).toBe(202);
    const executionArn = laptop.world.machines.executionArn('restore-tenant', operation);
    await expect.poll(() => execution(executionArn)).toBe('FAILED');
    expect(await laptop.states.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
      error: 'RestoreRejected',
      cause: 'ada rejected it: wrong day',
    });
  });

  const running = async (kind: 'provision-tenant' | 'deprovision-tenant', verb: string): Promise<string> => {
    const operation = `${verb}-${tenantId}-run`;
    const { executionArn } = await laptop.world.machines.start(kind, operation, { tenantId });
    await laptop.world.registry.operations.open({ id: operation, kind, tenantId, executionArn, input: { tenantId } });
    return operation;
  };

  test('stops a signup: the execution ends, the slug is free, the reason stays', async () => {
    const operation = await running('provision-tenant', 'provision');
    const { tenants, leases } = laptop.world.registry;
    await tenants.claim({ id: tenantId, operation, plan: 'starter' });
    await leases.hold({ tenantId, holder: operation, seconds: 600 });
    expect((await call('POST', `/operations/${operation}/stop`, { reason: 'typo' })).status).toBe(202);
    expect(await execution(laptop.world.machines.executionArn('provision-tenant', operation))).toBe('ABORTED');
    expect(await tenants.get(tenantId)).toBeUndefined();
    expect(await leases.get(tenantId)).toMatchObject({ holder: null });
    expect((await call('GET', `/operations/${operation}`)).body).toMatchObject({
      status: 'failed',
      reason: 'stopped by ada: typo',
    });
    expect((await call('POST', `/operations/${operation}/stop`)).body).toMatchObject({ code: 'operation-over' });
  });

  test('stops an offboarding in its grace period: the tenant is back', async () => {
    await activeTenant();
    const operation = await running('deprovision-tenant', 'deprovision');
    const { tenants } = laptop.world.registry;
    await tenants.move(tenantId, { from: ['active'], to: 'deprovisioning', operation });
    expect((await call('POST', `/operations/${operation}/stop`)).status).toBe(202);
    expect(await tenants.get(tenantId)).toMatchObject({ status: 'active' });
  });

  test('drives a failed operation again with its input, under a new name', async () => {
    await activeTenant();
    const { operations } = laptop.world.registry;
    const failed = `back-up-${tenantId}-failed`;
    await operations.open({
      id: failed,
      kind: 'back-up-tenant',
      tenantId,
      executionArn: 'a',
      input: { tenantId, kind: 'manual' },
    });
    expect((await call('POST', `/operations/${failed}/redrive`)).status).toBe(409);
    await operations.fail(failed, { kind: 'back-up-tenant', reason: 'full', failedStep: 'DumpDatabase', error: 'E' });
    const again = await call('POST', `/operations/${failed}/redrive`);
    expect(again).toMatchObject({ status: 202, body: { redriveOf: failed } });
    expect(again.body.operation).not.toBe(failed);
    const executionArn = laptop.world.machines.executionArn('back-up-tenant', again.body.operation);
    const { input } = await laptop.states.send(new DescribeExecutionCommand({ executionArn }));
    expect(JSON.parse(input!)).toEqual({ tenantId, kind: 'manual' });
  });

  test('asks for an offboarding and a backup by the bus, and for nothing of a tenant that is not there', async () => {
    await activeTenant();
    expect((await call('DELETE', `/tenants/${tenantId}?graceSeconds=0&reason=left`)).status).toBe(202);
    expect((await call('POST', `/tenants/${tenantId}/backups`, { reason: 'before' })).status).toBe(202);
    const details = (await laptop.requests(2)).map(
      ({ body }) => JSON.parse(body) as { 'detail-type': string; detail: object },
    );
    const byType = Object.fromEntries(details.map((event) => [event['detail-type'], event.detail]));
    expect(byType).toMatchObject({
      TenantOffboarded: { tenantId, graceSeconds: 0, reason: 'left' },
      TenantBackupRequested: { tenantId, reason: 'before' },
    });
    expect((await call('DELETE', '/tenants/nobody')).status).toBe(404);
    expect((await call('POST', '/tenants/nobody/backups')).status).toBe(404);
    expect((await call('POST', '/restores', { tenantId: 'nobody' })).status).toBe(404);
  });

  test('is named by the authorizer where there is one, whatever the header says', async () => {
    await activeTenant();
    const event = { requestContext: { authorizer: { jwt: { claims: { email: 'grace@example.org' } } } } };
    await api.request(
      `/api/v1/tenants/${tenantId}/backups`,
      { method: 'POST', headers: { 'x-tenantry-actor': 'mallory' } },
      { event },
    );
    expect((await auditOf()).map(({ actor }) => actor)).toEqual(['grace@example.org', 'grace@example.org']);
    await laptop.requests(1);
  });
});

test('after all of this the chain of the audit holds, and one changed row breaks it there', async () => {
  const { audit } = laptop.world.registry;
  expect(await audit.firstBroken()).toBeUndefined();
  await laptop.sql.query('ALTER TABLE audit DISABLE TRIGGER audit_is_append_only');
  await laptop.sql.query(`UPDATE audit SET actor = 'nobody' WHERE id = 3`);
  expect(await audit.firstBroken()).toBe(3);
});
