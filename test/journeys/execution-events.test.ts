import { DisableRuleCommand, EnableRuleCommand, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, test } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { until } from '../cloud.ts';
import {
  bus,
  cloud,
  control,
  deliver,
  endEvent,
  expectClosed,
  lambda,
  newTenant,
  operationOf,
  registryNow,
  resultsOf,
  rowsOf,
  signedUp,
  steps,
  stop,
  tenantId,
  tenantNow,
} from './endings.ts';

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
