import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { ask, deployment, startTestControlPlanes, temporaryDirectory, tokenOf } from './api-server.ts';

const program = '/usr/bin/kubectl';
const kubectlTest = test.skipIf(!existsSync(program));

/** kubectl runs `diff`, which lies beside it and need not be on a user's PATH. */
const programs = `${process.env.PATH}:/usr/bin:/bin`;

let planes: ControlPlanes;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const kubectlAs = (user: string, ...words: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const { path } = directory;
    // A home of its own: kubectl caches discovery there.
    const options = { env: { HOME: path, PATH: programs, KUBECONFIG: join(path, user) }, timeout: 20_000 };
    execFile(program, words, options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
const kubectl = (...words: string[]): Promise<Ended> => kubectlAs('root', ...words);

const file = async (name: string, ...objects: object[]): Promise<string> => {
  const path = join(directory.path, `${name}.json`);
  await writeFile(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return path;
};

const writeConfig = (user: string): Promise<void> =>
  writeFile(
    join(directory.path, user),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: { server: planes.endpoint('shared'), 'certificate-authority-data': planes.certificateAuthority },
        },
      ],
      users: [{ name: 'u', user: { token: tokenOf('shared', user) } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );

beforeAll(async () => {
  directory = await temporaryDirectory();
  await mkdir(join(directory.path, '.kube'));
  planes = await startTestControlPlanes(directory.path);
  planes.create('shared');
  await Promise.all(['root', 'jane', 'stranger'].map(writeConfig));
});

afterAll(async () => {
  await planes.close();
  await directory.remove();
});

const namespace = (name: string, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

kubectlTest('get prints tables, wide ones too, of one kind and of many', async () => {
  const manifest = await file('get', namespace('t-get'), deployment('web', 't-get', 2));
  expect((await kubectl('apply', '--server-side', '-f', manifest)).stdout).toBe(
    'namespace/t-get serverside-applied\ndeployment.apps/web serverside-applied\n',
  );
  const table = await kubectl('get', 'deployments', '-n', 't-get');
  expect(table.stdout).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 +0 +0 +\d+s\n$/);
  const wide = await kubectl('get', 'deploy', '-n', 't-get', '-o', 'wide');
  expect(wide.stdout).toMatch(/AGE +CONTAINERS +IMAGES\n.* app +chat:1\n/);
  expect((await kubectl('get', 'all', '-A')).stdout).toContain('deployment.apps/web');
  expect((await kubectl('get', 'ns', 't-get')).stdout).toMatch(/t-get +Active/);
  const named = async (selector: string) =>
    (await kubectl('get', 'deploy', '-n', 't-get', '-o', 'name', '-l', selector)).stdout;
  expect([await named('app=web'), await named('!app')]).toEqual(['', 'deployment.apps/web\n']);
});

kubectlTest('apply on the server tells a conflict, and takes over when forced', async () => {
  await kubectl('apply', '--server-side', '-f', await file('ssa', namespace('t-ssa'), deployment('web', 't-ssa', 2)));
  const other = await file('ssa-other', deployment('web', 't-ssa', 3));
  const refused = await kubectl('apply', '--server-side', '--field-manager=other', '-f', other);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas');
  const diff = await kubectl('diff', '--server-side', '--field-manager=other', '--force-conflicts', '-f', other);
  expect(diff.code).toBe(1);
  expect(diff.stdout).toMatch(/-\s+replicas: 2\n\+\s+replicas: 3/);
  expect(
    (await kubectl('apply', '--server-side', '--field-manager=other', '--force-conflicts', '-f', other)).code,
  ).toBe(0);
  expect((await kubectl('get', 'deploy', 'web', '-n', 't-ssa', '-o', 'jsonpath={.spec.replicas}')).stdout).toBe('3');
});

kubectlTest('apply on the client merges three ways, removes what it no longer names, and settles', async () => {
  const before = deployment('web', 't-csa');
  before.spec.template.spec.containers.push({ name: 'side', image: 'side:1' });
  await kubectl('apply', '-f', await file('csa', namespace('t-csa'), before));
  expect((await kubectl('scale', 'deploy/web', '-n', 't-csa', '--replicas=4')).code).toBe(0);
  const after = deployment('web', 't-csa');
  delete after.spec.replicas;
  const manifest = await file('csa-after', after);
  expect((await kubectl('diff', '-f', manifest)).stdout).toContain('-        name: side');
  expect((await kubectl('apply', '-f', manifest)).stdout).toBe('deployment.apps/web configured\n');
  expect((await kubectl('apply', '-f', manifest)).stdout).toBe('deployment.apps/web unchanged\n');
  expect((await kubectl('diff', '-f', manifest)).code).toBe(0);
  const { body } = await ask(planes, 'shared', 'GET', '/apis/apps/v1/namespaces/t-csa/deployments/web');
  expect(body.spec.template.spec.containers).toHaveLength(1);
});

kubectlTest('a manifest with a misspelt member is refused', async () => {
  const body = deployment('web', 'default');
  body.spec.replicaz = 1;
  const refused = await kubectl('apply', '-f', await file('strict', body));
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('strict decoding error: unknown field "spec.replicaz"'),
  });
});

kubectlTest('patch, label, annotate, scale and set change an object', async () => {
  await kubectl('apply', '-f', await file('patch', namespace('t-patch'), deployment('web', 't-patch')));
  const run = async (...words: string[]): Promise<void> => {
    expect(await kubectl('-n', 't-patch', ...words)).toMatchObject({ code: 0 });
  };
  await run(
    'patch',
    'deploy/web',
    '-p',
    '{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"A","value":"1"}]}]}}}}',
  );
  await run('patch', 'deploy/web', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":3}]');
  await run('patch', 'deploy/web', '--type=merge', '-p', '{"spec":{"paused":true}}');
  await run('label', 'deploy/web', 'plan=pro');
  await run('annotate', 'deploy/web', 'note=x');
  await run('set', 'image', 'deploy/web', 'app=chat:2');
  const { body } = await ask(planes, 'shared', 'GET', '/apis/apps/v1/namespaces/t-patch/deployments/web');
  expect(body.metadata).toMatchObject({ labels: { plan: 'pro' }, annotations: { note: 'x' } });
  expect(body.spec).toMatchObject({
    replicas: 3,
    paused: true,
    template: {
      spec: { containers: [{ image: 'chat:2', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 8080 }] }] },
    },
  });
});

kubectlTest('what typed clients write in protobuf is read', async () => {
  const run = async (...words: string[]): Promise<void> => {
    expect(await kubectl('-n', 't-typed', ...words)).toMatchObject({ code: 0, stderr: '' });
  };
  await run('create', 'namespace', 't-typed');
  await run('create', 'secret', 'generic', 'db', '--from-literal=password=geheim');
  await run('create', 'configmap', 'app', '--from-literal=host=a');
  await run('create', 'serviceaccount', 'bot');
  await run('create', 'deployment', 'web', '--image=chat:1', '--replicas=2', '--port=80');
  await run('create', 'quota', 'plan', '--hard=pods=3,limits.cpu=2');
  await run('create', 'role', 'reader', '--verb=get,list', '--resource=pods');
  await run('create', 'rolebinding', 'reader', '--role=reader', '--user=jane');
  const get = async (path: string) => (await ask(planes, 'shared', 'GET', path)).body;
  expect((await get('/api/v1/namespaces/t-typed/secrets/db')).data).toEqual({
    password: Buffer.from('geheim').toString('base64'),
  });
  expect((await get('/apis/apps/v1/namespaces/t-typed/deployments/web')).spec).toMatchObject({
    replicas: 2,
    template: { spec: { containers: [{ name: 'chat', image: 'chat:1', ports: [{ containerPort: 80 }] }] } },
  });
  expect((await get('/api/v1/namespaces/t-typed/resourcequotas/plan')).spec.hard).toEqual({
    pods: '3',
    'limits.cpu': '2',
  });
  expect(await kubectlAs('jane', '-n', 't-typed', 'get', 'pods')).toMatchObject({ code: 0 });
});

kubectlTest('auth can-i answers by the roles; a bad token is told to log in', async () => {
  const canI = async (user: string) =>
    (await kubectlAs(user, 'auth', 'can-i', 'create', 'pods', '-n', 'default')).stdout;
  expect(await canI('root')).toBe('yes\n');
  expect(await canI('jane')).toBe('no\n');
  expect((await kubectlAs('jane', 'get', 'secrets', '-n', 'default')).stderr).toContain(
    'User "jane" cannot list resource "secrets" in API group "" in the namespace "default"',
  );
  expect((await kubectlAs('stranger', 'get', 'ns')).stderr).toContain('You must be logged in to the server');
});

kubectlTest('wait sees a condition come, and delete a namespace end', async () => {
  await kubectl('apply', '-f', await file('wait', namespace('t-wait'), deployment('web', 't-wait')));
  const path = '/apis/apps/v1/namespaces/t-wait/deployments/web/status';
  const waiting = kubectl('wait', '-n', 't-wait', 'deploy/web', '--for=condition=Available', '--timeout=15s');
  const contentType = 'application/merge-patch+json';
  const conditions = [{ type: 'Available', status: 'True' }];
  await ask(planes, 'shared', 'PATCH', path, { contentType, body: { status: { observedGeneration: 1, conditions } } });
  expect((await waiting).stdout).toBe('deployment.apps/web condition met\n');

  const deleting = spawn(program, ['delete', 'ns', 't-wait'], {
    env: { HOME: directory.path, PATH: programs, KUBECONFIG: join(directory.path, 'root') },
    stdio: 'ignore',
  });
  const ended = new Promise<number | null>((resolve) => deleting.once('exit', resolve));
  const ns = '/api/v1/namespaces/t-wait';
  await expect
    .poll(async () => (await ask(planes, 'shared', 'GET', ns)).body.status?.phase, { timeout: 10_000 })
    .toBe('Terminating');
  await ask(planes, 'shared', 'PUT', `${ns}/finalize`, {
    body: { metadata: { name: 't-wait' }, spec: { finalizers: [] } },
  });
  expect(await ended).toBe(0);
});
