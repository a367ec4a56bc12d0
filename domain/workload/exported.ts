import type { KubeObject, ObjectMeta } from './object.ts';

/** Kinds that Kubernetes makes of others, or that tell of a moment: restored, they would be orphans or lies. */
const passing: ReadonlySet<string> = new Set([
  'Pod',
  'ReplicaSet',
  'Event',
  'Endpoints',
  'EndpointSlice',
  'Lease',
  'ControllerRevision',
  'Binding',
  'LocalSubjectAccessReview',
]);

/** Whether objects of a kind belong into a backup at all. */
export const isKept = (kind: string): boolean => !passing.has(kind);

interface Owner {
  readonly controller?: boolean;
}

const hasEnded = (status: unknown): boolean =>
  ((status as { conditions?: readonly { type: string; status: string }[] } | undefined)?.conditions ?? []).some(
    (one) => (one.type === 'Complete' || one.type === 'Failed') && one.status === 'True',
  );

/**
 * Whether an object is somebody's wish rather than what a controller or Kubernetes itself made of one. A Job that has ended is
 * none any more: restored it would run again.
 */
export const isWish = ({ kind, metadata, type, status }: KubeObject): boolean => {
  const owners = (metadata.ownerReferences ?? []) as readonly Owner[];
  if (!isKept(kind) || owners.some(({ controller }) => controller)) return false;
  if (kind === 'ServiceAccount') return metadata.name !== 'default';
  if (kind === 'Job') return !hasEnded(status);
  if (kind === 'ConfigMap') return metadata.name !== 'kube-root-ca.crt';
  return !(kind === 'Secret' && type === 'kubernetes.io/service-account-token');
};

/** Written by the API or a controller, for this one object in this one cluster. */
const annotationsOfServer =
  /^(deployment\.kubernetes\.io\/revision|kubectl\.kubernetes\.io\/last-applied-configuration|pv\.kubernetes\.io\/.*|volume\.(beta\.)?kubernetes\.io\/.*)$/;

const without = (object: Readonly<Record<string, unknown>>, ...names: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

const stripMetadata = ({ name, namespace, labels, annotations = {} }: ObjectMeta): ObjectMeta => {
  const kept = Object.entries(annotations).filter(([key]) => !annotationsOfServer.test(key));
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
  };
};

interface ServiceSpec {
  readonly clusterIP?: string;
  readonly ports?: readonly Readonly<Record<string, unknown>>[];
}

const stripService = (spec: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const { clusterIP, ports = [] } = spec as ServiceSpec;
  const plain = { ...spec, ports: ports.map((port) => without(port, 'nodePort')) };
  // "None" is a wish: a headless Service.
  return clusterIP === 'None'
    ? without(plain, 'clusterIPs')
    : without(plain, 'clusterIP', 'clusterIPs', 'healthCheckNodePort');
};

const stripSpec = (kind: string, spec: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  if (kind === 'Service') return stripService(spec);
  if (kind === 'PersistentVolumeClaim') return without(spec, 'volumeName');
  if (kind === 'Namespace') return {};
  return kind === 'Job' ? stripJob(spec) : { ...spec };
};

/** The API ties a Job to its pods by a label of its own; one that brings another is refused. */
const stripJob = ({ template, ...spec }: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const { metadata, ...pod } = template as { metadata?: { labels?: Record<string, string> } };
  const labels = without(
    metadata?.labels ?? {},
    'controller-uid',
    'job-name',
    'batch.kubernetes.io/controller-uid',
    'batch.kubernetes.io/job-name',
  );
  return { ...without(spec, 'selector'), template: { ...pod, metadata: { labels } } };
};

interface Scaler {
  readonly scaleTargetRef: { readonly kind: string; readonly name: string };
}

/** The objects without the replicas of workloads that an autoscaler has the say over: how many there were is no wish. */
export const leaveToScalers = (objects: readonly KubeObject[]): KubeObject[] => {
  const scaled = new Set(
    objects
      .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
      .map(({ spec }) => (spec as Scaler).scaleTargetRef)
      .map(({ kind, name }) => `${kind} ${name}`),
  );
  return objects.map((object) =>
    scaled.has(`${object.kind} ${object.metadata.name}`)
      ? { ...object, spec: without(object.spec as Record<string, unknown>, 'replicas') }
      : object,
  );
};

/**
 * The object as somebody could have asked for it: without what the API, controllers and one cluster put in. Of a Secret only
 * its name, type and keys are left; its values are in Secrets Manager and come from there.
 */
export const strip = (object: KubeObject): KubeObject => {
  const { apiVersion, kind, metadata, spec, status: _, ...rest } = object;
  const stripped: KubeObject = {
    apiVersion,
    kind,
    metadata: stripMetadata(metadata),
    ...rest,
    ...(spec === undefined ? {} : { spec: stripSpec(kind, spec as Record<string, unknown>) }),
  };
  if (kind !== 'Secret') return stripped;
  const { data, stringData } = object as { data?: object; stringData?: object };
  return { ...without(stripped, 'data', 'stringData'), keys: Object.keys({ ...data, ...stringData }) } as never;
};
