import type { RbacV1Subject, V1PodSpec } from '@kubernetes/client-node';
import type { ClusterObjects } from '../cluster-objects.ts';
import type { KubeObject } from '../object.ts';
import { defaultPod } from './pod.ts';
import { defaultService } from './service.ts';
import { defaultWorkload } from './workloads.ts';

/** Source: Kubernetes documentation, Pod Quality of Service Classes. */
const qosClass = ({ containers, initContainers = [] }: V1PodSpec): string => {
  const resources = [...(containers ?? []), ...initContainers].map((container) => container.resources ?? {});
  const named = resources.flatMap(({ limits = {}, requests = {} }) => [
    ...Object.keys(limits),
    ...Object.keys(requests),
  ]);
  if (!named.some((name) => name === 'cpu' || name === 'memory')) return 'BestEffort';
  const guaranteed = resources.every(({ limits = {}, requests = {} }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
};

const defaultNamespace = (object: KubeObject): void => {
  object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
  object.spec ??= {};
  const spec = object.spec as { finalizers?: string[] };
  if (!object.metadata.deletionTimestamp) spec.finalizers ??= ['kubernetes'];
  object.status ??= { phase: 'Active' };
};

/** `stringData` is write-only: its values go into `data`, base64. */
const foldStringData = (object: KubeObject): void => {
  object.type ??= 'Opaque';
  if (!object.stringData) return;
  const folded = Object.entries(object.stringData as Record<string, string>).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ]);
  object.data = { ...(object.data as object | undefined), ...Object.fromEntries(folded) };
  delete object.stringData;
};

const rbacGroup = 'rbac.authorization.k8s.io';

const defaultBinding = (object: KubeObject): void => {
  const roleRef = object.roleRef as { apiGroup?: string } | undefined;
  if (roleRef) roleRef.apiGroup ??= rbacGroup;
  for (const subject of (object.subjects ?? []) as RbacV1Subject[]) {
    if (subject.kind === 'ServiceAccount') subject.apiGroup ??= '';
    else subject.apiGroup ??= rbacGroup;
    if (subject.apiGroup === '') delete subject.apiGroup;
  }
};

const defaultAutoscaler = (object: KubeObject): void => {
  const spec = object.spec as { minReplicas?: number; metrics?: unknown[] };
  spec.minReplicas ??= 1;
  spec.metrics ??= [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
  ];
};

const defaultClaim = (object: KubeObject): void => {
  const spec = object.spec as { volumeMode?: string; storageClassName?: string };
  spec.volumeMode ??= 'Filesystem';
  spec.storageClassName ??= 'gp3';
  object.status ??= { phase: 'Pending' };
};

const defaultNetworkPolicy = (object: KubeObject): void => {
  const spec = object.spec as {
    policyTypes?: string[];
    egress?: { ports?: { protocol?: string }[] }[];
    ingress?: { ports?: { protocol?: string }[] }[];
  };
  spec.policyTypes ??= spec.egress ? ['Ingress', 'Egress'] : ['Ingress'];
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  }
};

/** An item without a default takes its maximum, one without a default request its default or minimum. */
const defaultLimitRange = (object: KubeObject): void => {
  type Amounts = Record<string, string>;
  const { limits = [] } = object.spec as {
    limits?: { type: string; default?: Amounts; defaultRequest?: Amounts; min?: Amounts; max?: Amounts }[];
  };
  for (const item of limits.filter(({ type }) => type === 'Container')) {
    const { min, max } = item;
    if (max) item.default = { ...max, ...item.default };
    if (item.default ?? min) item.defaultRequest = { ...min, ...item.default, ...item.defaultRequest };
  }
};

/** Served from the moment it is stored: what clients wait for is true at once. */
const establish = (object: KubeObject): void => {
  const { names, versions = [] } = (object.spec ?? {}) as {
    names?: object;
    versions?: { name: string; storage: boolean }[];
  };
  const condition = { status: 'True', lastTransitionTime: object.metadata.creationTimestamp };
  object.status ??= {
    acceptedNames: names,
    storedVersions: versions.filter(({ storage }) => storage).map(({ name }) => name),
    conditions: [
      { type: 'NamesAccepted', reason: 'NoConflicts', message: 'no conflicts found', ...condition },
      {
        type: 'Established',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
        ...condition,
      },
    ],
  };
};

type Filler = (object: KubeObject, before: KubeObject | undefined, objects: ClusterObjects) => void;

const fillers: Readonly<Record<string, Filler>> = {
  Namespace: defaultNamespace,
  Pod: (object) => {
    defaultPod(object.spec as V1PodSpec);
    object.status ??= { phase: 'Pending', qosClass: qosClass(object.spec as V1PodSpec) };
  },
  Service: defaultService,
  Secret: foldStringData,
  Ingress: (object) => {
    object.status ??= { loadBalancer: {} };
  },
  RoleBinding: defaultBinding,
  ClusterRoleBinding: defaultBinding,
  HorizontalPodAutoscaler: defaultAutoscaler,
  PersistentVolumeClaim: defaultClaim,
  NetworkPolicy: defaultNetworkPolicy,
  LimitRange: defaultLimitRange,
  CustomResourceDefinition: establish,
  PriorityClass: (object) => {
    object.preemptionPolicy ??= 'PreemptLowerPriority';
  },
};

/**
 * Fills in what the API fills in, in a copy that belongs to the caller. Without it every apply of the same configuration
 * would look like a change.
 */
export const fillDefaults: Filler = (object, before, objects) => {
  const fill = fillers[object.kind];
  if (fill) fill(object, before, objects);
  else defaultWorkload(object, before === undefined);
};
