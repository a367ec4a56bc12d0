import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOfTask } from '../../../adapters/registry/task-failure.ts';
import { startTestRegistry, type TestRegistry } from './database.ts';

let control: TestRegistry;
beforeAll(async () => {
  control = await startTestRegistry(12);
});
afterAll(() => control.stop());

const open = (id: string, more: object = {}) =>
  control.registry.operations.open({ id, kind: 'restore-tenant', executionArn: 'arn', input: { a: 1 }, ...more });
const why = { kind: 'restore-tenant', reason: 'full', failedStep: 'StageRestore', error: 'ArchiveDamaged' } as const;

describe('an operation', () => {
  test('opened twice is one, and keeps its first input', async () => {
    const first = await open('twice', { tenantId: 'acme', requestedBy: 'ada' });
    expect(await open('twice', { input: { a: 2 } })).toEqual(first);
    expect(first).toMatchObject({ status: 'running', input: { a: 1 }, requestedBy: 'ada', endedAt: null });
  });

  test('ends exactly once, however many ends come at once', async () => {
    await open('ending');
    const { operations } = control.registry;
    const ends = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) =>
        n % 2 === 0
          ? operations.succeed('ending', { n })
          : operations.fail('ending', { ...why, reason: `reason ${n}` }),
      ),
    );
    const { status } = (await operations.get('ending'))!;
    const winners = ends.filter((end) => end.status === 'fulfilled').length;
    // The side that lost is refused; repeats of the side that won answer as the first did.
    expect(winners).toBe(6);
    for (const end of ends)
      if (end.status === 'rejected')
        expect(end.reason).toMatchObject({
          name: 'StaleOperation',
          message: expect.stringContaining(`already ${status}`),
        });
  });

  test('that failed keeps its first reason', async () => {
    await open('kept');
    await control.registry.operations.fail('kept', why);
    await control.registry.operations.fail('kept', { ...why, reason: 'another' });
    expect(await control.registry.operations.get('kept')).toMatchObject({ status: 'failed', reason: 'full' });
  });

  test('that failed before it was opened is recorded, and cannot be opened later', async () => {
    await control.registry.operations.fail('unopened', { ...why, tenantId: 'acme' });
    expect(await control.registry.operations.get('unopened')).toMatchObject({ status: 'failed', tenantId: 'acme' });
    await expect(open('unopened')).rejects.toMatchObject({ name: 'StaleOperation' });
  });

  test('that has ended cannot be set running by hand', async () => {
    await open('over');
    await control.registry.operations.succeed('over');
    await expect(
      control.sql.query(`UPDATE operations SET status = 'running', ended_at = NULL WHERE id = 'over'`),
    ).rejects.toMatchObject({ code: '23514' });
  });

  test('gives its approval token to one of many who answer at once', async () => {
    await open('asked');
    const { operations } = control.registry;
    await operations.awaitApproval('asked', 'token-1');
    expect(await operations.get('asked')).toMatchObject({ status: 'awaiting-approval' });
    const taken = await Promise.all(Array.from({ length: 12 }, () => operations.takeApproval('asked')));
    expect(taken.filter((token) => token !== undefined)).toEqual(['token-1']);
    expect(await operations.get('asked')).toMatchObject({ status: 'running' });
  });

  test('that has ended asks nobody any more', async () => {
    await open('silent');
    const { operations } = control.registry;
    await operations.awaitApproval('silent', 'token-2');
    await operations.fail('silent', why);
    expect(await operations.takeApproval('silent')).toBeUndefined();
    await expect(operations.awaitApproval('silent', 'token-3')).rejects.toMatchObject({ name: 'StaleOperation' });
  });

  test('asks with the token of the newest attempt: a late one replaces nothing, and an answered one asks no more', async () => {
    await open('asked-late');
    const { operations } = control.registry;
    await operations.awaitApproval('asked-late', 'token-of-1', 1);
    await expect(operations.awaitApproval('asked-late', 'token-of-0', 0)).rejects.toMatchObject({
      name: 'StaleOperation',
    });
    await operations.awaitApproval('asked-late', 'token-of-1', 1);
    expect(await operations.takeApproval('asked-late')).toBe('token-of-1');
    expect(await operations.awaitApproval('asked-late', 'token-of-1', 1)).toBe(false);
    expect(await operations.get('asked-late')).toMatchObject({ status: 'running' });
    await expect(operations.awaitApproval('asked-late', 'token-of-0', 0)).rejects.toMatchObject({
      name: 'StaleOperation',
    });
    await operations.awaitApproval('asked-late', 'token-of-1');
    expect(await operations.takeApproval('asked-late')).toBe('token-of-1');
  });
});

describe('the journal', () => {
  test('counts attempts from 0 and keeps error and detail', async () => {
    const { journal } = control.registry;
    const first = await journal.start({ operation: 'noted', step: 'StageRestore', tenantId: 'acme' });
    await journal.end(first, { status: 'failed', error: 'DatabaseUnavailable', detail: 'refused' });
    await journal.end(await journal.start({ operation: 'noted', step: 'StageRestore' }), { status: 'succeeded' });
    expect(await journal.list('noted')).toMatchObject([
      { step: 'StageRestore', attempt: 0, status: 'failed', error: 'DatabaseUnavailable', detail: 'refused' },
      { step: 'StageRestore', attempt: 1, status: 'succeeded', endedAt: expect.any(Date) },
    ]);
  });

  test('closes with the operation: the step that ends it has succeeded, an older one without an end is lost', async () => {
    await open('died');
    await control.registry.journal.start({ operation: 'died', step: 'StageRestore' });
    await control.registry.journal.start({ operation: 'died', step: 'AbandonRestore' });
    await control.registry.operations.fail('died', why);
    expect(await control.registry.journal.list('died')).toMatchObject([
      { step: 'StageRestore', status: 'lost', endedAt: expect.any(Date) },
      { step: 'AbandonRestore', status: 'succeeded', endedAt: expect.any(Date) },
    ]);
  });

  test('of an operation that somebody stopped says that its last step is lost', async () => {
    await open('stopped');
    await control.registry.journal.start({ operation: 'stopped', step: 'StageRestore' });
    await control.registry.operations.fail('stopped', { ...why, stopped: true });
    expect(await control.registry.journal.list('stopped')).toMatchObject([{ step: 'StageRestore', status: 'lost' }]);
  });
});

describe('a step that ran as a container task', () => {
  const ofTask = (operation: string, description: object) =>
    failureOfTask(control.registry, operation, {
      step: 'DumpDatabaseAsTask',
      error: 'States.TaskFailed',
      cause: JSON.stringify(description),
    });

  test('is told by its journal entry where it wrote one, and in the words of ECS where it never started or was killed', async () => {
    const { journal } = control.registry;
    expect(
      await ofTask('imageless', { StoppedReason: 'CannotPullContainerError: no "such" image', Containers: [{}] }),
    ).toMatchObject({
      step: 'DumpDatabase',
      cause: expect.stringContaining('(CannotPullContainerError: no "such" image)'),
    });
    const killed = { StoppedReason: 'Essential container in task exited', Containers: [{ ExitCode: 137 }] };
    const attempt = await journal.start({ operation: 'killed', step: 'DumpDatabase' });
    expect((await ofTask('killed', killed)).cause).toContain('(Essential container in task exited, exit code 137)');
    await journal.end(attempt, { status: 'failed', error: 'BackupIncomplete', detail: 'no room' });
    expect(await ofTask('killed', killed)).toMatchObject({
      step: 'DumpDatabase',
      error: 'BackupIncomplete',
      cause: expect.stringContaining('no room'),
    });
  });
});
