import { createHash } from 'node:crypto';
import type {
  AccessEntry,
  AccessScope,
  AssociateAccessPolicyRequest,
  AssociatedAccessPolicy,
  CreateAccessEntryRequest,
  DeleteAccessEntryRequest,
  DescribeAccessEntryRequest,
  DisassociateAccessPolicyRequest,
  ListAccessEntriesRequest,
  ListAssociatedAccessPoliciesRequest,
  UpdateAccessEntryRequest,
} from '@aws-sdk/client-eks';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { EksContext } from './context.ts';
import { canonicalPrincipal, clusterAdminPolicy, defaultUsername } from './identity.ts';
import { pageOf } from './paging.ts';
import { eksArn, inUse, invalidParameter, invalidRequest, notFound, requireCluster } from './refusals.ts';
import { type EntryRecord, entryKey, type PolicyRecord } from './store.ts';
import { tagsOf } from './tags.ts';

/** Types of entries that nodes join with; STANDARD ones are for people and programs. */
const types = ['STANDARD', 'EC2', 'EC2_LINUX', 'EC2_WINDOWS', 'FARGATE_LINUX', 'HYBRID_LINUX'];

const policyPattern = /^arn:aws:eks::aws:cluster-access-policy\/(Amazon\w+Policy)$/;

/** Policies for nodes and EKS itself: kept and shown, for there are no nodes here that could use them. */
const nodePolicies = /^AmazonEKS(AutoNode|BlockStorage|LoadBalancing|Networking|Compute|Hybrid\w*)\w*Policy$/;

/** IAM: users and roles, no sessions; the account's own root user creates clusters on the laptop. */
const principalPattern = /^arn:aws:iam::\d{12}:(?:(?:role|user)\/[\w+=,.@/-]+|root)$/;

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

const requireAccessEntries = ({ store }: EksContext, name: string | undefined): string => {
  const cluster = requireCluster(store, name);
  if (cluster.settings.accessConfig?.authenticationMode !== 'CONFIG_MAP') return cluster.name;
  throw invalidRequest(
    "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
  );
};

const requireEntry = (context: EksContext, name: string | undefined, principalArn: string | undefined): EntryRecord => {
  const cluster = requireAccessEntries(context, name);
  const entry = context.store.entries.get(entryKey(cluster, principalArn ?? ''));
  if (!entry)
    throw notFound(
      `The specified principalArn could not be found. You can view your existing access entries with ListAccessEntries: ${principalArn}`,
    );
  return entry;
};

const groupsOf = (given: readonly string[] | undefined = []): readonly string[] => {
  const reserved = given.find((group) => /^(system|eks|aws|amazon|iam):/.test(group));
  if (reserved !== undefined)
    throw invalidParameter(
      `The kubernetes group name ${reserved} is invalid, it cannot start with system:, eks:, aws:, amazon:, or iam:`,
    );
  return given;
};

const usernameOf = (given: string | undefined, principalArn: string): string => {
  if (given === undefined) return defaultUsername(principalArn);
  if (/^(system|eks|aws|amazon|iam):/.test(given))
    throw invalidParameter(
      `The username ${given} is invalid, it cannot start with system:, eks:, aws:, amazon:, or iam:`,
    );
  return given;
};

const typeOf = (given = 'STANDARD'): string => {
  if (types.includes(given)) return given;
  throw invalidParameter(`The access entry type ${given} is not one of ${types.join(', ')}.`);
};

const put = (
  context: EksContext,
  cluster: string,
  principalArn: string,
  more: Partial<EntryRecord> = {},
): EntryRecord => {
  const kind = principalArn.split(':')[5]!.split('/')[0]!;
  const name = principalArn.split('/').at(-1)!;
  const now = Date.now();
  return context.store.entries.put(entryKey(cluster, principalArn), {
    cluster,
    principalArn,
    groups: [],
    username: defaultUsername(principalArn),
    type: 'STANDARD',
    arn: eksArn(
      context.account,
      `access-entry/${cluster}/${kind}/${context.account.accountId}/${name}/${idOf(`${cluster} ${principalArn}`)}`,
    ),
    createdAt: now,
    modifiedAt: now,
    tags: {},
    policies: [],
    ...more,
  });
};

/** The creator administers the cluster unless the call says otherwise (`bootstrapClusterCreatorAdminPermissions`). */
export const bootstrapCreator = (context: EksContext, cluster: string, caller: string): void => {
  const now = Date.now();
  put(context, cluster, canonicalPrincipal(caller), {
    policies: [{ arn: clusterAdminPolicy, scope: 'cluster', namespaces: [], associatedAt: now, modifiedAt: now }],
  });
};

const shown = (entry: EntryRecord): { accessEntry: AccessEntry } => ({
  accessEntry: {
    clusterName: entry.cluster,
    principalArn: entry.principalArn,
    kubernetesGroups: [...entry.groups],
    accessEntryArn: entry.arn,
    createdAt: new Date(entry.createdAt),
    modifiedAt: new Date(entry.modifiedAt),
    tags: { ...entry.tags },
    username: entry.username,
    type: entry.type,
  },
});

const create = (context: EksContext, input: CreateAccessEntryRequest): { accessEntry: AccessEntry } => {
  const cluster = requireAccessEntries(context, input.clusterName);
  const { principalArn = '' } = input;
  if (!principalPattern.test(principalArn))
    throw invalidParameter(
      `The principalArn "${principalArn}" is invalid: give the ARN of an IAM role or user, not of a session.`,
    );
  if (context.store.entries.get(entryKey(cluster, principalArn)))
    throw inUse('The specified access entry resource is already in use on this cluster.', cluster);
  return shown(
    put(context, cluster, principalArn, {
      groups: groupsOf(input.kubernetesGroups),
      username: usernameOf(input.username, principalArn),
      type: typeOf(input.type),
      tags: tagsOf(input.tags),
    }),
  );
};

/** Throws where a policy would give rights that nothing here evaluates: an entry's groups and role bindings do. */
const policyOf = (arn = '', { type = 'cluster', namespaces = [] }: AccessScope = {}): PolicyRecord => {
  const name = policyPattern.exec(arn)?.[1];
  if (name === undefined) throw invalidParameter(`The policyArn "${arn}" is not one of an access policy of EKS.`);
  if (type === 'namespace' && namespaces.length === 0)
    throw invalidParameter('The access scope type namespace needs namespaces.');
  const effective = arn === clusterAdminPolicy && type === 'cluster';
  if (!effective && !nodePolicies.test(name))
    throw new ServiceError(
      'NotImplemented',
      `eks gives rights by AmazonEKSClusterAdminPolicy over the whole cluster alone here, not by ${name} over ${type}; use kubernetesGroups and a role binding.`,
      { status: 501 },
    );
  const now = Date.now();
  return { arn, scope: type, namespaces, associatedAt: now, modifiedAt: now };
};

const shownPolicy = (policy: PolicyRecord): AssociatedAccessPolicy => ({
  policyArn: policy.arn,
  accessScope: { type: policy.scope, namespaces: [...policy.namespaces] },
  associatedAt: new Date(policy.associatedAt),
  modifiedAt: new Date(policy.modifiedAt),
});

const save = ({ store }: EksContext, entry: EntryRecord): EntryRecord =>
  store.entries.put(entryKey(entry.cluster, entry.principalArn), { ...entry, modifiedAt: Date.now() });

const without = ({ policies }: EntryRecord, arn: string | undefined): PolicyRecord[] =>
  policies.filter((policy) => policy.arn !== arn);

const policyOperations = (context: EksContext): Record<string, Operation> => ({
  AssociateAccessPolicy: (input: AssociateAccessPolicyRequest) => {
    const entry = requireEntry(context, input.clusterName, input.principalArn);
    const policy = policyOf(input.policyArn, input.accessScope);
    save(context, { ...entry, policies: [...without(entry, policy.arn), policy] });
    return {
      clusterName: entry.cluster,
      principalArn: entry.principalArn,
      associatedAccessPolicy: shownPolicy(policy),
    };
  },
  DisassociateAccessPolicy: (input: DisassociateAccessPolicyRequest) => {
    const entry = requireEntry(context, input.clusterName, input.principalArn);
    save(context, { ...entry, policies: without(entry, input.policyArn) });
    return {};
  },
  ListAssociatedAccessPolicies: (input: ListAssociatedAccessPoliciesRequest) => {
    const entry = requireEntry(context, input.clusterName, input.principalArn);
    const { items, nextToken } = pageOf(entry.policies, ({ arn }) => arn, input);
    return {
      clusterName: entry.cluster,
      principalArn: entry.principalArn,
      associatedAccessPolicies: items.map(shownPolicy),
      nextToken,
    };
  },
});

export const accessOperations = (context: EksContext): Record<string, Operation> => ({
  ...policyOperations(context),
  CreateAccessEntry: (input: CreateAccessEntryRequest) => create(context, input),
  DescribeAccessEntry: (input: DescribeAccessEntryRequest) =>
    shown(requireEntry(context, input.clusterName, input.principalArn)),
  UpdateAccessEntry: (input: UpdateAccessEntryRequest) => {
    const entry = requireEntry(context, input.clusterName, input.principalArn);
    return shown(
      save(context, {
        ...entry,
        groups: groupsOf(input.kubernetesGroups ?? entry.groups),
        username: input.username === undefined ? entry.username : usernameOf(input.username, entry.principalArn),
      }),
    );
  },
  DeleteAccessEntry: (input: DeleteAccessEntryRequest) => {
    const { cluster, principalArn } = requireEntry(context, input.clusterName, input.principalArn);
    context.store.entries.remove(entryKey(cluster, principalArn));
    return {};
  },
  ListAccessEntries: (input: ListAccessEntriesRequest) => {
    const cluster = requireAccessEntries(context, input.clusterName);
    const { associatedPolicyArn: policy } = input;
    const entries = context.store.entries
      .all()
      .filter((entry) => entry.cluster === cluster)
      .filter(({ policies }) => policy === undefined || policies.some(({ arn }) => arn === policy));
    const { items, nextToken } = pageOf(entries, ({ principalArn }) => principalArn, input);
    return { accessEntries: items.map(({ principalArn }) => principalArn), nextToken };
  },
});
