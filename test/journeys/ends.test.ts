import { DescribeStateMachineCommand, UpdateStateMachineCommand } from '@aws-sdk/client-sfn';
import { describe, expect, test } from 'vitest';
import { loadChat } from '../../sample-app/load.ts';
import { until } from '../cloud.ts';
import {
  cloud,
  control,
  expectClosed,
  newTenant,
  objectsOf,
  operationOf,
  pool,
  resultsOf,
  rowsOf,
  signedUp,
  steps,
  stop,
  tenantId,
  tenantNow,
  tenantNumber,
} from './endings.ts';

describe('a signup that is stopped', () => {
  test('before it touched a database leaves nothing, and may be tried again', async () => {
    await newTenant();
    const operation = `provision-${tenantId}`;
    const held = steps.hold('PlaceTenant', operation, 'before');
    const arn = await cloud.start('provision-tenant', { tenantId, plan: 'starter' }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'TenantProvisioningFailed', /^stopped by hand in Step Functions$/);
    expect(await tenantNow()).toBeUndefined();
    expect((await held.release()).payload).toContain('StaleOperation');
    expect(await rowsOf('SELECT 1 FROM placements WHERE tenant_id = $1', [tenantId])).toEqual([]);
    const again = await cloud.api<{ operation: string }>('POST', `/operations/${operation}/redrive`);
    expect(again.status).toBe(202);
    await cloud.eventually(`SELECT 1 FROM operations WHERE id = $1 AND status = 'succeeded'`, [again.body.operation]);
  });

  test('after that keeps the name as failed until it is deleted, and a late step changes nothing', async () => {
    await newTenant();
    const operation = `provision-${tenantId}`;
    const held = steps.hold('ActivateTenant', operation, 'before');
    const arn = await cloud.start('provision-tenant', { tenantId, plan: 'starter' }, operation);
    await held.reached;
    await stop(arn, { error: 'Stopped', cause: 'stopped by ada: typo' });
    await expectClosed(operation, 'TenantProvisioningFailed', /^stopped by ada: typo$/, 'PrepareDatabase');
    expect((await held.release()).payload).toContain('StaleOperation');
    expect(await tenantNow()).toBe('failed');
    expect(await cloud.api('POST', `/operations/${operation}/redrive`)).toMatchObject({
      status: 409,
      body: { code: 'tenant-exists', detail: expect.stringContaining('delete the tenant') },
    });
    const deleted = await cloud.run('deprovision-tenant', { tenantId, graceSeconds: 0 });
    expect(deleted, deleted.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect((await pool.query('SELECT 1 FROM tenantry.tenants WHERE tenant_id = $1', [tenantId])).rows).toEqual([]);
    expect(await tenantNow()).toBe('deprovisioned');
  });
});

describe('a backup that is stopped', () => {
  test('while its archive is written is failed, its objects go, and it may be tried again', async () => {
    await signedUp();
    const operation = `back-up-${tenantId}`;
    const held = steps.hold('DumpDatabase', operation, 'after');
    const arn = await cloud.start('back-up-tenant', { tenantId }, operation);
    await held.reached;
    expect(
      await objectsOf((await rowsOf('SELECT id FROM backups WHERE operation_id = $1', [operation]))[0]!.id),
    ).toBeGreaterThan(0);
    await stop(arn);
    await held.release();
    await expectClosed(operation, 'TenantBackupFailed', /^stopped by hand/, 'DumpDatabase');
    const [backup] = await rowsOf('SELECT id, status, reason FROM backups WHERE operation_id = $1', [operation]);
    expect(backup).toMatchObject({ status: 'failed', reason: 'stopped by hand in Step Functions' });
    await until('the objects are gone', async () => ((await objectsOf(backup!.id)) === 0 ? true : undefined));
    const again = await cloud.api<{ operation: string }>('POST', `/operations/${operation}/redrive`);
    expect(again.status).toBe(202);
    await cloud.eventually(`SELECT 1 FROM backups WHERE operation_id = $1 AND status = 'sealed'`, [
      again.body.operation,
    ]);
  });

  test('by the limit of its machine says that it timed out', async () => {
    await signedUp();
    const stateMachineArn = cloud.machineArn('back-up-tenant');
    const { definition } = await cloud.states.send(new DescribeStateMachineCommand({ stateMachineArn }));
    const limited = JSON.stringify({ ...JSON.parse(definition!), TimeoutSeconds: 1 });
    const operation = `back-up-late-${tenantId}`;
    const held = steps.hold('SealBackup', operation, 'before');
    try {
      await cloud.states.send(new UpdateStateMachineCommand({ stateMachineArn, definition: limited }));
      await cloud.start('back-up-tenant', { tenantId }, operation);
    } finally {
      await cloud.states.send(new UpdateStateMachineCommand({ stateMachineArn, definition: definition! }));
    }
    await held.reached;
    await expectClosed(operation, 'TenantBackupFailed', /^timed out: its machine's limit was reached after 1 s$/);
    expect((await held.release()).payload).toMatch(/StaleOperation|BackupIncomplete/);
    expect(await rowsOf('SELECT status FROM backups WHERE operation_id = $1', [operation])).toEqual([
      { status: 'failed' },
    ]);
  });

  test('of the whole fleet frees every tenant and counts what has no archive', async () => {
    await signedUp();
    const operation = `fleet-${tenantId}`;
    const held = steps.hold('SealBackup', operation, 'before');
    const arn = await cloud.start('back-up-fleet', { tenantIds: [tenantId] }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'FleetBackedUp', /^stopped by hand/);
    expect((await resultsOf(operation))[0]!.detail).toEqual({ operation, tenants: 1, sealed: 0, failed: 1 });
    await held.release();
  });
});

describe('a restore that is stopped', () => {
  const restore = { into: 'in-place', approval: 'given' };
  const messages = async (): Promise<number> =>
    (await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM messages WHERE tenant_id = $1', [tenantId]))
      .rows[0]!.n;
  const restoreOf = async (operation: string) =>
    (await rowsOf('SELECT id, status, failure, staging_schema FROM restores WHERE operation_id = $1', [operation]))[0]!;

  const damaged = async (): Promise<void> => {
    await signedUp();
    await loadChat(pool, { tenantId, users: 3, messages: 20, seed: tenantNumber });
    expect(await cloud.run('back-up-tenant', { tenantId })).toMatchObject({ status: 'SUCCEEDED' });
    await pool.query(`SET session_replication_role = replica`);
    await pool.query('DELETE FROM reactions WHERE tenant_id = $1', [tenantId]);
    await pool.query(`SET session_replication_role = origin`);
  };

  const settled = (operation: string) =>
    cloud.eventually<{ status: string; reason: string }>(
      'SELECT status, reason FROM operations WHERE id = $1 AND ended_at IS NOT NULL',
      [operation],
    );

  test('before its swap changes no row, and discarding drops its copy', async () => {
    await damaged();
    const operation = `restore-${tenantId}`;
    const held = steps.hold('CompareRestore', operation, 'before');
    const arn = await cloud.start('restore-tenant', { tenantId, ...restore, tables: ['reactions'] }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'TenantRestoreFailed', /^stopped by hand/);
    expect((await held.release()).payload).toContain('StaleOperation');
    const { id, status, failure, staging_schema } = await restoreOf(operation);
    expect(status).toBe('failed');
    expect(failure).toContain(`stays in the database until restore ${String(id)} is discarded`);
    const staged = () => pool.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [staging_schema]);
    expect((await staged()).rows).toHaveLength(1);
    const discard = await cloud.api<{ operation: string }>('POST', `/restores/${String(id)}/discard`);
    expect(discard.status).toBe(202);
    expect(await settled(discard.body.operation)).toMatchObject([{ status: 'succeeded' }]);
    expect((await staged()).rows).toEqual([]);
  });

  test('with its safety backup under way ends that too, under its own name', async () => {
    await damaged();
    const operation = `restore-safe-${tenantId}`;
    const held = steps.hold('DumpDatabase', operation, 'before');
    const arn = await cloud.start('restore-tenant', { tenantId, ...restore, tables: ['reactions'] }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'TenantRestoreFailed', /^stopped by hand/);
    const [nested] = await rowsOf('SELECT id FROM operations WHERE parent = $1', [operation]);
    await expectClosed(
      String(nested!.id),
      'TenantBackupFailed',
      new RegExp(`^stopped together with operation ${operation}$`),
    );
    expect((await held.release()).payload).toContain('StaleOperation');
    expect(await cloud.api('POST', `/operations/${String(nested!.id)}/redrive`)).toMatchObject({
      status: 409,
      body: { code: 'operation-over', detail: expect.stringContaining(`part of operation ${operation}`) },
    });
  });

  test('after its swap was committed, but unheard, is found out by discarding, and can be undone', async () => {
    await damaged();
    const before = await messages();
    await pool.query(`SET session_replication_role = replica`);
    await pool.query('DELETE FROM activity WHERE tenant_id = $1', [tenantId]);
    await pool.query(`SET session_replication_role = origin`);
    const operation = `restore-unheard-${tenantId}`;
    const held = steps.hold('SwapRestore', operation, 'after');
    const arn = await cloud.start('restore-tenant', { tenantId, ...restore, tables: ['activity'] }, operation);
    await held.reached;
    // As if the handler had died between its two commits: in the tenant's database and in the registry.
    await control.query(
      `UPDATE restores SET status = 'compared', result = NULL, undo_until = NULL, swapped_at = NULL WHERE operation_id = $1`,
      [operation],
    );
    await stop(arn);
    await expectClosed(operation, 'TenantRestoreFailed', /^stopped by hand/, 'SwapRestore');
    const { id, failure } = await restoreOf(operation);
    expect(failure).toContain('the swap had begun');
    const discard = await cloud.api<{ operation: string }>('POST', `/restores/${String(id)}/discard`);
    expect(await settled(discard.body.operation)).toMatchObject([
      { status: 'failed', reason: expect.stringContaining('was swapped in before') },
    ]);
    expect(await restoreOf(operation)).toMatchObject({ status: 'swapped' });
    const undo = await cloud.api<{ operation: string }>('POST', `/restores/${String(id)}/undo`);
    expect(await settled(undo.body.operation)).toMatchObject([{ status: 'succeeded' }]);
    expect((await pool.query('SELECT 1 FROM activity WHERE tenant_id = $1', [tenantId])).rows).toEqual([]);
    expect(await messages()).toBe(before);
  });
});

describe('an offboarding that is stopped', () => {
  test('in its grace period brings the tenant back, and may be asked for again', async () => {
    await signedUp();
    const operation = `deprovision-${tenantId}`;
    const arn = await cloud.start('deprovision-tenant', { tenantId, graceSeconds: 3_600 }, operation);
    await until('the grace period begins', async () => ((await tenantNow()) === 'deprovisioning' ? true : undefined));
    await stop(arn);
    await expectClosed(operation, 'TenantDeprovisioningFailed', /^stopped by hand/);
    expect(await tenantNow()).toBe('active');
    expect(await rowsOf('SELECT state FROM routes WHERE tenant_id = $1', [tenantId])).toEqual([{ state: 'on' }]);
    // The final backup ran inside it; whatever it had come to, it has an end of its own.
    await cloud.eventually(
      `SELECT 1 WHERE NOT EXISTS (SELECT FROM operations WHERE parent = $1 AND ended_at IS NULL)`,
      [operation],
    );
    expect((await cloud.api('POST', `/operations/${operation}/redrive`)).status).toBe(202);
  });

  test('after rows were deleted leaves it failed and off, and deleting it again goes through', async () => {
    await signedUp();
    const operation = `deprovision-${tenantId}`;
    const held = steps.hold('VerifyGone', operation, 'before');
    const arn = await cloud.start('deprovision-tenant', { tenantId, graceSeconds: 0 }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'TenantDeprovisioningFailed', /^stopped by hand/);
    await held.release();
    expect(await tenantNow()).toBe('failed');
    expect(await rowsOf('SELECT state FROM routes WHERE tenant_id = $1', [tenantId])).toEqual([{ state: 'off' }]);
    const again = await cloud.api<{ operation: string }>('POST', `/operations/${operation}/redrive`);
    expect(again.status).toBe(202);
    const stopped = again.body.operation;
    await until('the second grace period begins', async () =>
      (await tenantNow()) === 'deprovisioned' ? true : undefined,
    );
    expect(await operationOf(stopped)).toMatchObject({ status: 'succeeded' });
  });

  test('for the second time does not call a failed tenant active', async () => {
    await newTenant();
    const signup = `provision-${tenantId}`;
    const held = steps.hold('ActivateTenant', signup, 'before');
    const signingUp = await cloud.start('provision-tenant', { tenantId }, signup);
    await held.reached;
    await stop(signingUp);
    await expectClosed(signup, 'TenantProvisioningFailed', /^stopped by hand/);
    await held.release();
    const operation = `deprovision-${tenantId}`;
    const arn = await cloud.start('deprovision-tenant', { tenantId, graceSeconds: 3_600 }, operation);
    await until('the grace period begins', async () => ((await tenantNow()) === 'deprovisioning' ? true : undefined));
    await stop(arn);
    await expectClosed(operation, 'TenantDeprovisioningFailed', /^stopped by hand/);
    expect(await tenantNow()).toBe('failed');
  });
});

describe('a compensation that fails for good', () => {
  test('still ends its operation, with both reasons', async () => {
    await newTenant();
    const operation = `provision-${tenantId}`;
    steps.refuse('ReleaseTenant', operation, 'the registry is odd');
    await control.query('UPDATE cells SET open = false');
    const execution = await cloud.ended(await cloud.start('provision-tenant', { tenantId }, operation));
    await control.query('UPDATE cells SET open = true');
    expect(execution).toMatchObject({ status: 'FAILED', error: 'SchemaRefused' });
    await expectClosed(
      operation,
      'TenantProvisioningFailed',
      /^PlaceTenant failed: .+; then clearing up failed for good: the registry is odd$/,
      'PlaceTenant',
    );
    expect(await tenantNow()).toBeUndefined();
  });

  test('of a backup frees the tenant for the next one', async () => {
    await signedUp();
    const operation = `back-up-refused-${tenantId}`;
    steps.refuse('DumpDatabase', operation, 'no room');
    steps.refuse('AbandonBackup', operation, 'nor a way back');
    const execution = await cloud.ended(await cloud.start('back-up-tenant', { tenantId }, operation));
    expect(execution).toMatchObject({ status: 'FAILED' });
    await expectClosed(operation, 'TenantBackupFailed', /nor a way back/);
    expect(await cloud.run('back-up-tenant', { tenantId })).toMatchObject({ status: 'SUCCEEDED' });
  });
});
