import {
  DisableRuleCommand,
  EnableRuleCommand,
  EventBridgeClient,
  PutEventsCommand,
} from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  ListExecutionsCommand,
  StopExecutionCommand,
  UpdateStateMachineCommand,
} from '@aws-sdk/client-sfn';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud, until } from '../cloud.ts';
import { openHeldSteps } from './held-steps.ts';

vi.setConfig({ testTimeout: 60_000 });

const steps = openHeldSteps();
let cloud: TestCloud;
let control: pg.Client;
let pool: pg.Client;
let lambda: LambdaClient;
let bus: EventBridgeClient;
let s3: S3Client;

beforeAll(async () => {
  cloud = await startTestCloud({ interpose: steps.interpose });
  control = await cloud.admin('control');
  pool = await cloud.admin('pool');
  const options = {
    endpoint: cloud.cloud.endpoint,
    region: cloud.cloud.region,
    credentials: cloud.cloud.credentials,
  };
  lambda = new LambdaClient(options);
  bus = new EventBridgeClient(options);
  s3 = new S3Client({ ...options, forcePathStyle: true });
});
afterAll(async () => {
  for (const client of [lambda, bus, s3]) client?.destroy();
  await cloud?.close();
});

let number = 0;
let tenantId = '';
/** A new tenant for every test; it has rows where the test asks for them. */
const newTenant = async (): Promise<void> => {
  number += 1;
  tenantId = `ends-${number}`;
};
const signedUp = async (): Promise<void> => {
  await newTenant();
  expect(await cloud.run('provision-tenant', { tenantId, plan: 'starter' })).toMatchObject({ status: 'SUCCEEDED' });
};

const rowsOf = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await control.query(text, values as unknown[])).rows;
const operationOf = async (id: string) => (await rowsOf('SELECT * FROM operations WHERE id = $1', [id]))[0];
const tenantNow = async () => (await rowsOf('SELECT status FROM tenants WHERE id = $1', [tenantId]))[0]?.status;
const stop = (executionArn: string, why: { error?: string; cause?: string } = {}) =>
  cloud.states.send(new StopExecutionCommand({ executionArn, ...why }));
const resultsOf = (operation: string) =>
  cloud.eventually<{ detail_type: string; detail: Record<string, unknown> }>(
    `SELECT detail_type, detail FROM events WHERE source = 'tenantry' AND operation = $1`,
    [operation],
  );

/** What holds after every end from outside: failed with a reason, nothing open, no lease, announced once. */
const expectClosed = async (operation: string, detailType: string, reason: RegExp, failedStep?: string) => {
  const results = await resultsOf(operation);
  expect(results.map(({ detail_type }) => detail_type)).toEqual([detailType]);
  const closed = await operationOf(operation);
  expect(closed).toMatchObject({ status: 'failed', reason: expect.stringMatching(reason) });
  if (failedStep) expect(closed?.failed_step).toBe(failedStep);
  if (detailType !== 'FleetBackedUp')
    expect(results[0]!.detail).toMatchObject({
      outcome: 'failed',
      reason: closed?.reason,
      failedStep: closed?.failed_step,
    });
  expect(await rowsOf(`SELECT step FROM steps WHERE operation_id = $1 AND status = 'running'`, [operation])).toEqual(
    [],
  );
  expect(await rowsOf('SELECT tenant_id FROM leases WHERE holder = $1', [operation])).toEqual([]);
  expect(
    await rowsOf(`SELECT id FROM backups WHERE operation_id = $1 AND status IN ('open', 'dumped')`, [operation]),
  ).toEqual([]);
};

/** Whole state of the registry that a late or repeated event must not touch. */
const registryNow = async () => ({
  operations: await rowsOf('SELECT * FROM operations ORDER BY id'),
  tenants: await rowsOf('SELECT * FROM tenants ORDER BY id'),
  leases: await rowsOf('SELECT * FROM leases ORDER BY tenant_id'),
  backups: await rowsOf('SELECT * FROM backups ORDER BY id'),
  restores: await rowsOf('SELECT * FROM restores ORDER BY id'),
  results: await rowsOf(`SELECT * FROM events WHERE source = 'tenantry' ORDER BY sequence`),
});

const endEvent = async (executionArn: string, status: string): Promise<object> => {
  const { stateMachineArn, name, input, error, cause } = await cloud.states.send(
    new DescribeExecutionCommand({ executionArn }),
  );
  return {
    source: 'aws.states',
    'detail-type': 'Step Functions Execution Status Change',
    detail: { executionArn, stateMachineArn, name, status, startDate: 1, stopDate: 2, input, error, cause },
  };
};

const objectsOf = async (backupId: unknown): Promise<number> =>
  (
    await s3.send(
      new ListObjectsV2Command({ Bucket: 'tenantry-archive', Prefix: `t/${tenantId}/${String(backupId)}/` }),
    )
  ).KeyCount ?? 0;

/** Hands events to CloseOperation as its queue does; answers what it left in the queue. */
const deliver = async (...events: readonly object[]): Promise<unknown> => {
  const Records = events.map((event, index) => ({ messageId: `m-${index}`, body: JSON.stringify(event) }));
  const { Payload, FunctionError } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName('CloseOperation'), Payload: JSON.stringify({ Records }) }),
  );
  expect(FunctionError).toBeUndefined();
  return JSON.parse(Buffer.from(Payload!).toString());
};

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
    await loadChat(pool, { tenantId, users: 3, messages: 20, seed: number });
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

describe('events about executions', () => {
  test('that come twice or late change nothing and announce nothing', async () => {
    await signedUp();
    const operation = `back-up-twice-${tenantId}`;
    const held = steps.hold('DumpDatabase', operation, 'before');
    const stoppedArn = await cloud.start('back-up-tenant', { tenantId }, operation);
    await held.reached;
    await stop(stoppedArn);
    await expectClosed(operation, 'TenantBackupFailed', /^stopped by hand/);
    await held.release();
    const well = await cloud.run('back-up-tenant', { tenantId });
    const badly = await cloud.run('back-up-tenant', { tenantId: 'nobody' });
    expect(badly).toMatchObject({ status: 'FAILED', error: 'BackupFailed' });
    await resultsOf(well.name!);
    await resultsOf(badly.name!);
    const before = await registryNow();
    const repeats = [
      await endEvent(stoppedArn, 'ABORTED'),
      await endEvent(well.executionArn!, 'ABORTED'),
      await endEvent(well.executionArn!, 'TIMED_OUT'),
      await endEvent(badly.executionArn!, 'FAILED'),
    ];
    expect(await deliver(...repeats, ...repeats)).toEqual({ batchItemFailures: [] });
    // A marker behind them: once it is recorded, anything that they had announced would be too.
    const marker = await cloud.publish('TenantBackupRequested', { tenantId: 'marker' });
    await cloud.eventually('SELECT 1 FROM events WHERE id = $1', [marker]);
    expect(await registryNow()).toEqual(before);
  });

  test('cannot be forged: the bus takes none of them from a client', async () => {
    const { Entries } = await bus.send(
      new PutEventsCommand({
        Entries: [{ Source: 'aws.states', DetailType: 'Step Functions Execution Status Change', Detail: '{}' }],
      }),
    );
    expect(Entries).toMatchObject([{ ErrorCode: 'NotAuthorizedForSourceException' }]);
  });

  test('of children of a Map and of machines that run no operation are passed over', async () => {
    const before = await registryNow();
    const stateMachineArn = cloud.machineArn('back-up-fleet');
    const child = {
      detail: {
        executionArn: 'a',
        stateMachineArn: `${stateMachineArn}/Slices`,
        name: 'child',
        status: 'FAILED',
        startDate: 1,
        stopDate: 2,
      },
    };
    const nested = {
      detail: { ...child.detail, stateMachineArn: cloud.machineArn('release-placement'), name: 'nested' },
    };
    expect(await deliver(child, nested)).toEqual({ batchItemFailures: [] });
    expect(await registryNow()).toEqual(before);
  });

  test('that nobody can read stay in the queue, the others of the batch do not', async () => {
    const fine = {
      detail: { executionArn: 'a', stateMachineArn: 'b', name: 'c', status: 'FAILED', startDate: 1, stopDate: 2 },
    };
    expect(await deliver({ detail: 'half' }, fine, { detail: { stateMachineArn: 'x' } })).toEqual({
      batchItemFailures: [{ itemIdentifier: 'm-0' }, { itemIdentifier: 'm-2' }],
    });
  });

  test('of an execution that ended before its first step record what became of the request', async () => {
    await newTenant();
    const operation = `restore-unbegun-${tenantId}`;
    const held = steps.hold('PlanRestore', operation, 'before');
    const arn = await cloud.start('restore-tenant', { tenantId }, operation);
    await held.reached;
    await stop(arn);
    await expectClosed(operation, 'TenantRestoreFailed', /^stopped by hand/, '(not started)');
    expect(await operationOf(operation)).toMatchObject({
      tenant_id: tenantId,
      kind: 'restore-tenant',
      execution_arn: arn,
    });
    expect((await held.release()).payload).toContain('StaleOperation');
  });
});

describe('the reaper', () => {
  const ends = { Name: 'tenantry-ends' };
  afterEach(() => bus.send(new EnableRuleCommand(ends)));
  const reap = async (quietSeconds: number): Promise<{ looked: number; closed: string[] }> => {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: functionName('ReapLeases'), Payload: JSON.stringify({ quietSeconds }) }),
    );
    const answer: unknown = JSON.parse(Buffer.from(Payload!).toString());
    expect(FunctionError, JSON.stringify(answer)).toBeUndefined();
    return answer as { looked: number; closed: string[] };
  };

  test('ends what no event told, and leaves alone what runs or was at work just now', async () => {
    await signedUp();
    await bus.send(new DisableRuleCommand(ends));
    const silent = `back-up-silent-${tenantId}`;
    const held = steps.hold('DumpDatabase', silent, 'before');
    const arn = await cloud.start('back-up-tenant', { tenantId }, silent);
    await held.reached;
    await stop(arn);
    await held.release();
    const lost = `back-up-lost-${tenantId}`;
    await control.query(
      `INSERT INTO operations (id, kind, tenant_id, execution_arn) VALUES ($1, 'back-up-tenant', $2, $3)`,
      [lost, tenantId, `${arn}-never`],
    );
    const other = tenantId;
    await signedUp();
    const busy = `deprovision-${tenantId}`;
    const running = await cloud.start('deprovision-tenant', { tenantId, graceSeconds: 3_600 }, busy);
    await until('the grace period begins', async () => ((await tenantNow()) === 'deprovisioning' ? true : undefined));
    expect((await reap(600)).closed).toEqual([]);
    expect(await operationOf(silent)).toMatchObject({ status: 'running' });
    const { closed } = await reap(0);
    expect(closed).toEqual(expect.arrayContaining([silent, lost]));
    expect(closed).not.toContain(busy);
    await expectClosed(silent, 'TenantBackupFailed', /^stopped by hand/);
    await expectClosed(lost, 'TenantBackupFailed', /its execution is gone/, '(not started)');
    expect(await operationOf(busy)).toMatchObject({ status: 'running' });
    expect(await rowsOf('SELECT holder FROM leases WHERE tenant_id = $1', [other])).toEqual([{ holder: null }]);
    expect((await reap(0)).closed).toEqual([]);
    await bus.send(new EnableRuleCommand(ends));
    await stop(running);
  });
});

test('no execution is left running behind an operation that ended', async () => {
  for (const workflow of ['provision-tenant', 'back-up-tenant', 'restore-tenant']) {
    const { executions = [] } = await cloud.states.send(
      new ListExecutionsCommand({ stateMachineArn: cloud.machineArn(workflow), statusFilter: 'RUNNING' }),
    );
    for (const { name } of executions) expect(await operationOf(name!)).not.toHaveProperty('status', 'failed');
  }
});
