import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { asAdmin, createArchivedTenant } from './archived-tenant.ts';
import { terminal } from './terminal.ts';

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;

interface Operation {
  readonly kind: string;
  readonly status: string;
  readonly reason: string | null;
}

beforeAll(async () => {
  laptop = await startTestCloud({ log: () => undefined });
  tenantry = terminal(laptop.home);
  await createArchivedTenant(laptop, tenantry);
});
afterAll(() => laptop.close());

// Nine commands, each a process that loads the command line: 13 s where eight test runs share two cores, 30 s seen once.
describe('a restore', { timeout: 90_000 }, () => {
  test('side by side tells what is not in the archive, is swapped in by name, undone, and discarded', async () => {
    await asAdmin(laptop, "DELETE FROM users WHERE tenant_id = 'acme' AND id = 502");
    const copy = await tenantry.run('restore', 'acme', '--table', 'users', '--at', '0s ago');
    expect(copy.code).toBe(0);
    expect(copy.stderr).toMatch(
      /ok {4}PlanRestore[\s\S]*not in the archive: \d+ (s|min).*Z\n[\s\S]*ok {4}StageRestore/,
    );
    expect(copy.stdout).toMatch(/^TABLE +ONLY NOW +ONLY THEN +CHANGED +SAME\npublic.users +0 +1 +0 +2\n/);
    expect(copy.stdout).toContain('only then  id=502');
    const [, id = ''] = /restore swap (r-[0-9a-f]{12}) --confirm acme/.exec(copy.stderr) ?? [];
    for (const given of [[], ['--confirm', 'globex']]) {
      const refused = await tenantry.run('restore', 'swap', id, ...given);
      expect(refused).toMatchObject({ code: 7, stdout: '' });
      expect(refused.stderr).toContain('nothing was changed');
    }
    const swapped = await tenantry.run('restore', 'swap', id, '--confirm', 'acme', '--reason', 'INC-1');
    expect(swapped.code).toBe(0);
    expect(swapped.stderr).toContain(`npx tenantry restore undo ${id}`);
    // The copy that was compared is the one that goes in: nothing is loaded again.
    expect(swapped.stderr).not.toContain('StageRestore');
    await asAdmin(laptop, "UPDATE users SET full_name = 'later' WHERE tenant_id = 'acme' AND id = 502");
    const unasked = await tenantry.run('restore', 'undo', id);
    expect(unasked).toMatchObject({ code: 7, stdout: '' });
    expect(unasked.stderr).toContain('give --confirm acme to go on, nothing was changed');
    const changed = await tenantry.run('restore', 'undo', id, '--confirm', 'acme');
    expect(changed.code).toBe(1);
    expect(changed.stderr).toContain('failed in UndoRestore');
    expect(await tenantry.json(['restore', 'undo', id, '--force', '--confirm', 'acme'])).toMatchObject({
      status: 'succeeded',
    });
    expect((await tenantry.run('restore', 'undo', id, '--confirm', 'acme')).code).toBe(5);
    expect(await tenantry.json(['restore', 'list', '--tenant', 'acme', '--status', 'undone'])).toMatchObject({
      items: [{ id, status: 'undone' }],
    });
  });

  test('of an archive that is not there, or is of another tenant, is not found and starts nothing', async () => {
    const { items } = await tenantry.json<{ items: { id: string }[] }>(['restore', 'list']);
    for (const into of [[], ['--into', 'new-tenant', '--as', 'acme-copy']]) {
      const unknown = await tenantry.run('restore', 'acme', '--backup', 'b-000000000000', ...into);
      expect(unknown).toMatchObject({ code: 4, stdout: '' });
      expect(unknown.stderr).toContain(
        'backup b-000000000000 of tenant acme is unknown; npx tenantry backup list acme',
      );
    }
    expect(await tenantry.json(['restore', 'list'])).toMatchObject({ items: items.map(({ id }) => ({ id })) });
  });

  test('in place waits for approval with exit code 8; rejected, nothing changes', async () => {
    const waiting = await tenantry.run('restore', 'acme', '--into', 'in-place', '--table', 'users');
    expect(waiting.code).toBe(8);
    const [, operation = ''] = /exec approve (\S+)/.exec(waiting.stderr) ?? [];
    expect((await tenantry.run('exec', 'reject', operation, '--reason', 'no')).code).toBe(0);
    const ended = await tenantry.run('exec', 'watch', operation);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('rejected it: no');
    expect((await tenantry.run('exec', 'approve', operation)).code).toBe(5);
  });

  test('in place goes on after approval, at once when it was confirmed beforehand', async () => {
    const waiting = await tenantry.run('restore', 'acme', '--into', 'in-place', '--table', 'users', '-o', 'json');
    expect(waiting.code).toBe(8);
    const { operationId } = JSON.parse(waiting.stdout) as { operationId: string };
    expect(await tenantry.json(['exec', 'approve', operationId])).toMatchObject({ status: 'succeeded' });
    const confirmed = await tenantry.run(
      'restore',
      'acme',
      '--into',
      'in-place',
      '--table',
      'users',
      '--confirm',
      'acme',
    );
    expect(confirmed.code).toBe(0);
    expect(confirmed.stderr).toContain('ok    SwapRestore');
    expect(confirmed.stderr).not.toContain('RequestApproval');
  });

  test('takes rows by key and by predicate, of an archive named by its id, as a dry run', async () => {
    const { items } = await tenantry.json<{ items: { id: string; kind: string }[] }>(['backup', 'list', 'acme']);
    const { id = '' } = items.find(({ kind }) => kind === 'manual') ?? {};
    const [keys, where] = await Promise.all(
      ['users: key 501, 502', "users: full_name like 'B%'"].map((rows) =>
        tenantry.run('restore', 'acme', '--rows', rows, '--backup', id, '--dry-run'),
      ),
    );
    expect(keys).toMatchObject({ code: 0, stdout: expect.stringMatching(/public.users +0 +0 +0 +2\n/) });
    expect(where).toMatchObject({ code: 0, stdout: expect.stringMatching(/public.users +0 +0 +0 +1\n/) });
    expect(where?.stderr).toContain(`archive ${id} of `);
  });

  test('contradictions and times that are none start nothing', async () => {
    const asked = [
      ['--at', '1h ago', '--backup', 'b-1'],
      ['--table', 'users', '--rows', 'users: key 1'],
      ['--at', 'lunch'],
      ['--rows', 'users'],
      ['--into', 'space'],
    ];
    const answers = await Promise.all(asked.map((words) => tenantry.run('restore', 'acme', ...words)));
    expect(answers.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(answers[0]?.stderr).toContain('--at and --backup: both name an archive; give one of them');
    const other = await tenantry.run('restore', 'acme', '--confirm', 'globex');
    expect(other.code).toBe(7);
    const { items } = await tenantry.json<{ items: Operation[] }>(['exec', 'list', '--status', 'running']);
    expect(items).toEqual([]);
  });

  test('that cannot be planned ends with exit code 1, and redrive does it again under a new id', async () => {
    const failed = await tenantry.run('restore', 'acme', '--table', 'user');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('failed in PlanRestore: tables: "user" is no tenant table (did you mean users?)');
    expect(await tenantry.json<Operation>(['restore', 'acme', '--table', 'user'], 1)).toMatchObject({
      kind: 'restore-tenant',
      status: 'failed',
      reason: expect.stringContaining('"user" is no tenant table'),
    });
    const [operation = ''] = failed.stderr.split('\n');
    const again = await tenantry.run('exec', 'redrive', operation, '--no-wait');
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^restore-acme-[0-9a-f]{12}\n$/) });
    expect(again.stdout.trim()).not.toBe(operation);
    const shown = await tenantry.run('exec', 'get', operation);
    expect(shown.stdout).toMatch(/^failed in +PlanRestore$/m);
    expect(shown.stdout).toMatch(/^PlanRestore +1 +failed .* InvalidStepInput/m);
  });
});
