import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endsAtOnce, runsOn } from './laptop.ts';
import { type OperatorLaptop, startOperatorLaptop } from './operator-laptop.ts';

/** What the machine below hands to its function: where a test reads the token that a person answers with. */
const tokens: string[] = [];
let tokenCame: () => void = () => undefined;

let laptop: OperatorLaptop;
let api: OperatorLaptop['api'];
let call: OperatorLaptop['call'];
let activeTenant: OperatorLaptop['activeTenant'];
let auditOf: OperatorLaptop['auditOf'];
beforeAll(async () => {
  laptop = await startOperatorLaptop({
    invoke: async (_arn, payload) => {
      tokens.push((JSON.parse(payload) as { token: string }).token);
      tokenCame();
      return { payload: '{}' };
    },
  });
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
  ({ api, call, activeTenant, auditOf } = laptop);
});
afterAll(() => laptop.stop());

let tenantId = '';
beforeEach(() => {
  tenantId = laptop.newTenantId();
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
    await activeTenant(tenantId);
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
    await activeTenant(tenantId);
    const operation = await running('deprovision-tenant', 'deprovision');
    const { tenants } = laptop.world.registry;
    await tenants.move(tenantId, { from: ['active'], to: 'deprovisioning', operation });
    expect((await call('POST', `/operations/${operation}/stop`)).status).toBe(202);
    expect(await tenants.get(tenantId)).toMatchObject({ status: 'active' });
  });

  test('drives a failed operation again with its input, under a new name', async () => {
    await activeTenant(tenantId);
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
    await activeTenant(tenantId);
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
    await activeTenant(tenantId);
    const event = { requestContext: { authorizer: { jwt: { claims: { email: 'grace@example.org' } } } } };
    await api.request(
      `/api/v1/tenants/${tenantId}/backups`,
      { method: 'POST', headers: { 'x-tenantry-actor': 'mallory' } },
      { event },
    );
    expect((await auditOf(tenantId)).map(({ actor }) => actor)).toEqual(['grace@example.org', 'grace@example.org']);
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
