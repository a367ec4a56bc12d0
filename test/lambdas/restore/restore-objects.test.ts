import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { restoreSetUpSql } from '../../../adapters/restore/effects.ts';
import type { World } from '../../../adapters/world.ts';
import { StepFailure } from '../../../domain/errors.ts';
import { handler as exportWorkload } from '../../../lambdas/backup/export-workload.ts';
import { handler as deployWorkload } from '../../../lambdas/placement/deploy-workload.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { handler as abandonRestore } from '../../../lambdas/restore/abandon-restore.ts';
import { handler as finishRestore } from '../../../lambdas/restore/finish-restore.ts';
import { handler as planObjects } from '../../../lambdas/restore/plan-objects.ts';
import { handler as planRestore } from '../../../lambdas/restore/plan-restore.ts';
import { handler as restoreObjects } from '../../../lambdas/restore/restore-objects.ts';
import { startTestClusters, type TestClusters } from '../../adapters/cluster/control-plane.ts';
import { type BackupLaptop, startBackupLaptop } from '../backup/backup-laptop.ts';

let laptop: BackupLaptop;
let clusters: TestClusters;
let world: World;
let cluster: Cluster;
/** Set while the cluster does not answer. */
let away = false;

const tenantId = 'acme';
let namespace = '';
let backupId = '';
let operation = '';
let number = 0;

/** `holder`: the restore whose safety backup it is. */
const backUp = async (id: string, more: { holder?: string } = {}): Promise<string> => {
  const { open, dump, seal } = laptop.steps(id);
  const slice = await open([tenantId], more);
  const { failed } = await dump(slice, more);
  await exportWorkload.run({ operation: id, backups: slice.backups, ...more }, world).catch(() => undefined);
  await seal(slice, { failed, ...more });
  return slice.backups[0]!.backupId;
};

beforeAll(async () => {
  [laptop, clusters] = await Promise.all([startBackupLaptop(), startTestClusters()]);
  cluster = clusters.cluster('shared');
  await laptop.world.registry.clusters.upsert({ id: 'shared', cell: 'eu-1', region: 'eu-central-1', capacity: 50 });
  const open = async () => {
    if (away) throw new StepFailure('ClusterUnavailable', 'cluster shared does not answer');
    return cluster;
  };
  world = Object.create(laptop.world, {
    ownApps: {
      value: {
        image: 'app:1',
        ingressClass: 'alb',
        databaseCidrs: ['10.0.0.0/8'],
        ingressCidrs: ['10.0.0.0/8'],
        environment: {},
        secretId: 'tenantry/app',
      },
    },
    findCluster: { value: open },
    cluster: { value: open },
  }) as World;
  const master = await world.databases.connect((await world.registry.cells.get('eu-1'))!, 'migrate');
  await master.query(restoreSetUpSql('tenantry_restore'));
  await master.end();
  const step = { operation: 'provision', tenantId };
  await claimTenant.run({ ...step, execution: 'arn', plan: 'starter' }, world);
  await placeTenant.run({ ...step, tier: 'namespace' }, world);
  await prepareDatabase.run(step, world);
  await deployWorkload.run(step, world);
  await activateTenant.run(step, world);
  namespace = (await world.registry.placements.require(tenantId)).namespace!;
  await laptop.signUp('shared');
  backupId = await backUp('back-up');
});
afterAll(async () => {
  await Promise.all([laptop?.stop(), clusters?.stop()]);
});
/** Nobody ends the operation of a plan that was refused here. */
beforeEach(async () => {
  await laptop.sql.query('UPDATE leases SET holder = NULL WHERE tenant_id = $1', [tenantId]);
  number += 1;
  operation = `restore-${number}`;
});

const plan = (input: object) =>
  planRestore.run({ operation, execution: 'arn', tenantId, approval: 'given', ...input }, world);
const about = (restoreId: string) => ({ operation, tenantId, restoreId });
const service = { apiVersion: 'v1', kind: 'Service', name: 'app' };
const config = async () =>
  (await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'app' }))!.data as Record<string, string>;
const recolour = (data: object) =>
  cluster.apply([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app', namespace }, data: { ...data } }], {
    fieldManager: 'kubectl-edit',
  });
const endBadly = (restoreId: string) =>
  abandonRestore.run(
    { ...about(restoreId), failure: { step: 'AwaitWorkload', error: 'WorkloadRefused', cause: 'no image' } },
    world,
  );

describe('a restore of the Kubernetes objects of a backup', () => {
  test('sets them back in place, rows untouched, and says how many and how to take it back', async () => {
    await cluster.remove({ ...service, namespace });
    await recolour({ DATABASE_HOST: 'wrong.example.com' });
    const planned = await plan({ objects: {} });
    expect(planned).toMatchObject({
      backupId,
      into: 'in-place',
      tables: [],
      hasRows: false,
      hasObjects: true,
      approval: false,
    });
    const step = about(planned.restoreId);
    expect(await planObjects.run(step, world)).toMatchObject({ changed: 2, left: 1 });
    expect(await cluster.get({ ...service, namespace })).toBeUndefined();
    const safetyBackupId = await backUp(`safety-${number}`, { holder: operation });
    const restore = () => restoreObjects.run({ ...step, safetyBackupId }, world);
    expect(await restore()).toEqual({ changed: 2, restarted: true });
    // The answer was lost: the repeat tells what the first attempt did.
    expect(await restore()).toEqual({ changed: 2, restarted: true });
    expect(await cluster.get({ ...service, namespace })).toBeDefined();
    expect((await config()).DATABASE_HOST).not.toBe('wrong.example.com');
    const finished = { restoreId: planned.restoreId, status: 'restored', objects: 2 };
    expect(await finishRestore.run({ ...step, outcome: 'restored' }, world)).toEqual(finished);
    expect(await finishRestore.run({ ...step, outcome: 'restored' }, world)).toEqual(finished);
    const done = (await world.registry.operations.get(operation))!;
    expect(done).toMatchObject({ status: 'succeeded', outcome: { ...finished, safetyBackupId } });
    const { differences } = done.outcome as { differences: string[] };
    expect(differences).toContain(`+ v1 Service ${namespace}/app`);
    expect(differences.join('\n')).toMatch(/data\.DATABASE_HOST: "wrong\.example\.com" -> /);
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
  });

  test('as a dry run changes nothing, and its outcome are the differences', async () => {
    await recolour({ BY_HAND: '1' });
    const { restoreId, approval } = await plan({
      objects: { kinds: ['configmap'] },
      dryRun: true,
      approval: 'required',
    });
    expect(approval).toBe(false);
    await planObjects.run(about(restoreId), world);
    expect(await finishRestore.run({ ...about(restoreId), outcome: 'previewed' }, world)).toMatchObject({ objects: 1 });
    expect((await world.registry.operations.get(operation))!.outcome).toMatchObject({
      status: 'previewed',
      differences: [
        `~ v1 ConfigMap ${namespace}/app`,
        '    data.BY_HAND: "1" -> none',
        '~ the pods of the app start anew: what they read changes',
        '1 of 1 objects differ',
      ],
    });
    expect(await config()).toMatchObject({ BY_HAND: '1' });
  });

  test('asks for approval as every restore in place does', async () => {
    expect(await plan({ objects: {}, approval: 'required' })).toMatchObject({ approval: true });
    const { restoreId } = (await world.registry.restores.ofOperation(operation)).map(({ id }) => ({
      restoreId: id,
    }))[0]!;
    await endBadly(restoreId);
  });

  test('changes nothing unless its safety backup has the objects as they are', async () => {
    const { restoreId } = await plan({ objects: {} });
    await planObjects.run(about(restoreId), world);
    away = true;
    const safetyBackupId = await backUp(`safety-${number}`, { holder: operation });
    away = false;
    const before = await config();
    await expect(restoreObjects.run({ ...about(restoreId), safetyBackupId }, world)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/cluster shared does not answer.*nothing was changed/),
    });
    expect(await config()).toEqual(before);
    expect((await endBadly(restoreId)).reason).toBe('no image');
  });

  test('that fails behind its first object says which backup takes it back', async () => {
    const { restoreId } = await plan({ objects: {} });
    await planObjects.run(about(restoreId), world);
    const safetyBackupId = await backUp(`safety-${number}`, { holder: operation });
    await restoreObjects.run({ ...about(restoreId), safetyBackupId }, world);
    const { reason } = await endBadly(restoreId);
    expect(reason).toContain(`no image; Kubernetes objects had been set back`);
    expect(reason).toContain(`npx tenantry restore acme --objects --backup ${safetyBackupId} --confirm acme`);
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'failed', reason });
    expect(await world.registry.restores.get(restoreId)).toMatchObject({ status: 'failed' });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
  });

  test('comes with the rows of named tables, or of the whole tenant', async () => {
    expect(await plan({ objects: {}, tables: ['users'] })).toMatchObject({
      tables: ['public.users'],
      hasRows: true,
      hasObjects: true,
      into: 'in-place',
    });
    await endBadly((await world.registry.restores.ofOperation(operation))[0]!.id);
    operation += '-whole';
    const { tables } = await plan({ objects: { withRows: true } });
    expect(tables.length).toBeGreaterThan(5);
    await endBadly((await world.registry.restores.ofOperation(operation))[0]!.id);
  });

  test.each([
    [
      'of a kind that the backup has none of',
      { objects: { kinds: ['StatefulSet'] } },
      'InvalidStepInput',
      /objects\.kinds: backup .* "StatefulSet".*it has ConfigMap/,
    ],
    [
      'of a name that is not in it',
      { objects: { names: ['db2'] } },
      'InvalidStepInput',
      /objects\.names: .* "db2" \(did you mean db\?\)/,
    ],
    ['beside the live ones', { objects: {}, into: 'copy' }, 'InvalidStepInput', /into copy with objects/],
    [
      'with a copy of rows',
      { objects: {}, action: 'swap', restoreId: 'r-000000000000' },
      'InvalidStepInput',
      /action swap/,
    ],
    ['of an unknown backup', { objects: {}, backupId: 'b-none' }, 'BackupNotFound', /b-none/],
    ['with a filter that is misspelt', { objects: { kind: ['Service'] } }, 'InvalidStepInput', /kind/],
  ])('%s is refused before anything is read', async (_what, input, name, message) => {
    await expect(plan(input)).rejects.toMatchObject({ name, message: expect.stringMatching(message) });
    expect(await world.registry.restores.ofOperation(operation)).toEqual([]);
  });

  test('of a backup that has none is refused with the reason, and passed over where none is named', async () => {
    away = true;
    const without = await backUp(`without-${number}`);
    away = false;
    await expect(plan({ objects: {}, backupId: without })).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/has no Kubernetes objects, they are missing: .*does not answer; these have: /),
    });
    operation += '-newest';
    await laptop.sql.query('UPDATE leases SET holder = NULL WHERE tenant_id = $1', [tenantId]);
    expect((await plan({ objects: {} })).backupId).not.toBe(without);
    await endBadly((await world.registry.restores.ofOperation(operation))[0]!.id);
  });

  test('of a tenant in the shared app is refused', async () => {
    await expect(plan({ tenantId: 'shared', objects: {} })).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringContaining('the app of tenant shared is the shared one'),
    });
  });
});
