import { openCluster } from '../adapters/cluster/cluster.ts';
import { call } from '../cli/api.ts';
import type { CloudFile } from '../cli/connection.ts';
import type { OperationRecord } from '../cli/progress.ts';
import { describeClusters } from '../local/kubernetes/eks-clusters.ts';
import { type HttpLoad, settle, startHttpWriters } from '../test/load/http-writers.ts';
import type { Story } from './story.ts';

interface TenantView {
  readonly tier: string;
  readonly isolation: string;
  readonly placement: { readonly cluster: string | null; readonly namespace: string | null };
}

const kinds = [
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  { apiVersion: 'v1', kind: 'Pod' },
  { apiVersion: 'v1', kind: 'Service' },
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
  { apiVersion: 'v1', kind: 'ResourceQuota' },
] as const;

/** What the cluster has of the tenant, asked as any client of Kubernetes would. */
const objectsOf = async (cloud: CloudFile, tenantId: string): Promise<string> => {
  const { placement } = await call<TenantView>('GET', `/tenants/${tenantId}`);
  const [found] = await describeClusters(cloud, placement.cluster ?? '');
  if (!found) throw new Error(`tenant ${tenantId} has no cluster`);
  const { accessKeyId, secretAccessKey, region } = cloud;
  const cluster = openCluster({
    ...found,
    region,
    credentials: () => Promise.resolve({ accessKeyId, secretAccessKey }),
    stsEndpoint: cloud.endpoint,
  });
  try {
    const counts = await Promise.all(
      kinds.map(async (kind) => {
        const items = await cluster.list(kind, { namespace: placement.namespace ?? '' });
        return `${kind.kind} ${items.length}`;
      }),
    );
    return `${found.name}/${placement.namespace}: ${counts.join(', ')}`;
  } finally {
    cluster.close();
  }
};

const measured = async (
  load: HttpLoad,
  move: () => Promise<OperationRecord>,
): Promise<{ operation: OperationRecord; waited: number }> => {
  load.forgetSlowest();
  const operation = await move();
  await load.more(50);
  return { operation, waited: Math.round(load.slowest().millis) };
};

/**
 * A customer whom a placement rule gives an app of its own grows into a cluster of its own, and back, while its people write over
 * HTTP. `succeed` follows an operation to its end.
 */
export const growInto = async (
  story: Story,
  cloud: CloudFile,
  tenantId: string,
  succeed: (operation: string) => Promise<OperationRecord>,
): Promise<void> => {
  const post = async (path: string, body: object): Promise<OperationRecord> =>
    succeed((await call<{ operation: string }>('POST', path, body)).operation);
  const view = (): Promise<TenantView> => call<TenantView>('GET', `/tenants/${tenantId}`);
  story.chapter(`${tenantId} must comply with HIPAA: the rules give it an app of its own, in a namespace of its own`);
  await post('/tenants', {
    tenantId,
    plan: 'pro',
    compliance: ['hipaa'],
    name: 'Hooli Inc',
    adminEmail: `owner@${tenantId}.example`,
  });
  story.say(await objectsOf(cloud, tenantId));
  story.say(`http://${tenantId}.localhost:${cloud.port} is served by its own processes`);
  story.chapter(`${tenantId} buys plan enterprise for 5,000 users: a cluster of its own, while its people write`);
  const load = await startHttpWriters({ port: cloud.port, host: `${tenantId}.localhost`, tenantId });
  const waits: string[] = [];
  const leg = async (name: string, path: string, body: object): Promise<void> => {
    const { operation, waited } = await measured(load, () => post(path, body));
    const { tier, isolation, placement } = await view();
    const seconds = (Date.parse(operation.endedAt ?? '') - Date.parse(operation.startedAt)) / 1_000;
    story.say(
      `${name.padEnd(16)} ${seconds.toFixed(1).padStart(5)} s   now ${tier} tier, ${isolation}, in ${placement.cluster ?? 'the shared app'}; the slowest request took ${waited} ms`,
    );
    waits.push(`${name} ${waited}`);
  };
  try {
    await leg('plan enterprise', `/tenants/${tenantId}/plan`, { plan: 'enterprise', users: 5_000 });
    story.say(await objectsOf(cloud, tenantId));
    story.prove(
      `${tenantId} is in a cluster of its own`,
      (await view()).tier === 'cluster',
      `npx tenantry kubeconfig writes a file with which kubectl lists it`,
    );
    await leg('and back', `/moves/${tenantId}/back`, {});
  } finally {
    await load.stop();
  }
  const { acked, lost, duplicated } = await settle(load);
  story.prove(
    `no request of ${tenantId} failed and no write was lost on the way`,
    lost.length + duplicated.length + load.refused.length + load.unknown.length === 0,
    `${acked} acknowledged, ${lost.length} lost, ${duplicated.length} duplicated, ${load.refused.length} refused, ${load.unknown.length} unanswered`,
  );
  story.facts.tier_stall_ms = waits;
};
