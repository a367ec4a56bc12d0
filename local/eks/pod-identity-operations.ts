import { randomBytes } from 'node:crypto';
import type {
  CreatePodIdentityAssociationRequest,
  DeletePodIdentityAssociationRequest,
  DescribePodIdentityAssociationRequest,
  ListPodIdentityAssociationsRequest,
  PodIdentityAssociation,
  UpdatePodIdentityAssociationRequest,
} from '@aws-sdk/client-eks';
import type { Operation } from '../gateway/service.ts';
import type { EksContext } from './context.ts';
import { pageOf } from './paging.ts';
import { eksArn, inUse, invalidParameter, notFound, requireCluster, roleOf } from './refusals.ts';
import type { AssociationRecord } from './store.ts';
import { tagsOf } from './tags.ts';

const shown = (record: AssociationRecord): { association: PodIdentityAssociation } => ({
  association: {
    clusterName: record.cluster,
    namespace: record.namespace,
    serviceAccount: record.serviceAccount,
    roleArn: record.roleArn,
    targetRoleArn: record.targetRoleArn,
    disableSessionTags: record.disableSessionTags,
    associationArn: record.arn,
    associationId: record.id,
    tags: { ...record.tags },
    createdAt: new Date(record.createdAt),
    modifiedAt: new Date(record.modifiedAt),
  },
});

/** Kubernetes: a DNS label. */
const nameOf = (member: string, given = ''): string => {
  if (/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(given)) return given;
  throw invalidParameter(
    `The ${member} "${given}" is not a name of Kubernetes: letters, digits and hyphens, 63 at most.`,
  );
};

const create = ({ store, account }: EksContext, input: CreatePodIdentityAssociationRequest) => {
  const cluster = requireCluster(store, input.clusterName).name;
  const namespace = nameOf('namespace', input.namespace);
  const serviceAccount = nameOf('serviceAccount', input.serviceAccount);
  const found = store.associations
    .all()
    .find((each) => each.cluster === cluster && each.namespace === namespace && each.serviceAccount === serviceAccount);
  if (found && found.token !== undefined && found.token === input.clientRequestToken) return shown(found);
  if (found)
    throw inUse(
      `Association already exists: ${found.id}; service account ${namespace}/${serviceAccount} of cluster ${cluster} has it.`,
      cluster,
    );
  const id = `a-${randomBytes(9).toString('hex').slice(0, 17)}`;
  const now = Date.now();
  return shown(
    store.associations.put(id, {
      cluster,
      id,
      arn: eksArn(account, `podidentityassociation/${cluster}/${id}`),
      namespace,
      serviceAccount,
      roleArn: roleOf('roleArn', input.roleArn),
      targetRoleArn: input.targetRoleArn === undefined ? undefined : roleOf('targetRoleArn', input.targetRoleArn),
      disableSessionTags: input.disableSessionTags ?? false,
      createdAt: now,
      modifiedAt: now,
      tags: tagsOf(input.tags),
      token: input.clientRequestToken,
    }),
  );
};

const requireAssociation = ({ store }: EksContext, clusterName: string | undefined, id = ''): AssociationRecord => {
  const cluster = requireCluster(store, clusterName).name;
  const found = store.associations.get(id);
  if (found?.cluster !== cluster) throw notFound(`No association found for id: ${id} in cluster ${cluster}.`);
  return found;
};

/** Pod identity associations as records: no agent runs on the laptop, and its pods are told their keys by whoever starts them. */
export const podIdentityOperations = (context: EksContext): Record<string, Operation> => {
  const { store } = context;
  return {
    CreatePodIdentityAssociation: (input: CreatePodIdentityAssociationRequest) => create(context, input),
    DescribePodIdentityAssociation: (input: DescribePodIdentityAssociationRequest) =>
      shown(requireAssociation(context, input.clusterName, input.associationId)),
    UpdatePodIdentityAssociation: (input: UpdatePodIdentityAssociationRequest) => {
      const found = requireAssociation(context, input.clusterName, input.associationId);
      return shown(
        store.associations.put(found.id, {
          ...found,
          roleArn: input.roleArn === undefined ? found.roleArn : roleOf('roleArn', input.roleArn),
          targetRoleArn:
            input.targetRoleArn === undefined ? found.targetRoleArn : roleOf('targetRoleArn', input.targetRoleArn),
          disableSessionTags: input.disableSessionTags ?? found.disableSessionTags,
          modifiedAt: Date.now(),
        }),
      );
    },
    DeletePodIdentityAssociation: (input: DeletePodIdentityAssociationRequest) => {
      const found = requireAssociation(context, input.clusterName, input.associationId);
      store.associations.remove(found.id);
      return shown(found);
    },
    ListPodIdentityAssociations: (input: ListPodIdentityAssociationsRequest) => {
      const cluster = requireCluster(store, input.clusterName).name;
      const found = store.associations
        .all()
        .filter((each) => each.cluster === cluster)
        .filter(({ namespace }) => input.namespace === undefined || namespace === input.namespace)
        .filter(({ serviceAccount }) => input.serviceAccount === undefined || serviceAccount === input.serviceAccount);
      const { items, nextToken } = pageOf(found, ({ id }) => id, input);
      return {
        associations: items.map(({ cluster: clusterName, namespace, serviceAccount, arn, id }) => ({
          clusterName,
          namespace,
          serviceAccount,
          associationArn: arn,
          associationId: id,
        })),
        nextToken,
      };
    },
  };
};
