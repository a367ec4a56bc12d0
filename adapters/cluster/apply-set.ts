import { createHash } from 'node:crypto';
import { type KubeObject, labelNames, manager, objectName } from '../../domain/workload/object.ts';
import { rankOf } from '../../domain/workload/order.ts';
import type { Cluster } from './cluster.ts';
import { type KindOf, ownedKinds } from './resources.ts';

/** Annotations of the namespace, the books of its set. */
const noted = {
  /** Kinds of the set under way and of those before it that may still have objects, as `apps/v1/Deployment,v1/Secret`. */
  kinds: 'tenantry.dev/apply-set-kinds',
  /** The set that was applied whole, after which nothing older was left. */
  whole: 'tenantry.dev/applied-set',
} as const;

/** Changes when what the pods are told changes: environment variables are read once, when a process starts. */
const configAnnotation = 'tenantry.dev/config';

const hash = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

const kindText = ({ apiVersion, kind }: KindOf): string => `${apiVersion}/${kind}`;

const kindsOf = (text: string): KindOf[] =>
  text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => ({ apiVersion: part.slice(0, part.lastIndexOf('/')), kind: part.slice(part.lastIndexOf('/') + 1) }));

const isTemplated = (spec: unknown): spec is { template: { metadata?: KubeObject['metadata'] } } =>
  typeof spec === 'object' && spec !== null && 'template' in spec && typeof spec.template === 'object';

/**
 * The objects with the label of their set, which is made of what is in the set and not of how it looks: a new image or a
 * changed quota relabels nothing. Pod templates get a hash of the set's Secrets and ConfigMaps.
 */
export const stampSet = (objects: readonly KubeObject[]): { readonly id: string; readonly objects: KubeObject[] } => {
  const id = hash(objects.map(objectName).toSorted().join('\n'), 16);
  const told = objects.filter(({ kind }) => kind === 'Secret' || kind === 'ConfigMap');
  const config = hash(JSON.stringify(told.map((object) => [objectName(object), object.data, object.stringData])), 12);
  const stamped = objects.map((object): KubeObject => {
    const labels = { ...object.metadata.labels, [labelNames.managedBy]: manager, [labelNames.applySet]: id };
    const labelled = { ...object, metadata: { ...object.metadata, labels } };
    const { spec } = object;
    // A Job's template cannot be changed (Kubernetes, "Jobs"); it runs once anyway.
    if (!isTemplated(spec) || object.kind === 'Job') return labelled;
    const { template } = spec;
    const annotations = { ...template.metadata?.annotations, [configAnnotation]: config };
    return {
      ...labelled,
      spec: { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
    };
  });
  return { id, objects: stamped };
};

/**
 * The namespace notes what it holds, so that a first apply and a repeat list nothing (a list of every kind would double the
 * requests of a tenant), and an apply that was cut short is known by its missing note.
 */
export const createApplySets =
  (cluster: Pick<Cluster, 'apply' | 'get' | 'list' | 'remove'>): Cluster['applySet'] =>
  async (given) => {
    const { id, objects } = stampSet(given);
    const namespaces = objects.filter(({ kind }) => kind === 'Namespace');
    const [namespace] = namespaces;
    if (!namespace || namespaces.length > 1)
      throw new Error(`an apply set needs exactly one Namespace, this one has ${namespaces.length}`);
    const { name } = namespace.metadata;
    const foreign = objects.find(({ metadata }) => metadata.namespace !== undefined && metadata.namespace !== name);
    if (foreign) throw new Error(`${objectName(foreign)} is outside the apply set's namespace ${name}; leave it out`);

    const before = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name });
    const annotations = before?.metadata.annotations ?? {};
    const whole = annotations[noted.whole] === id;
    const own = objects.filter(({ metadata }) => metadata.namespace !== undefined);
    const known = annotations[noted.kinds];
    const earlier = known === undefined ? (before ? ownedKinds : []) : kindsOf(known);
    const books = (kinds: readonly KindOf[], extra: Record<string, string>): KubeObject => ({
      ...namespace,
      metadata: {
        ...namespace.metadata,
        annotations: {
          ...namespace.metadata.annotations,
          [noted.kinds]: [...new Set(kinds.map(kindText))].toSorted().join(','),
          ...extra,
        },
      },
    });
    const done = books(own, { [noted.whole]: id });
    const rest = objects.filter((object) => object !== namespace);
    await cluster.apply([whole ? done : books([...own, ...earlier], {}), ...rest]);
    if (whole) return { pruned: [] };

    const pruned: string[] = [];
    const kinds = [...new Map(earlier.map((kind) => [kindText(kind), kind])).values()];
    const stale = await Promise.all(
      kinds.map((kind) =>
        cluster.list(kind, {
          namespace: name,
          labels: `${labelNames.managedBy}=${manager},${labelNames.applySet},${labelNames.applySet}!=${id}`,
        }),
      ),
    );
    for (const object of stale.flat().toSorted((a, b) => rankOf(b.kind) - rankOf(a.kind))) {
      await cluster.remove({ ...object, namespace: name, name: object.metadata.name });
      pruned.push(objectName(object));
    }
    await cluster.apply([done]);
    return { pruned };
  };
