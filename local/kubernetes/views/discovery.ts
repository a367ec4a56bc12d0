import { apiVersionOf, type Kind, type Subresource } from '../kinds.ts';
import { noSuchPath } from '../status.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

const subresourceVerbs: Readonly<Record<Subresource, readonly string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  finalize: ['update'],
  binding: ['create'],
  eviction: ['create'],
};

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const subresourceKind = ({ group, version, kind }: Kind, subresource: Subresource): GroupVersionKind => {
  if (subresource === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  if (subresource === 'eviction') return { group: 'policy', version: 'v1', kind: 'Eviction' };
  if (subresource === 'binding') return { group: '', version: 'v1', kind: 'Binding' };
  return { group, version, kind };
};

/** Kinds that can be created and are never kept. */
const reviews: readonly Pick<Kind, 'group' | 'version' | 'kind' | 'plural'>[] = [
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews' },
  { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews' },
  { group: 'authentication.k8s.io', version: 'v1', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' },
];

/** Groups in the order of their first kind, each with its versions. */
const groupVersions = (kinds: readonly Kind[]): Map<string, string[]> => {
  const groups = new Map<string, string[]>();
  for (const { group, version } of [...kinds, ...reviews]) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) groups.set(group, [...versions, version]);
  }
  return groups;
};

const aggregatedResource = (kind: Kind): object => ({
  resource: kind.plural,
  responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
  scope: kind.namespaced ? 'Namespaced' : 'Cluster',
  singularResource: kind.singular,
  verbs,
  ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
  ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
  ...(kind.subresources.length > 0
    ? {
        subresources: kind.subresources.map((subresource) => ({
          subresource,
          responseKind: subresourceKind(kind, subresource),
          verbs: subresourceVerbs[subresource],
        })),
      }
    : {}),
});

const aggregatedReview = ({ group, version, kind, plural }: (typeof reviews)[number]): object => ({
  resource: plural,
  responseKind: { group, version, kind },
  scope: 'Cluster',
  singularResource: kind.toLowerCase(),
  verbs: ['create'],
});

export const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Discovery in one answer, as kubectl and Helm ask for it: `/api` for the core group, `/apis` for all others. */
export const aggregatedDiscovery = (kinds: readonly Kind[], core: boolean): object => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: [...groupVersions(kinds)]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        freshness: 'Current',
        resources: [
          ...kinds.filter((kind) => kind.group === group && kind.version === version).map(aggregatedResource),
          ...reviews.filter((kind) => kind.group === group && kind.version === version).map(aggregatedReview),
        ],
      })),
    })),
});

export const legacyVersions = (): object => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
});

const apiGroup = (name: string, versions: readonly string[]): object => {
  const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
};

export const groupList = (kinds: readonly Kind[]): object => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [...groupVersions(kinds)].filter(([name]) => name !== '').map(([name, versions]) => apiGroup(name, versions)),
});

/** `/apis/<group>`. Throws 404 for a group that is not served. */
export const groupInfo = (kinds: readonly Kind[], group: string): object => {
  const versions = groupVersions(kinds).get(group);
  if (!versions) throw noSuchPath();
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) };
};

/** `/api/v1` and `/apis/<group>/<version>`. Throws 404 for what is not served. */
export const resourceList = (kinds: readonly Kind[], group: string, version: string): object => {
  if (!groupVersions(kinds).get(group)?.includes(version)) throw noSuchPath();
  const served = kinds.filter((kind) => kind.group === group && kind.version === version);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: [
      ...served.flatMap((kind) => [
        {
          name: kind.plural,
          singularName: kind.singular,
          namespaced: kind.namespaced,
          kind: kind.kind,
          verbs,
          ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
          ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
        },
        ...kind.subresources.map((subresource) => ({
          name: `${kind.plural}/${subresource}`,
          singularName: '',
          namespaced: kind.namespaced,
          ...subresourceKind(kind, subresource),
          verbs: subresourceVerbs[subresource],
        })),
      ]),
      ...reviews
        .filter((kind) => kind.group === group && kind.version === version)
        .map(({ kind, plural }) => ({
          name: plural,
          singularName: kind.toLowerCase(),
          namespaced: false,
          kind,
          verbs: ['create'],
        })),
    ],
  };
};
