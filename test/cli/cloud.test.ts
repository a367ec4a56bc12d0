import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { terminal } from './terminal.ts';

let home: string;
let tenantry: ReturnType<typeof terminal>;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'tenantry-cli-'));
  await chmod(home, 0o711);
  tenantry = terminal(home);
});
afterAll(() => rm(home, { recursive: true, force: true }));

describe('without a cloud', () => {
  test('a watched operation is not taken for one that has not begun: it waits for the cloud, and says so', async () => {
    const ended = await tenantry.run('exec', 'watch', 'back-up-acme-1', '--timeout', '1');
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toContain('the cloud does not answer now');
    expect(ended.stderr).toContain(`no local cloud runs on ${home}; start one: npm start`);
  });

  test.each([['status'], ['tenant', 'list'], ['restore', 'acme']])(
    '%s says how to start one, exit code 4',
    async (...words) => {
      const { code, stdout, stderr } = await tenantry.run(...words);
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(stderr).toBe(`no local cloud runs on ${home}; start one: npm start (or npx tenantry up --detach)\n`);
    },
  );

  test('down has nothing to do, and --erase does not touch a directory that is no cloud', async () => {
    await writeFile(join(home, 'mine.txt'), 'mine');
    const { code, stderr } = await tenantry.run('down', '--erase');
    expect(code).toBe(0);
    expect(stderr).toContain('holds no data of a local cloud; nothing was removed');
  });

  test('unknown words are refused with a suggestion, help is exit code 0 on standard output', async () => {
    const [word, verb, help] = await Promise.all([
      tenantry.run('tenat', 'list'),
      tenantry.run('tenant', 'lst'),
      tenantry.run('--help'),
    ]);
    expect(word).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Did you mean tenant?') });
    expect(verb).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Did you mean list?') });
    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Exit codes: 0 done') });
  });

  test('doctor lists what it checked', async () => {
    const { findings } = await tenantry.json<{ findings: { level: string }[] }>(['doctor']);
    expect(findings.length).toBeGreaterThan(4);
    expect(findings.filter(({ level }) => level === 'bad')).toEqual([]);
  });

  test('a port that somebody uses is named with its process, exit code 5', async () => {
    const server = createServer();
    await new Promise<void>((resume) => {
      server.listen(0, '127.0.0.1', resume);
    });
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await tenantry.run('up', '--detach', '--port', String(port));
    server.close();
    expect(code).toBe(5);
    expect(stderr).toContain(`port ${port} is used`);
    if (process.platform === 'linux') expect(stderr).toContain(`by process ${process.pid} (node)`);
    expect((await tenantry.run('up', '--port', '99999')).code).toBe(2);
  });

  test('a start waits for nobody: while another one starts, exit code 5', async () => {
    await writeFile(join(home, 'up.lock'), String(process.pid));
    const { code, stderr } = await tenantry.run('up', '--detach');
    expect(code).toBe(5);
    expect(stderr).toContain(`process ${process.pid} starts a local cloud on ${home} already`);
  });
});

test('up takes over the lock of a killed start, a second up is refused, status tells all, down ends it', async () => {
  // No process has this number: Linux counts up to 4,194,304.
  await writeFile(join(home, 'up.lock'), '99999999');
  const up = await tenantry.json<{ process: number; port: number }>(['up', '--detach']);
  expect(await tenantry.run('up', '--detach')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(`(process ${up.process}, port ${up.port}); npx tenantry down ends it`),
  });
  expect(await tenantry.json(['status'])).toMatchObject({ process: up.process, data: home, api: 'v1' });
  const { stdout: variables } = await tenantry.run('status', '--env');
  const evaluated = await promisify(execFile)('sh', ['-ec', `${variables}\necho $AWS_ENDPOINT_URL $AWS_REGION`]);
  expect(evaluated.stdout).toBe(`http://127.0.0.1:${up.port} eu-central-1\n`);
  expect(variables).toContain('aws sqs --endpoint-url "$AWS_ENDPOINT_URL"');
  const down = await tenantry.run('down', '--erase');
  expect(down).toMatchObject({ code: 0, stdout: '', stderr: `ended process ${up.process}\nremoved ${home}\n` });
  expect(() => process.kill(up.process, 0)).toThrow('ESRCH');
}, 90_000);
