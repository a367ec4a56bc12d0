import { kindsOf } from '../catalog.ts';
import { definitionKind, type Kind, namespaceKind, podKind } from '../kinds.ts';
import { isObject, type KubeObject, sameJson, timestamp } from '../object.ts';
import { badRequest, conflict, forbidden, invalid } from '../status.ts';
import type { Target } from './target.ts';

export type Propagation = 'Orphan' | 'Background' | 'Foreground';

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

const policies = ['Orphan', 'Background', 'Foreground'];

/** From the body or, where it says nothing, the query. Throws 400. */
export const deleteOptionsOf = (body: unknown, query: URLSearchParams): DeleteOptions => {
  const given = isObject(body) ? body : {};
  const preconditions = isObject(given.preconditions) ? given.preconditions : {};
  const grace = given.gracePeriodSeconds ?? query.get('gracePeriodSeconds') ?? undefined;
  const orphans = given.orphanDependents ?? query.get('orphanDependents') ?? undefined;
  const propagation =
    given.propagationPolicy ??
    query.get('propagationPolicy') ??
    (orphans === undefined ? undefined : String(orphans) === 'true' ? 'Orphan' : 'Background');
  if (propagation !== undefined && !policies.includes(String(propagation))) {
    throw badRequest(
      `propagationPolicy: Unsupported value: "${propagation}": supported values: "Foreground", "Background", "Orphan"`,
    );
  }
  const dryRun = [...query.getAll('dryRun'), ...(Array.isArray(given.dryRun) ? given.dryRun : [])];
  return {
    gracePeriodSeconds: grace === undefined || grace === null ? undefined : Number(grace),
    propagation: propagation as Propagation | undefined,
    uid: preconditions.uid as string | undefined,
    resourceVersion: preconditions.resourceVersion as string | undefined,
    dryRun: dryRun.includes('All'),
  };
};

const finalizerOf: Readonly<Partial<Record<Propagation, string>>> = {
  Orphan: 'orphan',
  Foreground: 'foregroundDeletion',
};

/** The finalizers that the garbage collector acts on, as the policy wants them. Without a policy they stay. */
const withPolicy = (finalizers: readonly string[], propagation: Propagation | undefined): string[] => {
  if (propagation === undefined) return [...finalizers];
  const others = finalizers.filter((name) => !Object.values(finalizerOf).includes(name));
  const wanted = finalizerOf[propagation];
  return wanted ? [...others, wanted] : others;
};

const namespaceFinalizers = ({ kind, spec }: KubeObject): readonly string[] =>
  kind === 'Namespace' ? ((spec as { finalizers?: string[] } | undefined)?.finalizers ?? []) : [];

const isHeld = (object: KubeObject): boolean =>
  (object.metadata.finalizers ?? []).length > 0 ||
  namespaceFinalizers(object).length > 0 ||
  (object.metadata.deletionGracePeriodSeconds ?? 0) > 0;

/** Erases an object that is being deleted once nothing holds it any more. */
export const eraseWhenFree = ({ objects, kind }: Target, object: KubeObject): Promise<KubeObject> | undefined =>
  object.metadata.deletionTimestamp && !isHeld(object) ? objects.erase(kind, object) : undefined;

/**
 * How long a pod may take: the kubelet ends it and then deletes it with 0. A pod that no node has, or whose containers have
 * ended, is gone at once.
 */
const gracePeriod = (kind: Kind, object: KubeObject, asked: number | undefined): number => {
  if (kind !== podKind) return 0;
  const { nodeName, terminationGracePeriodSeconds = 30 } = object.spec as {
    nodeName?: string;
    terminationGracePeriodSeconds?: number;
  };
  const { phase } = (object.status ?? {}) as { phase?: string };
  if (!nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
  const wanted = asked ?? terminationGracePeriodSeconds;
  const running = object.metadata.deletionTimestamp ? object.metadata.deletionGracePeriodSeconds : undefined;
  return running === undefined ? wanted : Math.min(wanted, running);
};

const keptNamespaces = ['default', 'kube-public', 'kube-system'];

const checkDeletion = (kind: Kind, object: KubeObject, options: DeleteOptions): void => {
  const { name, uid, resourceVersion } = object.metadata;
  if (kind === namespaceKind && keptNamespaces.includes(name)) {
    throw forbidden(kind, name, 'this namespace may not be deleted');
  }
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`;
    throw conflict(kind, name, why);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(kind, name, why);
  }
  if (options.gracePeriodSeconds !== undefined && !(options.gracePeriodSeconds >= 0)) {
    const message = `Invalid value: ${options.gracePeriodSeconds}: must be non-negative`;
    throw invalid(kind, name, [{ field: 'gracePeriodSeconds', reason: 'FieldValueInvalid', message }]);
  }
};

/** Objects of a kind go with its definition, or they would be there again when somebody defines it anew. */
const eraseInstances = ({ objects, kind }: Target, definition: KubeObject): Promise<unknown>[] => {
  if (kind !== definitionKind) return [];
  const [served] = kindsOf(definition);
  return served ? objects.list(served).map((object) => objects.erase(served, object)) : [];
};

export type Deletion = { readonly gone: true } | { readonly gone: false; readonly object: KubeObject };

/**
 * Deletes, or marks as being deleted what finalizers, running containers or, for a namespace, its content still hold.
 * Dependents are the garbage collector's business, a controller. Rejects with StatusError.
 */
export const deleteObject = async (target: Target, object: KubeObject, options: DeleteOptions): Promise<Deletion> => {
  const { objects, kind } = target;
  checkDeletion(kind, object, options);
  const grace = gracePeriod(kind, object, options.gracePeriodSeconds);
  const finalizers = withPolicy(object.metadata.finalizers ?? [], options.propagation);
  const marked: KubeObject = {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: object.metadata.deletionTimestamp ?? timestamp(new Date(Date.now() + grace * 1000)),
      deletionGracePeriodSeconds: grace,
      ...(kind.counted && !object.metadata.deletionTimestamp
        ? { generation: (object.metadata.generation ?? 1) + 1 }
        : {}),
    },
    ...(kind === namespaceKind ? { status: { ...(object.status as object), phase: 'Terminating' } } : {}),
  };
  if (finalizers.length > 0) marked.metadata.finalizers = finalizers;
  else delete marked.metadata.finalizers;
  if (kind === namespaceKind) delete marked.metadata.deletionGracePeriodSeconds;
  if (options.dryRun) return isHeld(marked) ? { gone: false, object: marked } : { gone: true };
  if (!isHeld(marked)) {
    await Promise.all([...eraseInstances(target, marked), objects.erase(kind, marked)]);
    return { gone: true };
  }
  if (sameJson(marked, object)) return { gone: false, object };
  return { gone: false, object: await objects.put(kind, marked) };
};
