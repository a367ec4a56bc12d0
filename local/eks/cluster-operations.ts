import { randomUUID } from 'node:crypto';
import type {
  Cluster,
  CreateClusterRequest,
  DeleteClusterRequest,
  DescribeClusterRequest,
  DescribeUpdateRequest,
  ListClustersRequest,
  ListUpdatesRequest,
  Update,
  UpdateClusterConfigRequest,
} from '@aws-sdk/client-eks';
import { type Call, type Operation, ServiceError } from '../gateway/service.ts';
import { bootstrapCreator } from './access-operations.ts';
import type { EksContext } from './context.ts';
import { pageOf } from './paging.ts';
import { inUse, invalidParameter, invalidRequest, notFound, requireActive, requireCluster } from './refusals.ts';
import { newSettings, planUpdate, requestDigest } from './shape.ts';
import type { ClusterRecord } from './store.ts';
import { tagsOf } from './tags.ts';

/** EKS's default quota of clusters in a region. */
const clusterQuota = 100;

/** A cluster as EKS describes it: its address and certificate are there once it is ACTIVE. */
const describe = ({ plane }: EksContext, cluster: ClusterRecord): Cluster => {
  const made = cluster.status !== 'CREATING';
  return {
    ...cluster.settings,
    status: cluster.status,
    createdAt: new Date(cluster.createdAt),
    tags: { ...cluster.tags },
    endpoint: made ? plane.endpoint(cluster.name) : undefined,
    certificateAuthority: made ? { data: plane.certificateAuthority } : {},
    health: { issues: [] },
  };
};

const repeated = (context: EksContext, input: CreateClusterRequest): ClusterRecord | undefined => {
  const found = context.store.clusters.get(input.name ?? '');
  if (!found) return undefined;
  const same = found.token !== undefined && found.token === input.clientRequestToken;
  if (same && found.request === requestDigest(input)) return found;
  if (same) throw invalidParameter(`clientRequestToken ${found.token} was used with other parameters.`);
  throw inUse(`Cluster already exists with name: ${found.name}`, found.name);
};

const create = (context: EksContext, input: CreateClusterRequest, { caller }: Call): { cluster: Cluster } => {
  const { store, account, delays, lifecycle } = context;
  const before = repeated(context, input);
  if (before) return { cluster: describe(context, before) };
  const settings = newSettings(account, input);
  if (store.clusters.all().length >= clusterQuota)
    throw new ServiceError(
      'ResourceLimitExceededException',
      `Cluster limit exceeded: ${clusterQuota} clusters are allowed in a region.`,
    );
  const now = Date.now();
  const cluster = store.clusters.put(settings.name!, {
    name: settings.name!,
    status: 'CREATING',
    due: now + delays.create,
    createdAt: now,
    token: input.clientRequestToken,
    request: requestDigest(input),
    settings,
    tags: tagsOf(input.tags),
    updates: [],
  });
  if (settings.accessConfig?.bootstrapClusterCreatorAdminPermissions)
    bootstrapCreator(context, cluster.name, caller.principalArn);
  lifecycle.follow(cluster);
  return { cluster: describe(context, cluster) };
};

const remove = (context: EksContext, { name }: DeleteClusterRequest): { cluster: Cluster } => {
  const { store, delays, lifecycle } = context;
  const found = requireCluster(store, name);
  if (found.status === 'DELETING') return { cluster: describe(context, found) };
  requireActive(store, name);
  if (found.settings.deletionProtection)
    throw invalidRequest(
      `Cluster ${found.name} cannot be deleted because deletion protection is enabled; disable it with UpdateClusterConfig first.`,
    );
  const cluster = store.clusters.put(found.name, { ...found, status: 'DELETING', due: Date.now() + delays.remove });
  lifecycle.follow(cluster);
  return { cluster: describe(context, cluster) };
};

const shown = ({ at, ...update }: ClusterRecord['updates'][number]): Update => ({ ...update, createdAt: new Date(at) });

const updateConfig = ({ store }: EksContext, input: UpdateClusterConfigRequest): { update: Update } => {
  const cluster = requireActive(store, input.name);
  const { type, params, settings } = planUpdate(cluster, input);
  const update = { id: randomUUID(), status: 'Successful', type, params: [...params], errors: [], at: Date.now() };
  store.clusters.update(cluster.name, {
    settings: { ...cluster.settings, ...settings },
    updates: [...cluster.updates, update as ClusterRecord['updates'][number]],
  });
  return { update: shown(update as ClusterRecord['updates'][number]) };
};

export const clusterOperations = (context: EksContext): Record<string, Operation> => {
  const { store } = context;
  return {
    CreateCluster: (input: CreateClusterRequest, call) => create(context, input, call),
    DescribeCluster: ({ name }: DescribeClusterRequest) => ({
      cluster: describe(context, requireCluster(store, name)),
    }),
    ListClusters: (input: ListClustersRequest) => {
      const { items, nextToken } = pageOf(store.clusters.all(), ({ name }) => name, input);
      return { clusters: items.map(({ name }) => name), nextToken };
    },
    DeleteCluster: (input: DeleteClusterRequest) => remove(context, input),
    UpdateClusterConfig: (input: UpdateClusterConfigRequest) => updateConfig(context, input),
    DescribeUpdate: ({ name, updateId }: DescribeUpdateRequest) => {
      const update = requireCluster(store, name).updates.find(({ id }) => id === updateId);
      if (!update) throw notFound(`No update found for id: ${updateId}`);
      return { update: shown(update) };
    },
    ListUpdates: ({ name, ...page }: ListUpdatesRequest) => {
      const { items, nextToken } = pageOf(requireCluster(store, name).updates, ({ id }) => id ?? '', page);
      return { updateIds: items.map(({ id }) => id), nextToken };
    },
  };
};
