import { StepFailure } from '../../domain/errors.ts';
import type { ObjectChange, ObjectsReport } from '../../domain/restore-objects.ts';
import { fieldChanges } from '../../domain/workload/changes.ts';
import { strip } from '../../domain/workload/exported.ts';
import { leftovers, without } from '../../domain/workload/leftovers.ts';
import { type KubeObject, labelNames, manager, objectName } from '../../domain/workload/object.ts';
import { rankOf } from '../../domain/workload/order.ts';
import { type Wish, wishesOf, withMarksOf } from '../../domain/workload/wishes.ts';
import type { Cluster } from './cluster.ts';
import { requireOwnNamespace } from './take-down.ts';

export interface ObjectsRestore {
  /** Those of the backup that are asked for, as `archivedObjects` gave them; their namespace may have been another one. */
  readonly objects: readonly KubeObject[];
  readonly tenantId: string;
  /** Where the tenant is now; the namespace need not be there. */
  readonly namespace: string;
  /** What a deployment would apply there now, and the route that the tenant has now (`todaysObjects`). */
  readonly today: readonly KubeObject[];
}

/** Annotation of the pods that a restore started anew, because what they had read changed. */
const restoredMark = 'tenantry.dev/restored';

const isNamespace = ({ kind }: KubeObject): boolean => kind === 'Namespace';
const isRoute = ({ kind }: KubeObject): boolean => kind === 'Ingress';

/** Kinds whose content a pod reads when it starts. */
const readAtStart: ReadonlySet<string> = new Set(['ConfigMap', 'Secret']);

const lookUp = (cluster: Cluster, { apiVersion, kind, metadata }: KubeObject): Promise<KubeObject | undefined> =>
  cluster.get({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });

const attempts = 5;

/** Does something with an object as it is, and anew where that failed on one of another version: controllers write to it too. */
const withObjectNow = async <Result>(
  cluster: Cluster,
  object: KubeObject,
  work: (now: KubeObject | undefined) => Promise<Result>,
): Promise<Result> => {
  let now = await lookUp(cluster, object);
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      return await work(now);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      const then = now?.metadata.resourceVersion;
      now = await lookUp(cluster, object);
      if (now?.metadata.resourceVersion === then) throw error;
    }
  }
  throw new StepFailure(
    'WorkloadNotReady',
    `${objectName(object)} in ${cluster.name} changes faster than it can be restored; scale what writes to it down, or try again`,
  );
};

const secretFields = (now: KubeObject, then: KubeObject) => {
  const [data, wanted] = [now, then].map(({ data: values }) => (values ?? {}) as Readonly<Record<string, string>>);
  const keys = [...new Set([...Object.keys(data!), ...Object.keys(wanted!)])].toSorted();
  return keys
    .filter((key) => data![key] !== wanted![key])
    .map((key) => ({
      path: `data.${key}`,
      from: data![key] === undefined ? undefined : '(another value)',
      to: wanted![key] === undefined ? undefined : '(the value of today)',
    }));
};

/** Fields that a wish changes. What other managers put in goes too, unless the API puts it in again as its default. */
const changesOf = async (cluster: Cluster, { object, as }: Wish, now: KubeObject) => {
  const [then] = await cluster.apply([object], { dryRun: true });
  if (object.kind === 'Secret') return secretFields(now, then!);
  const [live, applied] = [strip(now), strip(then!)];
  const extra = as === 'then' ? leftovers(live, object) : [];
  if (extra.length === 0) return fieldChanges(live, applied);
  const defaults = leftovers(strip(await cluster.trim(now, extra, { dryRun: true })), object).map(({ name }) => name);
  const gone = leftovers(applied, object).filter(({ name }) => !defaults.includes(name));
  return fieldChanges(live, without(applied, gone));
};

interface Planned {
  readonly wish: Wish;
  readonly change: ObjectChange;
}

const changeOf = async (cluster: Cluster, given: Wish, now: KubeObject | undefined): Promise<Planned> => {
  const wish = { ...given, object: withMarksOf(given.object, now) };
  const known = { object: objectName(wish.object), as: wish.as };
  if (!now) return { wish, change: { ...known, change: 'create', fields: [] } };
  const fields = await changesOf(cluster, wish, now);
  return { wish, change: { ...known, change: fields.length > 0 ? 'update' : 'same', fields } };
};

const planOne = (cluster: Cluster, wish: Wish, there: boolean): Promise<Planned> =>
  there
    ? withObjectNow(cluster, wish.object, (now) => changeOf(cluster, wish, now))
    : changeOf(cluster, wish, undefined);

/** A namespace that is gone is made as a deployment makes it, with all that the app needs to run, whatever is asked for. */
const wishesIn = (restore: ObjectsRestore, there: boolean) => {
  const { objects, today, namespace } = restore;
  const found = wishesOf({ backup: objects, today, namespace });
  if (there) return found;
  const wanted = new Set(found.wishes.map(({ object }) => objectName(object)));
  const missing = today.filter((object) => !wanted.has(objectName(object)));
  const made = missing.map((object): Wish => ({ object, as: 'today' }));
  return { wishes: [...made, ...found.wishes], left: found.left.filter(({ object }) => !/ Namespace /.test(object)) };
};

const planAll = async (cluster: Cluster, restore: ObjectsRestore) => {
  const there = await requireOwnNamespace(cluster, restore);
  const { wishes, left } = wishesIn(restore, there);
  const planned = await Promise.all(wishes.map((wish) => planOne(cluster, wish, there)));
  planned.sort((a, b) => rankOf(a.wish.object.kind) - rankOf(b.wish.object.kind));
  const changing = planned.filter(({ change }) => change.change !== 'same');
  const report: ObjectsReport = {
    cluster: cluster.name,
    namespace: restore.namespace,
    objects: planned.map(({ change }) => change),
    left,
    restart: there && changing.some(({ wish }) => readAtStart.has(wish.object.kind)),
  };
  return { report, changing: changing.map(({ wish }) => wish), there };
};

/**
 * What a restore would change, object by object and field by field, asked of the API itself (`dryRun=All`), so that its defaults
 * and refusals are in it. Changes nothing. Throws WorkloadRefused where the API would refuse an object that is there, and where
 * the namespace is not the tenant's.
 */
export const planObjects = async (cluster: Cluster, restore: ObjectsRestore): Promise<ObjectsReport> =>
  (await planAll(cluster, restore)).report;

/** Takes out what others put in. */
const trimTo = (cluster: Cluster, wanted: KubeObject): Promise<void> =>
  withObjectNow(cluster, wanted, async (now) => {
    const extra = now === undefined ? [] : leftovers(strip(now), wanted);
    if (now !== undefined && extra.length > 0) await cluster.trim(now, extra);
  });

const restartPods = async (cluster: Cluster, namespace: string, mark: string): Promise<void> => {
  const kind = { apiVersion: 'apps/v1', kind: 'Deployment' };
  const ours = await cluster.list(kind, { namespace, labels: `${labelNames.managedBy}=${manager}` });
  const patches = ours.map(({ metadata }) => ({
    ...kind,
    metadata: { name: metadata.name, namespace },
    spec: { template: { metadata: { annotations: { [restoredMark]: mark } } } },
  }));
  // Another manager: an apply of ours that names one field would take all the others of ours away.
  await cluster.apply(patches, { fieldManager: 'tenantry-restart' });
};

/**
 * Restores objects of a backup in the order in which they need each other. `begin` is told what will change before anything
 * does, and answers what the first attempt was told: that is the answer, and pods that it had to start anew are. `mark` names the
 * restore on them. A repeat changes nothing more.
 */
export const restoreObjects = async (
  cluster: Cluster,
  restore: ObjectsRestore & {
    readonly mark: string;
    readonly begin: (report: ObjectsReport) => Promise<ObjectsReport>;
  },
): Promise<ObjectsReport> => {
  const { report, changing, there } = await planAll(cluster, restore);
  const first = await restore.begin(report);
  if (!there) {
    // The whole set first: its books are right, and nothing waits for a Secret that nobody asked for.
    await cluster.applySet(restore.today.filter((object) => !isRoute(object)));
    await cluster.apply(restore.today.filter(isRoute));
  }
  const wishes = changing.filter(({ object }) => !isNamespace(object));
  await cluster.apply(wishes.map(({ object }) => object));
  for (const { object, as } of wishes) if (as === 'then') await trimTo(cluster, object);
  if (first.restart || report.restart) await restartPods(cluster, restore.namespace, restore.mark);
  return first;
};
