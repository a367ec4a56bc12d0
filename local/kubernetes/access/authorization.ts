import type { RbacV1Subject, V1PolicyRule } from '@kubernetes/client-node';
import type { ClusterObjects } from '../cluster-objects.ts';
import { clusterRoleBindingKind, clusterRoleKind, type Kind, roleBindingKind, roleKind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import type { Identity } from '../requests/exchange.ts';
import type { ResourcePath, Verb } from '../requests/request.ts';
import { StatusError } from '../status.ts';

/** May do everything, as in every Kubernetes cluster. */
export const mastersGroup = 'system:masters';

export interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

const covers = (allowed: readonly string[] | undefined, wanted: string): boolean =>
  allowed?.some((entry) => entry === '*' || entry === wanted) ?? false;

const allows = (rule: V1PolicyRule, asked: Attributes): boolean => {
  const resource = asked.subresource ? `${asked.resource}/${asked.subresource}` : asked.resource;
  const named = rule.resourceNames ?? [];
  return (
    covers(rule.verbs, asked.verb) &&
    covers(rule.apiGroups, asked.group) &&
    (covers(rule.resources, resource) ||
      (asked.subresource !== undefined && rule.resources?.includes(`*/${asked.subresource}`) === true)) &&
    (named.length === 0 || (asked.name !== undefined && named.includes(asked.name)))
  );
};

const accountPrefix = 'system:serviceaccount:';

const isSubject = (subject: RbacV1Subject, { username, groups }: Identity, namespace: string | undefined): boolean => {
  if (subject.kind === 'User') return subject.name === username;
  if (subject.kind === 'Group') return groups.includes(subject.name);
  return username === `${accountPrefix}${subject.namespace ?? namespace ?? ''}:${subject.name}`;
};

const binds = (binding: KubeObject, identity: Identity): boolean =>
  ((binding.subjects ?? []) as RbacV1Subject[]).some((subject) =>
    isSubject(subject, identity, binding.metadata.namespace),
  );

const rulesOf = (objects: ClusterObjects, binding: KubeObject): readonly V1PolicyRule[] => {
  const { kind, name } = binding.roleRef as { kind: string; name: string };
  const role =
    kind === 'Role'
      ? objects.get(roleKind, binding.metadata.namespace, name)
      : objects.get(clusterRoleKind, undefined, name);
  return (role?.rules ?? []) as V1PolicyRule[];
};

/** Every rule that an identity has in a namespace, or cluster-wide alone where that is undefined. */
export const rulesFor = (
  objects: ClusterObjects,
  identity: Identity,
  namespace: string | undefined,
): readonly V1PolicyRule[] => {
  if (identity.groups.includes(mastersGroup)) return [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  const bindings = [
    ...objects.list(clusterRoleBindingKind),
    ...(namespace === undefined ? [] : objects.list(roleBindingKind, namespace)),
  ];
  return bindings.filter((binding) => binds(binding, identity)).flatMap((binding) => rulesOf(objects, binding));
};

/** Decides by the Roles, ClusterRoles and bindings of the cluster. */
export const isAllowed = (objects: ClusterObjects, identity: Identity, asked: Attributes): boolean =>
  rulesFor(objects, identity, asked.namespace).some((rule) => allows(rule, asked));

/** The words of k8s.io/apiserver's authorization filter, which kubectl shows as they are. */
const refusal = ({ username }: Identity, asked: Attributes): StatusError => {
  const resource = asked.subresource ? `${asked.resource}/${asked.subresource}` : asked.resource;
  const qualified = asked.group ? `${asked.resource}.${asked.group}` : asked.resource;
  const name = asked.name ? ` "${asked.name}"` : '';
  const scope = asked.namespace ? `in the namespace "${asked.namespace}"` : 'at the cluster scope';
  return new StatusError(
    403,
    'Forbidden',
    `${qualified}${name} is forbidden: User "${username}" cannot ${asked.verb} resource "${resource}" in API group "${asked.group}" ${scope}`,
    {
      ...(asked.name ? { name: asked.name } : {}),
      ...(asked.group ? { group: asked.group } : {}),
      kind: asked.resource,
    },
  );
};

/** Throws 403. Discovery, `/version` and access reviews need no permission. */
export const authorize = (
  objects: ClusterObjects,
  identity: Identity,
  { verb, kind, path }: { verb: Verb; kind: Kind; path: ResourcePath },
): void => {
  const asked: Attributes = {
    verb,
    group: kind.group,
    resource: kind.plural,
    subresource: path.subresource,
    // A namespace itself is judged by the roles inside it too.
    namespace: kind.namespaced ? path.namespace : kind.kind === 'Namespace' ? path.name : undefined,
    name: path.name,
  };
  if (!isAllowed(objects, identity, asked)) throw refusal(identity, asked);
};
