import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { terminal } from './terminal.ts';

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;

/** While it is set, DumpDatabase does not begin: an operation that surely runs when the test looks. */
let gate: Promise<void> | undefined;
const holdDumps = (): (() => void) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  return () => {
    gate = undefined;
    resolve();
  };
};

interface Operation {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly reason: string | null;
}

/** Damage that the product does not see: triggers are off. */
const asAdmin = async (text: string): Promise<void> => {
  const pool = await laptop.admin('pool');
  await pool.query('SET session_replication_role = replica');
  await pool.query(text);
};

beforeAll(async () => {
  laptop = await startTestCloud({
    log: () => undefined,
    interpose: (functions) => ({
      ...functions,
      invoke: async (arn, payload, options) => {
        if (arn.endsWith(functionName('DumpDatabase'))) await gate;
        return functions.invoke(arn, payload, options);
      },
    }),
  });
  tenantry = terminal(laptop.home);
  const [acme] = await Promise.all([
    tenantry.run('tenant', 'create', 'acme', '--plan', 'pro', '--name', 'Acme Inc', '--admin-email', 'a@acme.example'),
    tenantry.run('tenant', 'create', 'globex', '--no-wait'),
  ]);
  expect(acme).toMatchObject({ code: 0, stdout: '' });
  expect(acme.stderr).toContain('ok    ActivateTenant');
  expect(acme.stderr).toContain(`acme is at http://acme.localhost:${laptop.cloud.port}`);
  await asAdmin(
    "INSERT INTO users (tenant_id, id, email, full_name) VALUES ('acme', 501, 'b@x', 'Bob'), ('acme', 502, 'c@x', 'Cy')",
  );
  expect(await tenantry.json(['backup', 'create', 'acme', '--reason', 'nightly'])).toMatchObject({
    kind: 'back-up-tenant',
    status: 'succeeded',
  });
});
afterAll(() => laptop.close());

describe('tenants', () => {
  test('get says where a tenant is served on this laptop and which archive is its last', async () => {
    const { code, stdout } = await tenantry.run('tenant', 'get', 'acme');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^tenant +acme \(Acme Inc\)$/m);
    expect(stdout).toContain(`http://acme.localhost:${laptop.cloud.port}\n`);
    expect(stdout).toMatch(/^last backup +b-[0-9a-f]{12} of \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, manual, 5 rows$/m);
    expect(await tenantry.json(['tenant', 'get', 'acme'])).toMatchObject({
      id: 'acme',
      url: `http://acme.localhost:${laptop.cloud.port}`,
      lastBackup: { rows: 5 },
    });
  });

  test('list prints one line each, and how to get the next page on standard error', async () => {
    const [all, first] = await Promise.all([
      tenantry.run('tenant', 'list'),
      tenantry.run('tenant', 'list', '--limit', '1'),
    ]);
    expect(all.stdout).toMatch(/^TENANT +STATUS .*\nacme +active +pro .*\nglobex +active +starter /);
    expect(first.stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(first.stderr).toBe('more: npx tenantry tenant list --after acme\n');
  });

  test('wrong input is refused with its exit code, the value and the fix', async () => {
    const [taken, malformed, plan, nobody, limit] = await Promise.all([
      tenantry.run('tenant', 'create', 'acme'),
      tenantry.run('tenant', 'create', 'Bad_Name'),
      tenantry.run('tenant', 'create', 'initech', '--plan', 'gold'),
      tenantry.run('tenant', 'get', 'nobody'),
      tenantry.run('tenant', 'list', '--limit', 'many'),
    ]);
    expect(taken).toMatchObject({ code: 5, stdout: '' });
    expect(taken.stderr).toContain('acme is taken (active); choose another one');
    expect(malformed).toMatchObject({ code: 2, stdout: '' });
    expect(malformed.stderr).toContain('try "bad-name"');
    expect(plan.code).toBe(2);
    expect(plan.stderr).toContain("'gold' is invalid. Allowed choices are starter, pro, enterprise.");
    expect(nobody).toMatchObject({ code: 4, stdout: '' });
    expect(nobody.stderr).toContain('nobody');
    expect(limit.code).toBe(2);
    expect(limit.stderr).toContain("argument 'many' is invalid. Give a whole number from 1 to 500.");
  });

  test('delete asks for the name, then takes the tenant off', async () => {
    const missing = await tenantry.run('tenant', 'delete', 'globex');
    expect(missing.code).toBe(7);
    expect(missing.stderr).toContain('give --confirm globex to go on, nothing was changed');
    expect((await tenantry.run('tenant', 'delete', 'globex', '--confirm', 'acme')).code).toBe(7);
    const gone = await tenantry.run('tenant', 'delete', 'globex', '--confirm', 'globex', '--grace-seconds', '0');
    expect(gone).toMatchObject({ code: 0, stdout: '' });
    expect((await tenantry.run('tenant', 'get', 'globex')).stdout).toMatch(
      /^status +deprovisioned, its name is free again at \d{4}-/m,
    );
  });
});

// Nine commands, each a process that loads the command line: 13 s where eight test runs share two cores, 30 s seen once.
describe('a restore', { timeout: 90_000 }, () => {
  test('side by side tells what is not in the archive, is swapped in by name, undone, and discarded', async () => {
    await asAdmin("DELETE FROM users WHERE tenant_id = 'acme' AND id = 502");
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
    await asAdmin("UPDATE users SET full_name = 'later' WHERE tenant_id = 'acme' AND id = 502");
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

describe('waiting', () => {
  test('Ctrl-C detaches and says how to come back, a timeout is exit code 6, stop ends the operation', async () => {
    const release = holdDumps();
    const waiting = tenantry.begin('backup', 'create', 'acme');
    await waiting.says('OpenBackup');
    waiting.signal('SIGINT');
    const { code, stderr } = await waiting.ended;
    expect(code).toBe(130);
    const [, operation = ''] =
      /detached; the operation goes on. Watch: npx tenantry exec watch (\S+)/.exec(stderr) ?? [];
    const timed = await tenantry.run('exec', 'watch', operation, '--timeout', '1');
    expect(timed.code).toBe(6);
    expect(timed.stderr).toContain(`${operation} still runs after 1 s`);
    expect(await tenantry.json(['exec', 'get', operation])).toMatchObject({ status: 'running' });
    expect((await tenantry.run('exec', 'stop', operation, '--reason', 'enough')).code).toBe(0);
    release();
    expect(await tenantry.json<Operation>(['exec', 'watch', operation], 1)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('enough'),
    });
    expect((await tenantry.run('exec', 'stop', operation)).code).toBe(5);
    expect((await tenantry.run('exec', 'get', 'nothing')).code).toBe(4);
    expect(await tenantry.run('exec', 'watch', 'nothing', '--timeout', '4')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        /nothing is not known yet; waiting[\s\S]*nothing has not started after 4 s; check the id/,
      ),
    });
  });
});

describe('events', () => {
  test('a request that is wrong is told at once, lies in the dead letters with its reason, and stays there', async () => {
    const sent = await tenantry.run('event', 'send', 'TenantSignedUp', '--tenant', 'Bad_Name');
    expect(sent.code).toBe(0);
    expect(sent.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(sent.stderr).toContain('it will be refused: TenantSignedUp: detail.tenantId');
    const dead = async () => tenantry.json<{ items: { detailType: string; reason: string }[] }>(['event', 'dead']);
    let { items } = await dead();
    while (items.length === 0) ({ items } = await dead());
    expect(items).toMatchObject([{ detailType: 'TenantSignedUp', reason: expect.stringContaining('Bad_Name') }]);
    const replayed = await tenantry.run('event', 'replay');
    expect(replayed.stderr).toContain('replayed 0, still refused 1');
    expect((await tenantry.run('event', 'replay', 'nothing')).code).toBe(4);
  });

  test('a detail that is no JSON object is refused', async () => {
    const answers = await Promise.all([
      tenantry.run('event', 'send', 'X', '--detail', '{'),
      tenantry.run('event', 'send', 'X', '--detail', '[1]'),
      tenantry.run('event', 'send', 'X', '--file', join(laptop.home, 'nothing.json')),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(answers.map(({ stderr }) => stderr.split('\n').length)).toEqual([2, 2, 2]);
  });

  test('tail prints one readable line each, of one tenant where asked', async () => {
    const { code, stdout } = await tenantry.run('event', 'tail', '--once', '--tenant', 'acme');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ {2}TenantSignedUp +acme +plan=pro$/);
    expect(lines.filter((line) => !line.includes('acme'))).toEqual([]);
  });
});

test('a token of another cloud is exit code 3', async () => {
  const home = await mkdtemp(join(tmpdir(), 'tenantry-cli-'));
  const cloud = JSON.parse(await readFile(join(laptop.home, 'cloud.json'), 'utf8')) as object;
  await writeFile(join(home, 'cloud.json'), JSON.stringify({ ...cloud, token: 'another' }));
  expect(await terminal(home).run('tenant', 'list')).toMatchObject({ code: 3, stdout: '' });
  await rm(home, { recursive: true });
});
