import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApiClient } from '../../../local/kubernetes/api-client.ts';
import { type ControlPlanes, startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { readKubeconfig, realControlPlane } from '../../../local/kubernetes/real-control-plane.ts';

let directory: string;
let planes: ControlPlanes;
let file: string;

const options = () => ({ directory, log: () => undefined });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tenantry-kubernetes-'));
  const authenticate = () => Promise.resolve(undefined);
  planes = await startControlPlanes({ directory, authenticate, log: () => undefined });
  planes.create('staging');
  file = join(directory, 'config.json');
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: planes.adminToken('staging') },
  };
  const exec = {
    apiVersion: credential.apiVersion,
    command: process.execPath,
    args: ['-e', `console.log(${JSON.stringify(JSON.stringify(credential))})`],
    interactiveMode: 'Never',
  };
  const authority = { 'certificate-authority-data': planes.certificateAuthority };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'staging', cluster: { server: planes.endpoint('staging'), ...authority } },
      { name: 'bare', cluster: { server: planes.endpoint('staging') } },
    ],
    users: [
      { name: 'token', user: { token: planes.adminToken('staging') } },
      { name: 'plugin', user: { exec } },
      { name: 'nobody', user: {} },
    ],
    contexts: [
      { name: 'production', context: { cluster: 'staging', user: 'nobody' } },
      { name: 'by-token', context: { cluster: 'staging', user: 'token' } },
      { name: 'by-plugin', context: { cluster: 'staging', user: 'plugin' } },
      { name: 'untrusted', context: { cluster: 'bare', user: 'token' } },
    ],
    'current-context': 'production',
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
});

afterAll(async () => {
  await planes.close();
  await rm(directory, { recursive: true, force: true });
});

test.each(['by-token', 'by-plugin'])('the named context %s of a kubeconfig is a connection', async (context) => {
  const connection = await readKubeconfig(file, context);
  const api = openApiClient(connection);
  expect(await api.request('GET', '/api/v1/namespaces/default')).toMatchObject({ metadata: { name: 'default' } });
  api.close();
});

test.each([
  ['elsewhere', /has no context "elsewhere"; it has production, by-token, by-plugin, untrusted\./],
  ['production', /has no bearer token/],
  ['untrusted', /has no certificate authority/],
])('context %s is refused by name', async (context, reason) => {
  await expect(readKubeconfig(file, context)).rejects.toThrow(reason);
});

test('no cluster is used that the environment does not name whole, least of all the current context', async () => {
  expect(await realControlPlane({ KUBECONFIG: file }, options())).toBeUndefined();
  for (const half of [{ TENANTRY_KUBECONFIG: file }, { TENANTRY_KUBE_CONTEXT: 'by-token' }])
    await expect(realControlPlane(half, options())).rejects.toThrow('name a cluster together');
  const named = { TENANTRY_KUBECONFIG: file, TENANTRY_KUBE_CONTEXT: 'by-token' };
  const found = await realControlPlane(named, options());
  expect(found).toMatchObject({ own: false, connection: { server: planes.endpoint('staging') } });
});

test('a folder of assets without the programs is told with what to do', async () => {
  const assets = join(directory, 'assets');
  await expect(realControlPlane({ KUBEBUILDER_ASSETS: assets }, options())).rejects.toThrow(
    `KUBEBUILDER_ASSETS has no ${join(assets, 'etcd')}; run setup-envtest`,
  );
});
