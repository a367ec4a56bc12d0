import { DescribeTasksCommand, ECSClient, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tasksCluster } from '../../domain/deployment.ts';
import { startTestCloud, type TestCloud, until } from '../cloud.ts';

let laptop: TestCloud;
let ecs: ECSClient;
beforeAll(async () => {
  laptop = await startTestCloud();
  const { endpoint, region, credentials } = laptop.cloud;
  ecs = new ECSClient({ endpoint, region, credentials });
  const { status, cause } = await laptop.run('provision-tenant', { tenantId: 'acme', plan: 'starter' });
  if (status !== 'SUCCEEDED') throw new Error(cause);
});
afterAll(async () => {
  ecs.destroy();
  await laptop.close();
});

const tasks = async (desiredStatus: 'RUNNING' | 'STOPPED' = 'STOPPED') => {
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster: tasksCluster, desiredStatus }));
  if (taskArns.length === 0) return [];
  return (await ecs.send(new DescribeTasksCommand({ cluster: tasksCluster, tasks: taskArns }))).tasks ?? [];
};

const records = async () => {
  const control = await laptop.admin('control');
  const { rows } = await control.query<{ id: string; status: string; reason: string | null }>(
    "SELECT id, status, reason FROM backups WHERE tenant_id = 'acme' ORDER BY opened_at",
  );
  await control.end();
  return rows;
};

/** Holds the rows of acme's users, so that the digest pass of a dump waits until the answer is called. */
const holdUsers = async (): Promise<() => Promise<void>> => {
  const admin = await laptop.admin('pool');
  await admin.query('BEGIN');
  await admin.query('LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
  return async () => {
    await admin.query('ROLLBACK');
    await admin.end();
  };
};

test('a tenant that is too large for a Lambda is dumped by a container task, into an archive like any other', async () => {
  const { status, output } = await laptop.run('back-up-tenant', { tenantId: 'acme', through: 'task' });
  expect(status).toBe('SUCCEEDED');
  expect(JSON.parse(output!)).toMatchObject({ outcome: 'succeeded', backups: [{ tenantId: 'acme', rows: 3 }] });
  expect(await tasks()).toMatchObject([{ stopCode: 'EssentialContainerExited', containers: [{ exitCode: 0 }] }]);
  const restored = await laptop.run('restore-tenant', { tenantId: 'acme', into: 'copy' });
  expect(restored.status).toBe('SUCCEEDED');
});

test('a task that is lost is started again and its backup is sealed all the same', async () => {
  const release = await holdUsers();
  const executionArn = await laptop.start('back-up-tenant', { tenantId: 'acme', through: 'task' });
  const [lost] = await until('the task runs', async () => {
    const found = await tasks('RUNNING');
    return found.length > 0 ? found : undefined;
  });
  await ecs.send(new StopTaskCommand({ cluster: tasksCluster, task: lost!.taskArn!, reason: 'its host is gone' }));
  await release();
  expect((await laptop.ended(executionArn)).status).toBe('SUCCEEDED');
  expect((await records()).at(-1)).toMatchObject({ status: 'sealed' });
});

test('a backup whose task fails for good says why, in the words of the step', async () => {
  const admin = await laptop.admin('pool');
  await admin.query('ALTER ROLE tenantry_backup NOBYPASSRLS');
  try {
    const { status, cause } = await laptop.run('back-up-tenant', { tenantId: 'acme', through: 'task' });
    expect([status, cause]).toEqual(['FAILED', expect.stringMatching(/^DumpDatabase: .*row-level security/)]);
    expect((await records()).at(-1)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('row-level security'),
    });
  } finally {
    await admin.query('ALTER ROLE tenantry_backup BYPASSRLS');
    await admin.end();
  }
});
