import { StepFailure } from '../../domain/errors.ts';
import { type FieldChange, fieldChanges } from '../../domain/workload/changes.ts';
import { strip } from '../../domain/workload/exported.ts';
import { type KubeObject, labelNames, objectName } from '../../domain/workload/object.ts';
import type { Cluster } from './cluster.ts';

export interface ObjectsRestore {
  /** What `readExported` gave. */
  readonly objects: readonly KubeObject[];
  readonly tenantId: string;
  /** Where they go; the namespace need not be there. */
  readonly namespace: string;
  /** Kinds and names to restore; all unless told. */
  readonly kinds?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** What becomes of objects that are there: left alone, or set back. Objects that the backup does not know stay in any case. */
  readonly existing: 'skip' | 'update';
  /** Routes too: only where they do not take the hosts from another place of the tenant. */
  readonly routes?: boolean | undefined;
  /** Workloads get no pods yet: whoever restores the database with them starts them afterwards. */
  readonly paused?: boolean | undefined;
}

export interface RestoredObject {
  /** `apps/v1 Deployment t-acme/app` */
  readonly object: string;
  readonly change: 'create' | 'update' | 'same' | 'skip';
  /** What differs from now; nothing for objects that are made or skipped. */
  readonly fields: readonly FieldChange[];
}

export interface ObjectsRestored {
  readonly objects: readonly RestoredObject[];
  /** Secrets whose values a backup does not have: they are filled from Secrets Manager by the next deployment. */
  readonly secrets: readonly string[];
}

const routeKinds: ReadonlySet<string> = new Set(['Ingress', 'HTTPRoute']);
const scaledKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet']);

const moved = (object: KubeObject, { namespace, paused }: ObjectsRestore): KubeObject => {
  const { kind, metadata, spec } = object;
  const place = kind === 'Namespace' ? { name: namespace } : { namespace };
  const still = paused && scaledKinds.has(kind) ? { spec: { ...(spec as object), replicas: 0 } } : {};
  return { ...object, ...still, metadata: { ...metadata, ...place } };
};

const chosen = (object: KubeObject, { kinds, names, routes, paused }: ObjectsRestore): boolean => {
  const { kind, metadata } = object;
  if (kind === 'Namespace') return true;
  if (routeKinds.has(kind) && !routes) return false;
  // An autoscaler would give a paused workload its pods back.
  if (paused && kind === 'HorizontalPodAutoscaler') return false;
  return (kinds === undefined || kinds.includes(kind)) && (names === undefined || names.includes(metadata.name));
};

const lookUp = (cluster: Cluster, { apiVersion, kind, metadata }: KubeObject): Promise<KubeObject | undefined> =>
  cluster.get({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });

/** A namespace of somebody else is no place to restore into. */
const requireOwner = (now: KubeObject | undefined, { namespace, tenantId }: ObjectsRestore): void => {
  const owner = now?.metadata.labels?.[labelNames.tenant];
  if (now && owner !== tenantId)
    throw new StepFailure(
      'WorkloadRefused',
      `namespace ${namespace} belongs to ${owner ?? 'nobody that Tenantry knows'}, not to tenant ${tenantId}; restore into another one`,
    );
};

const planOne = async (
  cluster: Cluster,
  object: KubeObject,
  { existing, there }: { readonly existing: 'skip' | 'update'; readonly there: boolean },
): Promise<RestoredObject> => {
  const name = objectName(object);
  const now = there ? await lookUp(cluster, object) : undefined;
  if (!now) return { object: name, change: 'create', fields: [] };
  if (existing === 'skip') return { object: name, change: 'skip', fields: [] };
  const [then] = await cluster.apply([object], { dryRun: true });
  const fields = fieldChanges(strip(now), strip(then!));
  return { object: name, change: fields.length > 0 ? 'update' : 'same', fields };
};

const select = (restore: ObjectsRestore): { readonly objects: KubeObject[]; readonly secrets: string[] } => {
  const wanted = restore.objects.filter((object) => chosen(object, restore)).map((object) => moved(object, restore));
  return {
    objects: wanted.filter(({ kind }) => kind !== 'Secret'),
    secrets: wanted.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => metadata.name),
  };
};

/**
 * What a restore would change, object by object and field by field, asked of the API itself (`dryRun=All`), so that its defaults
 * and refusals are in it. Changes nothing. Throws WorkloadRefused where the API would refuse an object that is there.
 */
export const planObjects = async (cluster: Cluster, restore: ObjectsRestore): Promise<ObjectsRestored> => {
  const { objects, secrets } = select(restore);
  const now = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: restore.namespace });
  requireOwner(now, restore);
  const options = { existing: restore.existing, there: now !== undefined };
  return { objects: await Promise.all(objects.map((object) => planOne(cluster, object, options))), secrets };
};

/**
 * Restores objects of a backup in the order in which they need each other, and answers what it changed. A repeat changes
 * nothing more.
 */
export const restoreObjects = async (cluster: Cluster, restore: ObjectsRestore): Promise<ObjectsRestored> => {
  const plan = await planObjects(cluster, restore);
  const changing = new Set(
    plan.objects.filter(({ change }) => change === 'create' || change === 'update').map(({ object }) => object),
  );
  await cluster.apply(select(restore).objects.filter((object) => changing.has(objectName(object))));
  return plan;
};
