import { AssociateAccessPolicyCommand, CreateAccessEntryCommand, CreateClusterCommand } from '@aws-sdk/client-eks';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { openClusterConnections } from '../../../adapters/cluster/connect.ts';
import { clusterAdminPolicy } from '../../../local/eks/identity.ts';
import { startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { verifyEksToken } from '../../../local/kubernetes/token.ts';
import { clusterOf, openEks } from '../../local/eks/laptop-eks.ts';
import { accountId } from '../../local/gateway/account.ts';
import { temporary } from '../../local/gateway/endpoint.ts';

const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** EKS of the laptop with the Kubernetes APIs behind its clusters, which take tokens by access entries. */
const open = async () => {
  let identify: Parameters<typeof startControlPlanes>[0]['authenticate'] = async () => undefined;
  const planes = await startControlPlanes({
    directory: await temporary('planes'),
    authenticate: (cluster, token) => identify(cluster, token),
    log: () => undefined,
  });
  ending.push(() => planes.close());
  const eks = await openEks({ controlPlanes: planes });
  const { credentials } = eks;
  identify = async (cluster, token) => {
    const verdict = verifyEksToken(token, { cluster, credentials, accountId, now: new Date() });
    return 'refusal' in verdict ? undefined : eks.service.identityOf(cluster, verdict.principalArn);
  };
  const connections = openClusterConnections(eks.client, eks.config.endpoint);
  onTestFinished(() => connections.close());
  return { eks, connections };
};

test('a step reaches a cluster by its name in EKS alone, once an access entry lets it in', async () => {
  const { eks, connections } = await open();
  expect(await connections.find('tenantry-shared')).toBeUndefined();
  await expect(connections.open('tenantry-shared')).rejects.toMatchObject({
    name: 'ClusterUnavailable',
    message: 'EKS has no cluster tenantry-shared; create it, or correct the registry',
  });
  const clusterName = 'tenantry-shared';
  await eks.client.send(
    new CreateClusterCommand(
      clusterOf(clusterName, {
        accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: false },
      }),
    ),
  );
  await expect.poll(() => connections.open(clusterName).catch(() => undefined), { timeout: 5_000 }).toBeDefined();
  const cluster = await connections.open(clusterName);
  expect(await connections.open(clusterName)).toBe(cluster);
  const look = () => cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: 'default' });
  await expect(look()).rejects.toMatchObject({
    name: 'ClusterUnavailable',
    message: expect.stringContaining('access entry'),
  });
  const { principalArn } = eks.credentials.root;
  await eks.client.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  // Known now, and allowed nothing: still something that another moment may heal.
  await expect(look()).rejects.toMatchObject({ name: 'ClusterUnavailable', message: expect.stringContaining('403') });
  await eks.client.send(
    new AssociateAccessPolicyCommand({
      clusterName,
      principalArn,
      policyArn: clusterAdminPolicy,
      accessScope: { type: 'cluster' },
    }),
  );
  expect(await look()).toMatchObject({ kind: 'Namespace', metadata: { name: 'default' } });
});
