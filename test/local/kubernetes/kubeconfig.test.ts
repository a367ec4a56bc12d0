import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateClusterCommand, EKSClient, waitUntilClusterActive } from '@aws-sdk/client-eks';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { type Gateway, startGateway } from '../../../local/gateway/gateway.ts';
import { type ControlPlanes, startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { kubeconfigText } from '../../../local/kubernetes/kubeconfig.ts';
import { verifyEksToken } from '../../../local/kubernetes/token.ts';
import { createEksService, type EksService } from '../../../local/services/eks.ts';
import { terminal } from '../../cli/terminal.ts';
import { accountId, region, rootKey } from '../gateway/account.ts';

let home: string;
let planes: ControlPlanes;
let eks: EksService;
let gateway: Gateway;
let tenantry: ReturnType<typeof terminal>;

/** EKS, its clusters' APIs and the data directory of a cloud: all that the command asks. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'tenantry-kubeconfig-'));
  const credentials = openCredentialStore({ file: join(home, 'credentials.json'), accountId, ...rootKey });
  planes = await startControlPlanes({
    directory: join(home, 'kubernetes'),
    authenticate: async (cluster, token) => {
      const verdict = verifyEksToken(token, { cluster, credentials, accountId, now: new Date() });
      return 'refusal' in verdict ? undefined : eks.identityOf(cluster, verdict.callerArn);
    },
    log: () => undefined,
  });
  eks = createEksService({
    directory: join(home, 'eks'),
    region,
    accountId,
    controlPlanes: planes,
    createDelayMillis: 10,
  });
  gateway = await startGateway({ services: [eks], credentials, region, accountId });
  eks.start();
  await writeFile(
    join(home, 'cloud.json'),
    JSON.stringify({ pid: process.pid, endpoint: gateway.endpoint, port: gateway.port, region, accountId, ...rootKey }),
  );
  tenantry = terminal(home);
  const client = new EKSClient({ endpoint: gateway.endpoint, region, credentials: rootKey });
  for (const name of ['tenantry-shared', 'tenantry-acme-1a2b3c']) {
    const accessConfig = { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: true } as const;
    const roleArn = `arn:aws:iam::${accountId}:role/cluster`;
    const resourcesVpcConfig = { subnetIds: ['subnet-1', 'subnet-2'] };
    await client.send(new CreateClusterCommand({ name, roleArn, resourcesVpcConfig, accessConfig }));
    await waitUntilClusterActive({ client, maxWaitTime: 10, minDelay: 0.02, maxDelay: 0.05 }, { name });
  }
  client.destroy();
});

afterAll(async () => {
  await gateway.close();
  await planes.close();
  await rm(home, { recursive: true, force: true });
});

test('the file that the command writes opens every cluster to an unmodified client, by a token of its own', async () => {
  const { code, stdout } = await tenantry.run('kubeconfig');
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(home, 'kubeconfig')}\n` });
  expect((await stat(join(home, 'kubeconfig'))).mode & 0o777).toBe(0o600);
  const config = new KubeConfig();
  config.loadFromFile(join(home, 'kubeconfig'));
  expect(config.getContexts().map(({ name }) => name)).toEqual(['tenantry-acme-1a2b3c', 'tenantry-shared']);
  for (const name of ['tenantry-shared', 'tenantry-acme-1a2b3c']) {
    config.setCurrentContext(name);
    const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
    expect(items.map(({ metadata }) => metadata?.name)).toContain('kube-system');
  }
});

test('the token of one cluster does not open another', async () => {
  const ended = await tenantry.run('kubeconfig', 'token', '--cluster', 'tenantry-shared');
  const credential = JSON.parse(ended.stdout);
  expect(credential).toMatchObject({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' });
  const { token, expirationTimestamp } = credential.status;
  const minutes = (Date.parse(expirationTimestamp) - Date.now()) / 60_000;
  expect(minutes).toBeGreaterThan(13);
  expect(minutes).toBeLessThan(14.1);
  const list = (cluster: string) => {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: 'c', server: planes.endpoint(cluster), caData: planes.certificateAuthority }],
      users: [{ name: 'u', token }],
      contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
      currentContext: 'x',
    });
    return config.makeApiClient(CoreV1Api).listNamespace();
  };
  await expect(list('tenantry-shared')).resolves.toBeDefined();
  await expect(list('tenantry-acme-1a2b3c')).rejects.toMatchObject({ code: 401 });
});

test('a token is for a cluster that is named', async () => {
  expect(await tenantry.run('kubeconfig', 'token')).toMatchObject({ code: 2, stdout: '' });
});

test('one cluster alone goes to standard output; a cluster that is not there is exit code 4', async () => {
  const [one, none] = await Promise.all([
    tenantry.run('kubeconfig', '--cluster', 'tenantry-shared', '--file', '-'),
    tenantry.run('kubeconfig', '--cluster', 'nowhere'),
  ]);
  const config = new KubeConfig();
  config.loadFromString(one.stdout);
  expect(config.getContexts().map(({ name }) => name)).toEqual(['tenantry-shared']);
  expect(none).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringContaining('no cluster nowhere has an address'),
  });
});

test("a kubeconfig that is somebody's own is not replaced", async () => {
  const file = join(home, 'own');
  await writeFile(file, 'apiVersion: v1\nkind: Config\n');
  const ended = await tenantry.run('kubeconfig', '--file', file);
  expect(ended).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('was not written by tenantry') });
});

test('names are quoted, so that no name can become another member', () => {
  const name = 'a: b"\n# c';
  const text = kubeconfigText([{ name, endpoint: 'https://x', certificateAuthority: 'Y2E=' }], {
    command: 'x',
    args: [],
    env: {},
  });
  const config = new KubeConfig();
  config.loadFromString(text);
  expect(config.getCurrentContext()).toBe(name);
});
