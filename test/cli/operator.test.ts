import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { createArchivedTenant } from './archived-tenant.ts';
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
  readonly status: string;
  readonly reason: string | null;
}

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
  await Promise.all([createArchivedTenant(laptop, tenantry), tenantry.run('tenant', 'create', 'globex', '--no-wait')]);
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
