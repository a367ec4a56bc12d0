import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, ListExecutionsCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import type pg from 'pg';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { openHeldSteps } from './held-steps.ts';

vi.setConfig({ testTimeout: 60_000 });

/** For all tests of the file that imports this: a cloud whose steps can be held. */
export const steps = openHeldSteps();
export let cloud: TestCloud;
export let control: pg.Client;
export let pool: pg.Client;
export let lambda: LambdaClient;
export let bus: EventBridgeClient;
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

/** No execution is left running behind an operation that ended. */
const expectNoneBehindAnEnd = async (): Promise<void> => {
  for (const workflow of ['provision-tenant', 'back-up-tenant', 'restore-tenant']) {
    const { executions = [] } = await cloud.states.send(
      new ListExecutionsCommand({ stateMachineArn: cloud.machineArn(workflow), statusFilter: 'RUNNING' }),
    );
    for (const { name } of executions) expect(await operationOf(name!)).not.toHaveProperty('status', 'failed');
  }
};

afterAll(async () => {
  try {
    await expectNoneBehindAnEnd();
  } finally {
    for (const client of [lambda, bus, s3]) client?.destroy();
    await cloud?.close();
  }
});

export let tenantNumber = 0;
/** Of the test that runs. */
export let tenantId = '';
/** A new tenant for every test; it has rows where the test asks for them. */
export const newTenant = async (): Promise<void> => {
  tenantNumber += 1;
  tenantId = `ends-${tenantNumber}`;
};
export const signedUp = async (): Promise<void> => {
  await newTenant();
  expect(await cloud.run('provision-tenant', { tenantId, plan: 'starter' })).toMatchObject({ status: 'SUCCEEDED' });
};

export const rowsOf = async (text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await control.query(text, values as unknown[])).rows;
export const operationOf = async (id: string) => (await rowsOf('SELECT * FROM operations WHERE id = $1', [id]))[0];
export const tenantNow = async () => (await rowsOf('SELECT status FROM tenants WHERE id = $1', [tenantId]))[0]?.status;
export const stop = (executionArn: string, why: { error?: string; cause?: string } = {}) =>
  cloud.states.send(new StopExecutionCommand({ executionArn, ...why }));
export const resultsOf = (operation: string) =>
  cloud.eventually<{ detail_type: string; detail: Record<string, unknown> }>(
    `SELECT detail_type, detail FROM events WHERE source = 'tenantry' AND operation = $1`,
    [operation],
  );

/** What holds after every end from outside: failed with a reason, nothing open, no lease, announced once. */
export const expectClosed = async (operation: string, detailType: string, reason: RegExp, failedStep?: string) => {
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
export const registryNow = async () => ({
  operations: await rowsOf('SELECT * FROM operations ORDER BY id'),
  tenants: await rowsOf('SELECT * FROM tenants ORDER BY id'),
  leases: await rowsOf('SELECT * FROM leases ORDER BY tenant_id'),
  backups: await rowsOf('SELECT * FROM backups ORDER BY id'),
  restores: await rowsOf('SELECT * FROM restores ORDER BY id'),
  results: await rowsOf(`SELECT * FROM events WHERE source = 'tenantry' ORDER BY sequence`),
});

export const endEvent = async (executionArn: string, status: string): Promise<object> => {
  const { stateMachineArn, name, input, error, cause } = await cloud.states.send(
    new DescribeExecutionCommand({ executionArn }),
  );
  return {
    source: 'aws.states',
    'detail-type': 'Step Functions Execution Status Change',
    detail: { executionArn, stateMachineArn, name, status, startDate: 1, stopDate: 2, input, error, cause },
  };
};

export const objectsOf = async (backupId: unknown): Promise<number> =>
  (
    await s3.send(
      new ListObjectsV2Command({ Bucket: 'tenantry-archive', Prefix: `t/${tenantId}/${String(backupId)}/` }),
    )
  ).KeyCount ?? 0;

/** Hands events to CloseOperation as its queue does; answers what it left in the queue. */
export const deliver = async (...events: readonly object[]): Promise<unknown> => {
  const Records = events.map((event, index) => ({ messageId: `m-${index}`, body: JSON.stringify(event) }));
  const { Payload, FunctionError } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName('CloseOperation'), Payload: JSON.stringify({ Records }) }),
  );
  expect(FunctionError).toBeUndefined();
  return JSON.parse(Buffer.from(Payload!).toString());
};
