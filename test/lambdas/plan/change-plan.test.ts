import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { closeOperation } from '../../../adapters/registry/closing.ts';
import { openWorld, type World } from '../../../adapters/world.ts';
import { estimateMove } from '../../../domain/move.ts';
import { handler as abandonPlanChange } from '../../../lambdas/plan/abandon-plan-change.ts';
import { handler as applyPlanChange } from '../../../lambdas/plan/apply-plan-change.ts';
import { handler as endPlanChange } from '../../../lambdas/plan/end-plan-change.ts';
import { handler as openPlanChange } from '../../../lambdas/plan/open-plan-change.ts';
import { handler as revertPlanChange } from '../../../lambdas/plan/revert-plan-change.ts';
import { handler as takeTurn } from '../../../lambdas/plan/take-turn.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { startTestRegistry, type TestRegistry } from '../../adapters/registry/database.ts';

let control: TestRegistry;
let world: World;
let number = 0;
let tenantId = '';
beforeAll(async () => {
  control = await startTestRegistry(20);
  // Nothing but the registry can be reached: the other members throw when they are touched, for want of environment.
  world = Object.create(openWorld({}), { registry: { value: control.registry } }) as World;
  await control.addCell('eu-1', 1_000);
});
afterAll(() => control.stop());
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  const signup = { operation: `provision-${tenantId}`, tenantId };
  await claimTenant.run({ ...signup, execution: 'arn', plan: 'starter' }, world);
  await placeTenant.run(signup, world);
  await activateTenant.run(signup, world);
});

const named = (name: string) => ({ operation: `change-${tenantId}-${name}`, tenantId });
const open = (name: string, wish: object) => openPlanChange.run({ ...named(name), execution: 'arn', ...wish }, world);
const turn = (name: string) => takeTurn.run(named(name), world);
const apply = (name: string, more: object = {}) => applyPlanChange.run({ ...named(name), ...more }, world);
const end = (name: string, ending: 'completed' | 'superseded') => endPlanChange.run({ ...named(name), ending }, world);
const abandon = (name: string, more: object = {}) =>
  abandonPlanChange.run({ ...named(name), failure: { ...failure, ...more } }, world);
const tenant = () => world.registry.tenants.require(tenantId);
const change = (name: string) => world.registry.planChanges.require(named(name).operation);
const failure = { step: 'MoveTenant', error: 'MigrationFailed', cause: 'CutOver: the copy differs' };

/** What the nested move does: the tenant is at another place. */
const moveTo = async (isolation: string, operation = `migrate-${tenantId}`): Promise<void> => {
  const placement = await world.registry.placements.reserve({
    tenantId,
    operation,
    plan: 'enterprise',
    isolation: isolation as 'database',
    from: { cell: 'eu-1', tier: 'shared', isolation: 'pooled' },
  });
  await world.registry.placements.activate(tenantId, placement.id);
};

describe('a change of plan that moves nothing', () => {
  test('is written when its turn comes, twice or not, and ends with its lease free', async () => {
    await open('a', { plan: 'pro', users: 40 });
    await open('a', { plan: 'pro', users: 40 });
    expect(await turn('a')).toMatchObject({ turn: 'stay', tier: 'shared', isolation: 'pooled' });
    expect(await turn('a')).toMatchObject({ turn: 'stay' });
    expect(await apply('a')).toMatchObject({ result: 'applied', redeploy: false });
    expect(await apply('a')).toMatchObject({ result: 'applied', redeploy: false });
    const outcome = { outcome: 'succeeded', plan: 'pro', tier: 'shared', isolation: 'pooled', moved: false };
    expect(await end('a', 'completed')).toEqual({ tenantId, ...outcome });
    expect(await abandon('a')).toMatchObject({ stands: outcome });
    expect(await end('a', 'completed')).toEqual({ tenantId, ...outcome });
    expect(await tenant()).toMatchObject({ plan: 'pro', users: 40 });
    expect(await change('a')).toMatchObject({ status: 'completed', previous: { plan: 'starter' } });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
  });

  test('brings a domain whose route waits for its proof, and takes both away again', async () => {
    const domain = `chat.${tenantId}.example`;
    await open('a', { plan: 'pro', tier: 'shared', customDomain: domain });
    await turn('a');
    await apply('a');
    await end('a', 'completed');
    expect(await world.registry.routes.of(tenantId)).toContainEqual(
      expect.objectContaining({ host: domain, kind: 'custom', state: 'off' }),
    );
    await open('b', { plan: 'pro', customDomain: null });
    await turn('b');
    await apply('b');
    await end('b', 'completed');
    expect((await world.registry.routes.of(tenantId)).map(({ kind }) => kind)).toEqual(['subdomain']);
    expect(await tenant()).toMatchObject({ customDomain: null });
  });

  test('to a domain of another tenant is refused before anything is written', async () => {
    await open('a', { plan: 'pro', tier: 'shared', customDomain: 'chat.taken.example' });
    await turn('a');
    await apply('a');
    await end('a', 'completed');
    const signup = { operation: `provision-${tenantId}-x`, tenantId: `${tenantId}-x` };
    await claimTenant.run({ ...signup, execution: 'arn' }, world);
    await placeTenant.run(signup, world);
    await activateTenant.run(signup, world);
    const other = { operation: `change-${tenantId}-x`, tenantId: signup.tenantId };
    const wish = { plan: 'pro', tier: 'shared', customDomain: 'chat.taken.example' };
    await openPlanChange.run({ ...other, execution: 'arn', ...wish }, world);
    await expect(takeTurn.run(other, world)).rejects.toMatchObject({ name: 'TenantExists' });
  });
});

describe('a change of plan that moves the tenant', () => {
  test('frees the lease for the move and is written when the tenant is where it was to go', async () => {
    await open('a', { plan: 'enterprise', windowSeconds: 60 });
    expect(await turn('a')).toMatchObject({ turn: 'move', isolation: 'database', windowSeconds: 60 });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await turn('a')).toMatchObject({ turn: 'move' });
    await moveTo('database');
    expect(await apply('a')).toMatchObject({ result: 'applied', isolation: 'database' });
    expect(await end('a', 'completed')).toMatchObject({ plan: 'enterprise', isolation: 'database', moved: true });
  });

  test('leaves the old plan when the move failed', async () => {
    await open('a', { plan: 'enterprise' });
    await turn('a');
    expect(await apply('a', { failure })).toEqual({ result: 'not-moved', redeploy: false });
    expect(await abandon('a')).toMatchObject({
      failedStep: 'MoveTenant',
      reason: expect.stringContaining('the copy differs'),
    });
    expect(await tenant()).toMatchObject({ plan: 'starter', isolation: 'pooled' });
    expect(await change('a')).toMatchObject({ status: 'failed' });
  });

  test('counts by where the tenant is: a move whose answer was lost is no failure', async () => {
    await open('a', { plan: 'enterprise' });
    await turn('a');
    await moveTo('database');
    expect(await apply('a', { failure })).toMatchObject({ result: 'applied' });
    expect(await tenant()).toMatchObject({ plan: 'enterprise' });
  });

  test('is not written where somebody else moved the tenant in between', async () => {
    await open('a', { plan: 'enterprise' });
    await turn('a');
    await expect(apply('a')).rejects.toMatchObject({
      name: 'MoveRefused',
      message: expect.stringContaining('is at tier shared, pooled, not at tier shared, database'),
    });
    expect(await tenant()).toMatchObject({ plan: 'starter' });
  });

  test('waits again when another operation was faster than its move', async () => {
    await open('a', { plan: 'enterprise' });
    await turn('a');
    const busy = { ...failure, cause: JSON.stringify({ errorType: 'TenantBusy', errorMessage: 'held' }) };
    expect(await apply('a', { failure: busy })).toEqual({ result: 'busy', redeploy: false });
    expect(await apply('a', { failure: busy })).toEqual({ result: 'busy', redeploy: false });
    expect(await change('a')).toMatchObject({ status: 'waiting', decision: null });
    expect(await turn('a')).toMatchObject({ turn: 'move' });
  });
});

describe('the turn of a change', () => {
  test('does not come while another operation holds the tenant, and it keeps no lease meanwhile', async () => {
    const holder = `back-up-${tenantId}`;
    await world.registry.leases.hold({ tenantId, holder, seconds: 60 });
    await open('a', { plan: 'pro' });
    expect(await turn('a')).toMatchObject({ turn: 'wait', reason: expect.stringContaining(holder) });
    await world.registry.leases.release({ tenantId, holder });
    expect(await turn('a')).toMatchObject({ turn: 'stay' });
  });

  test('goes to the last of many wishes: those before it end as superseded and change nothing', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    await Promise.all(names.map((name, index) => open(name, { plan: 'pro', users: index })));
    const all = await world.registry.planChanges.list({ tenantId, limit: 20 });
    const waiting = all.filter(({ status }) => status === 'waiting');
    expect(waiting).toHaveLength(1);
    expect(all.filter(({ status }) => status === 'superseded')).toHaveLength(9);
    const last = names.find((name) => named(name).operation === waiting[0]!.operationId)!;
    for (const name of names.filter((one) => one !== last)) {
      expect(await turn(name)).toMatchObject({ turn: 'superseded' });
      expect(await end(name, 'superseded')).toMatchObject({ outcome: 'superseded', plan: 'starter', moved: false });
    }
    expect(await turn(last)).toMatchObject({ turn: 'stay' });
    await apply(last);
    await end(last, 'completed');
    expect(await tenant()).toMatchObject({ plan: 'pro', users: waiting[0]!.wish.users });
  });

  test('that has come is not taken away by a later wish, which waits for its end', async () => {
    await open('a', { plan: 'enterprise' });
    expect(await turn('a')).toMatchObject({ turn: 'move' });
    await open('b', { plan: 'pro' });
    expect(await turn('b')).toEqual({ turn: 'wait', reason: `plan change ${named('a').operation} is at work` });
    expect(await change('a')).toMatchObject({ status: 'running' });
    await abandon('a');
    expect(await turn('b')).toMatchObject({ turn: 'stay' });
  });

  test('that is given back goes to a later wish', async () => {
    await open('a', { plan: 'enterprise' });
    await turn('a');
    await open('b', { plan: 'pro' });
    await apply('a', { failure: { ...failure, cause: '{"errorType":"TenantBusy","errorMessage":"held"}' } });
    expect(await turn('a')).toMatchObject({ turn: 'superseded' });
    expect(await turn('b')).toMatchObject({ turn: 'stay' });
  });

  test('waits for an open move that is on its way, and closes one that could be taken back', async () => {
    await open('a', { plan: 'pro' });
    const { id } = await world.registry.placements.require(tenantId);
    const place = { isolation: 'pooled', cell: 'eu-1', server: null, database: null, tier: 'shared' } as const;
    const move = await world.registry.moves.plan({
      tenantId,
      operationId: `migrate-${tenantId}`,
      sourcePlacement: id,
      targetPlacement: null,
      source: place,
      target: place,
      mode: 'live',
      preflight: [],
      estimate: estimateMove([]),
      windowSeconds: 60,
      dryRun: false,
    });
    expect(await turn('a')).toEqual({ turn: 'wait', reason: `move ${move.id} is planned` });
    await world.registry.moves.note(move.id, { phase: 'switched' });
    expect(await turn('a')).toMatchObject({ turn: 'close-window' });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    await world.registry.moves.end(move.id, 'finished');
    expect(await turn('a')).toMatchObject({ turn: 'stay' });
  });
});

describe('a change of plan that ends badly', () => {
  test('after the plan was written leaves the old one, domain and all', async () => {
    await open('a', { plan: 'pro', tier: 'shared', users: 9, customDomain: `chat.${tenantId}.example` });
    await turn('a');
    await apply('a');
    expect(await revertPlanChange.run(named('a'), world)).toEqual({ plan: 'starter' });
    // One that was thought dead lands late: the end has the last word.
    await apply('a');
    await abandon('a', { step: 'ResizeApp' });
    expect(await tenant()).toMatchObject({ plan: 'starter', users: null, customDomain: null });
    expect((await world.registry.routes.of(tenantId)).map(({ kind }) => kind)).toEqual(['subdomain']);
    for (const late of [
      () => apply('a'),
      () => revertPlanChange.run(named('a'), world),
      () => open('a', { plan: 'pro' }),
    ])
      await expect(late()).rejects.toMatchObject({ name: 'StaleOperation' });
  });

  test('because its execution was stopped leaves the old one too', async () => {
    await open('a', { plan: 'pro' });
    await turn('a');
    await apply('a');
    const { operation } = named('a');
    await closeOperation(world.registry, { operation, kind: 'change-plan', executionArn: 'arn', status: 'ABORTED' });
    expect(await tenant()).toMatchObject({ plan: 'starter' });
    expect(await change('a')).toMatchObject({ status: 'failed' });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'failed' });
  });

  test('is refused at once for a plan that there is not, and for what the plan does not allow', async () => {
    await expect(open('a', { plan: 'gold' })).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringContaining('plan must be one of starter, pro, enterprise (got "gold")'),
    });
    await expect(open('b', { plan: 'pro', tier: 'cluster' })).rejects.toMatchObject({ name: 'PlanForbids' });
    await open('c', { plan: 'pro', isolation: 'server', force: true, reason: 'a trial' });
    expect(await turn('c')).toMatchObject({ turn: 'move', isolation: 'server' });
  });

  test('of a tenant that leaves is refused', async () => {
    await open('a', { plan: 'pro' });
    await world.registry.tenants.move(tenantId, { from: ['active'], to: 'deprovisioning', operation: 'leave' });
    await expect(turn('a')).rejects.toMatchObject({ name: 'TenantNotReady' });
    expect(await world.registry.leases.get(tenantId)).not.toMatchObject({ holder: named('a').operation });
    await expect(open('b', { plan: 'pro' })).rejects.toMatchObject({ name: 'TenantNotReady' });
  });
});
