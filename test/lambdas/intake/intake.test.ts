import { DescribeExecutionCommand, ListExecutionsCommand } from '@aws-sdk/client-sfn';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWorld } from '../../../adapters/world.ts';
import { recordEvent } from '../../../lambdas/intake/record-event.ts';
import { takeBatch } from '../../../lambdas/intake/start-workflow.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { endsAtOnce, type Laptop, startLaptop } from '../operator-api/laptop.ts';

let laptop: Laptop;
beforeAll(async () => {
  laptop = await startLaptop();
  await setUp(laptop.setUpInput, laptop.world);
  await laptop.machine('provision-tenant', endsAtOnce);
});
afterAll(() => laptop.stop());

const batch = (messages: readonly { body: string; messageId: string }[]): SQSEvent => ({
  Records: messages.map((message) => message as SQSRecord),
});

const event = (id: string, detailType: string, detail: unknown) =>
  JSON.stringify({ id, source: 'tenantry.saas', 'detail-type': detailType, time: '2026-11-23T05:00:00Z', detail });

const executions = async (prefix: string) => {
  const stateMachineArn = `${laptop.environment.STATE_MACHINE_ARN_PREFIX}provision-tenant`;
  const { executions: all = [] } = await laptop.states.send(new ListExecutionsCommand({ stateMachineArn }));
  return all.filter(({ name }) => name?.startsWith(prefix));
};

const inputOf = async (executionArn: string | undefined) =>
  JSON.parse((await laptop.states.send(new DescribeExecutionCommand({ executionArn }))).input!) as unknown;

describe('the intake', () => {
  test('starts what the bus delivered, once, under a name that the event decides', async () => {
    const detail = { tenantId: 'acme', plan: 'pro', eventId: 'order-1' };
    await laptop.world.bus.publish('TenantSignedUp', detail);
    await laptop.world.bus.publish('TenantSignedUp', detail);
    const messages = await laptop.requests(2);
    expect(await takeBatch(batch(messages), laptop.world)).toEqual({ batchItemFailures: [] });
    expect(await takeBatch(batch(messages), laptop.world)).toEqual({ batchItemFailures: [] });
    const started = await executions('provision-acme-');
    expect(started).toHaveLength(1);
    expect(started[0]?.name).toMatch(/^provision-acme-[0-9a-f]{12}$/);
    expect(await inputOf(started[0]?.executionArn)).toEqual({ tenantId: 'acme', plan: 'pro' });
    expect(await laptop.world.registry.events.requestOf(started[0]!.name!)).toMatchObject({
      deliveries: 4,
      startedAt: expect.any(Date),
    });
  });

  test('takes the bus’s own id where the event brings none', async () => {
    const body = event('bus-1', 'TenantSignedUp', { tenantId: 'plain' });
    await takeBatch(
      batch([
        { body, messageId: '1' },
        { body, messageId: '2' },
      ]),
      laptop.world,
    );
    expect(await executions('provision-plain-')).toHaveLength(1);
  });

  test.each([
    ['no JSON', '{"half', /not an EventBridge event/, '(unknown)'],
    [
      'a bad tenant id',
      event('b1', 'TenantSignedUp', { tenantId: 'ＡＤＭＩＮ' }),
      /detail\.tenantId must be/,
      'TenantSignedUp',
    ],
    [
      'a known type of a later release',
      event('b2', 'TenantSuspended', { tenantId: 'acme' }),
      /not supported yet/,
      'TenantSuspended',
    ],
    ['an unknown type', event('b3', 'TenantVanished', {}), /is unknown; known are TenantSignedUp/, 'TenantVanished'],
    ['a type out of Object.prototype', event('b4', 'constructor', {}), /is unknown/, 'constructor'],
  ])('puts %s aside with its reason and takes it off the queue', async (_what, body, reason, detailType) => {
    expect(await takeBatch(batch([{ body, messageId: 'bad' }]), laptop.world)).toEqual({ batchItemFailures: [] });
    const letters = await laptop.world.deadLetters.take(10);
    expect(letters).toMatchObject([{ body, reason: expect.stringMatching(reason), detailType }]);
    for (const letter of letters) await laptop.world.deadLetters.remove(letter);
  });

  test('puts a second request under a used event id aside: it is no repeat of the first', async () => {
    const first = event('c1', 'TenantSignedUp', { tenantId: 'first', plan: 'pro', eventId: 'shared' });
    const other = event('c2', 'TenantSignedUp', { tenantId: 'first', plan: 'starter', eventId: 'shared' });
    await takeBatch(batch([{ body: first, messageId: '1' }]), laptop.world);
    await takeBatch(batch([{ body: other, messageId: '2' }]), laptop.world);
    const letters = await laptop.world.deadLetters.take(10);
    expect(letters).toMatchObject([{ body: other, reason: expect.stringContaining('eventId shared was used before') }]);
    for (const letter of letters) await laptop.world.deadLetters.remove(letter);
    const [execution] = await executions('provision-first-');
    expect(await inputOf(execution?.executionArn)).toMatchObject({ plan: 'pro' });
  });

  test('leaves in the queue what could not be started, and takes the rest of the batch', async () => {
    // The machine of restores is not deployed here, so StartExecution refuses it.
    const stuck = event('d1', 'TenantRestoreRequested', { tenantId: 'acme' });
    const fine = event('d2', 'TenantSignedUp', { tenantId: 'fine' });
    const answer = await takeBatch(
      batch([
        { body: stuck, messageId: 's' },
        { body: fine, messageId: 'f' },
      ]),
      laptop.world,
    );
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 's' }] });
    expect(await executions('provision-fine-')).toHaveLength(1);
    expect(await laptop.world.deadLetters.take(10)).toEqual([]);
  });

  test('leaves everything in the queue while the registry is away', async () => {
    const away = openWorld({ ...laptop.environment, REGISTRY_PORT: '1' });
    const body = event('e1', 'TenantSignedUp', { tenantId: 'away' });
    expect(await takeBatch(batch([{ body, messageId: 'm' }]), away)).toEqual({
      batchItemFailures: [{ itemIdentifier: 'm' }],
    });
  });
});

describe('the event recorder', () => {
  test('writes requests and results once each, with tenant and operation', async () => {
    const request = JSON.parse(event('r1', 'TenantSignedUp', { tenantId: 'logged', eventId: 'l1' })) as object;
    const result = { ...request, id: 'r2', source: 'tenantry', 'detail-type': 'TenantProvisioned' };
    const done = { ...result, detail: { tenantId: 'logged', operation: 'provision-logged-x', outcome: 'succeeded' } };
    for (const one of [request, request, done, done]) await recordEvent(one, laptop.world);
    expect(await laptop.world.registry.events.list({ after: 0, limit: 10, tenantId: 'logged' })).toMatchObject([
      { id: 'r1', operation: expect.stringMatching(/^provision-logged-[0-9a-f]{12}$/) },
      { id: 'r2', source: 'tenantry', operation: 'provision-logged-x' },
    ]);
  });

  test.each([
    ['null', null],
    ['text', 'text'],
    ['a list', [1]],
    ['a tenantId that is no text', { tenantId: 7 }],
  ])('writes an event whose detail is %s too', async (what, detail) => {
    await recordEvent(JSON.parse(event(`odd ${what}`, 'Odd', detail)), laptop.world);
    const events = await laptop.world.registry.events.latest(1);
    expect(events).toMatchObject([{ id: `odd ${what}`, detail, tenantId: null }]);
  });
});
