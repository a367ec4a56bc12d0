import { DescribeTasksCommand, ECSClient, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** Steps that ran as tasks since the call, with their exit codes, in order. */
const followTasks = async (): Promise<() => Promise<string[]>> => {
  const before = new Set((await tasks()).map(({ taskArn }) => taskArn));
  return async () =>
    (await tasks())
      .filter(({ taskArn }) => !before.has(taskArn))
      .toSorted((a, b) => a.createdAt!.getTime() - b.createdAt!.getTime())
      .map(({ group, containers }) => `${group!.replace(/^family:tenantry-|-task$/g, '')} ${containers![0]!.exitCode}`);
};

const namesOf = async (tenantId: string): Promise<string[]> => {
  const pool = await laptop.admin('pool');
  const { rows } = await pool.query<{ name: string }>(
    'SELECT full_name AS name FROM users WHERE tenant_id = $1 ORDER BY 1',
    [tenantId],
  );
  await pool.end();
  return rows.map(({ name }) => name);
};

const renameUsers = async (): Promise<void> => {
  const pool = await laptop.admin('pool');
  await pool.query("SELECT set_config('app.tenant_id', 'acme', false)");
  await pool.query("UPDATE users SET full_name = 'damaged ' || id WHERE tenant_id = 'acme'");
  await pool.end();
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

describe('the archive of a tenant that is too large for a Lambda', () => {
  let whole: string[];
  beforeAll(async () => {
    whole = await namesOf('acme');
    const { status, cause } = await laptop.run('back-up-tenant', { tenantId: 'acme' });
    if (status !== 'SUCCEEDED') throw new Error(cause);
  });

  test('is tried by a drill, and its record says what came of it', async () => {
    const ran = await followTasks();
    const drilled = await laptop.run('drill-restores', { tenantId: 'acme', through: 'task' });
    expect(drilled, drilled.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(drilled.output!)).toMatchObject({ drilled: 1, passed: 1, missed: 0 });
    expect(await ran()).toEqual(['drill-restore 0']);
    const control = await laptop.admin('control');
    const { rows } = await control.query(
      "SELECT drill_outcome FROM backups WHERE tenant_id = 'acme' AND drill_outcome IS NOT NULL",
    );
    await control.end();
    expect(rows).toEqual([{ drill_outcome: 'passed' }]);
  });

  test('is put back in place by container tasks, and that is told and undone as ever', async () => {
    await renameUsers();
    const damaged = await namesOf('acme');
    const ran = await followTasks();
    const restored = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      into: 'in-place',
      approval: 'given',
      through: 'task',
    });
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    const { restoreId, tables } = JSON.parse(restored.output!) as {
      restoreId: string;
      tables: { table: string; changed: number }[];
    };
    expect(tables.find(({ table }) => table === 'public.users')).toMatchObject({ changed: whole.length });
    expect(await namesOf('acme')).toEqual(whole);
    // The safety backup is of today's rows, which are few.
    expect(await ran()).toEqual(['stage-restore 0', 'compare-restore 0', 'swap-restore 0']);
    const undone = await laptop.run('restore-tenant', { tenantId: 'acme', restoreId, action: 'undo' });
    expect(undone, undone.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await namesOf('acme')).toEqual(damaged);
  });

  test('is laid beside the tenant by one operation, swapped in by another, and taken back by a task as well', async () => {
    const damaged = await namesOf('acme');
    const copied = await laptop.run('restore-tenant', { tenantId: 'acme', into: 'copy', through: 'task' });
    expect(copied, copied.cause).toMatchObject({ status: 'SUCCEEDED' });
    const { restoreId } = JSON.parse(copied.output!) as { restoreId: string };
    const ran = await followTasks();
    const swapped = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      restoreId,
      action: 'swap',
      approval: 'given',
      through: 'task',
    });
    expect(swapped, swapped.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await namesOf('acme')).toEqual(whole);
    const undone = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      restoreId,
      action: 'undo',
      through: 'task',
    });
    expect(undone, undone.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(undone.output!)).toMatchObject({ outcome: 'undone', rows: { updated: whole.length } });
    expect(await namesOf('acme')).toEqual(damaged);
    expect(await ran()).toEqual(['compare-restore 0', 'swap-restore 0', 'undo-restore 0']);
  });

  test('is loaded anew where the task that loads it was lost, by two tasks that do not mix their rows', async () => {
    const pool = await laptop.admin('pool');
    const ran = await followTasks();
    // What a task has to wait for as soon as it stages.
    await pool.query(`CREATE FUNCTION wait_for_test() RETURNS event_trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_advisory_xact_lock(4711); END';
      CREATE EVENT TRIGGER wait_for_test ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS') EXECUTE FUNCTION wait_for_test()`);
    try {
      await pool.query('SELECT pg_advisory_lock(4711)');
      const executionArn = await laptop.start('restore-tenant', { tenantId: 'acme', into: 'copy', through: 'task' });
      const [lost] = await until('the task stages', async () => {
        const { rowCount } = await pool.query(
          `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted`,
        );
        const found = await tasks('RUNNING');
        return rowCount && found.length > 0 ? found : undefined;
      });
      await ecs.send(new StopTaskCommand({ cluster: tasksCluster, task: lost!.taskArn!, reason: 'its host is gone' }));
      await pool.query('SELECT pg_advisory_unlock(4711)');
      const { status, cause } = await laptop.ended(executionArn);
      expect(status, cause).toBe('SUCCEEDED');
      const [first, ...rest] = await ran();
      expect(first).toMatch(/^stage-restore (?!0)/);
      expect(rest).toEqual(['stage-restore 0', 'compare-restore 0']);
    } finally {
      await pool.query('DROP EVENT TRIGGER wait_for_test; DROP FUNCTION wait_for_test');
      await pool.end();
    }
  });

  test('that does not fit is refused in the words of the step, and nothing of it is left', async () => {
    const pool = await laptop.admin('pool');
    const staged = async () =>
      (await pool.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tn\\_stage%' ORDER BY 1`)).rows;
    const before = await staged();
    await pool.query(`ALTER TABLE users ADD CONSTRAINT short CHECK (full_name LIKE 'damaged %') NOT VALID`);
    try {
      await renameUsers();
      const refused = await laptop.run('restore-tenant', {
        tenantId: 'acme',
        into: 'in-place',
        approval: 'given',
        through: 'task',
      });
      expect([refused.status, refused.cause]).toEqual(['FAILED', expect.stringMatching(/^SwapRestore: .*short/)]);
      expect(new Set((await namesOf('acme')).map((name) => name.split(' ')[0]))).toEqual(new Set(['damaged']));
      expect(await staged()).toEqual(before);
    } finally {
      await pool.query('ALTER TABLE users DROP CONSTRAINT short');
      await pool.end();
    }
  });

  test('becomes a new tenant', async () => {
    const ran = await followTasks();
    const cloned = await laptop.run('clone-tenant', { tenantId: 'acme', newTenantId: 'acme-copy', through: 'task' });
    expect(cloned, cloned.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(cloned.output!)).toMatchObject({ outcome: 'cloned', rows: expect.any(Number) });
    expect(await namesOf('acme-copy')).toEqual(whole);
    expect(await ran()).toEqual(['stage-restore 0', 'load-clone 0']);
  });
});
