import { setTimeout as delay } from 'node:timers/promises';
import { StepFailure } from '../../domain/errors.ts';
import { type Leftover, removalPatch } from '../../domain/workload/leftovers.ts';
import { type KubeObject, objectName } from '../../domain/workload/object.ts';
import { inOrder } from '../../domain/workload/order.ts';
import { createApplySets } from './apply-set.ts';
import { refusal } from './failure.ts';
import { type KindOf, openResources, pathOf, type Resource } from './resources.ts';
import { type AwsCredentialProvider, createTokens, type Tokens } from './token.ts';
import { type ApiAnswer, openTransport } from './transport.ts';

export interface ClusterOptions {
  readonly name: string;
  /** DescribeCluster's `endpoint` and `certificateAuthority.data`. */
  readonly endpoint: string;
  readonly certificateAuthority: string;
  readonly region: string;
  readonly credentials: AwsCredentialProvider;
  readonly stsEndpoint?: string | undefined;
  /** Milliseconds for which one call is tried again. */
  readonly patience?: number;
}

/** One object, or all of a kind in a namespace. */
export interface ObjectRef extends KindOf {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListFilter {
  readonly namespace?: string | undefined;
  /** A label selector as kubectl takes it: `app=web,tier!=test`. */
  readonly labels?: string | undefined;
  readonly fields?: string | undefined;
}

export interface ApplyOptions {
  /** Nothing is stored; the answers are what would be. */
  readonly dryRun?: boolean;
  /** Who owns the fields; `tenantry` unless told. */
  readonly fieldManager?: string;
}

/** One Kubernetes cluster as the steps see it. Every method may throw ClusterUnavailable (retry). */
export interface Cluster {
  readonly name: string;
  /**
   * Server-side apply of the objects, in the order of their kinds, those of one rank at once; fields of other managers that
   * ours set are taken over. A repeat changes nothing. Answers the objects as they are then, in the order given. Throws
   * WorkloadRefused with the API's own words (misspelt fields included), WorkloadNotReady while a namespace terminates.
   */
  apply(objects: readonly KubeObject[], options?: ApplyOptions): Promise<KubeObject[]>;
  /**
   * Applies all that is to be in one namespace and removes what an earlier set had and this one has not. The set must hold the
   * Namespace itself, which keeps the books. Objects without Tenantry's label are left alone. Answers the names of what went.
   */
  applySet(objects: readonly KubeObject[]): Promise<{ readonly pruned: readonly string[] }>;
  /**
   * Takes these fields out of an object, whoever owns them: server-side apply leaves those of others. Answers the object as it is
   * then. Throws WorkloadRefused where it cannot be without them, and where it is of another version than `object` by now.
   */
  trim(object: KubeObject, fields: readonly Leftover[], options?: Pick<ApplyOptions, 'dryRun'>): Promise<KubeObject>;
  get(ref: ObjectRef): Promise<KubeObject | undefined>;
  /** Nothing where the cluster does not know the kind. */
  list(kind: KindOf, filter?: ListFilter): Promise<KubeObject[]>;
  /** Asks for deletion; a workload is gone when its pods are (`Foreground`). What is not there is left so. */
  remove(ref: ObjectRef): Promise<void>;
  /** Whether the object is gone, looking again for at most `millis`. */
  waitGone(ref: ObjectRef, millis?: number): Promise<boolean>;
  /** Whether the cluster serves the kind. */
  has(kind: KindOf): Promise<boolean>;
  /** Every kind that can be listed and made, in its preferred version. */
  kinds(): Promise<readonly Resource[]>;
  /** Version of Kubernetes: `v1.34.1-eks-...`. */
  version(): Promise<string>;
  /** Ends the kept connections. */
  close(): void;
}

const pauseMillis = 250;
const pageSize = 500;

/** Kinds whose deletion waits for what they own: a Deployment that is gone must not have pods that still write. */
const ownsPods: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
]);

interface Page {
  readonly items?: readonly Omit<KubeObject, 'apiVersion' | 'kind'>[];
  readonly metadata?: { readonly continue?: string };
}

/** Opens a cluster with bearer tokens of its own making. Nothing is asked of it yet. */
export const openCluster = (options: ClusterOptions): Cluster =>
  openClusterWith(
    options,
    createTokens({
      cluster: options.name,
      region: options.region,
      credentials: options.credentials,
      stsEndpoint: options.stsEndpoint,
    }),
  );

/** The same with given tokens, such as an operator's. */
export const openClusterWith = (
  options: Pick<ClusterOptions, 'name' | 'endpoint' | 'certificateAuthority' | 'patience'>,
  tokens: Tokens,
): Cluster => {
  const { name } = options;
  const transport = openTransport({ ...options, cluster: name, tokens });
  const resources = openResources(name, transport);

  const applyOne = async (
    object: KubeObject,
    { dryRun, fieldManager = 'tenantry' }: ApplyOptions,
  ): Promise<KubeObject> => {
    const resource = await resources.require(object);
    const { name: called, namespace } = object.metadata;
    const query = new URLSearchParams({ fieldManager, force: 'true', fieldValidation: 'Strict' });
    if (dryRun) query.set('dryRun', 'All');
    const answer = await transport.send({
      method: 'PATCH',
      path: `${pathOf(resource, { namespace, name: called })}?${query}`,
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
    if (answer.status !== 200 && answer.status !== 201) throw refusal(name, `apply ${objectName(object)}`, answer);
    return answer.body as KubeObject;
  };

  const apply = async (objects: readonly KubeObject[], how: ApplyOptions = {}): Promise<KubeObject[]> => {
    const applied = new Map<KubeObject, KubeObject>();
    for (const group of inOrder(objects)) {
      const results = await Promise.allSettled(
        group.map(async (object) => {
          applied.set(object, await applyOne(object, how));
        }),
      );
      // Only now: no request of ours is under way any more when the caller hears of the first that failed.
      const failed = results.find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    }
    return objects.map((object) => applied.get(object)!);
  };

  const trim: Cluster['trim'] = async (object, fields, { dryRun } = {}) => {
    const { name: called, namespace, resourceVersion } = object.metadata;
    const query = new URLSearchParams({ fieldManager: 'tenantry', ...(dryRun ? { dryRun: 'All' } : {}) });
    const answer = await transport.send({
      method: 'PATCH',
      path: `${pathOf(await resources.require(object), { namespace, name: called })}?${query}`,
      // Places in lists count from the object that was read: of another version the API refuses with 422.
      body: [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...removalPatch(fields)],
      contentType: 'application/json-patch+json',
    });
    if (answer.status !== 200) throw refusal(name, `trim ${objectName(object)}`, answer);
    return answer.body as KubeObject;
  };

  const found = (doing: string, answer: ApiAnswer): boolean => {
    if (answer.status === 404) return false;
    if (answer.status < 300) return true;
    throw refusal(name, doing, answer);
  };

  const get = async (ref: ObjectRef): Promise<KubeObject | undefined> => {
    const resource = await resources.find(ref);
    if (!resource) return undefined;
    const answer = await transport.send({ method: 'GET', path: pathOf(resource, ref) });
    return found(`read ${ref.kind} ${ref.name}`, answer) ? (answer.body as KubeObject) : undefined;
  };

  const list = async (kind: KindOf, filter: ListFilter = {}): Promise<KubeObject[]> => {
    const resource = await resources.find(kind);
    if (!resource) return [];
    const items: KubeObject[] = [];
    let next: string | undefined;
    do {
      const query = new URLSearchParams({
        limit: String(pageSize),
        ...(filter.labels === undefined ? {} : { labelSelector: filter.labels }),
        ...(filter.fields === undefined ? {} : { fieldSelector: filter.fields }),
        ...(next === undefined ? {} : { continue: next }),
      });
      const answer = await transport.send({
        method: 'GET',
        path: `${pathOf(resource, { namespace: filter.namespace })}?${query}`,
      });
      if (!found(`list ${resource.plural}`, answer)) return [];
      const page = answer.body as Page;
      // Items of a list carry neither version nor kind.
      for (const item of page.items ?? [])
        items.push({ ...item, apiVersion: kind.apiVersion, kind: kind.kind } as KubeObject);
      next = page.metadata?.continue || undefined;
    } while (next !== undefined);
    return items;
  };

  const remove = async (ref: ObjectRef): Promise<void> => {
    const resource = await resources.find(ref);
    if (!resource) return;
    const answer = await transport.send({
      method: 'DELETE',
      path: pathOf(resource, ref),
      body: {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: ownsPods.has(ref.kind) ? 'Foreground' : 'Background',
      },
    });
    // 409: a namespace that is already on its way out.
    if (answer.status !== 409) found(`remove ${ref.kind} ${ref.name}`, answer);
  };

  const applySet = createApplySets({ apply, get, list, remove });

  return {
    name,
    apply,
    applySet,
    trim,
    get,
    list,
    remove,
    waitGone: async (ref, millis = 0) => {
      const end = performance.now() + millis;
      while (await get(ref)) {
        if (performance.now() + pauseMillis > end) return false;
        await delay(pauseMillis);
      }
      return true;
    },
    has: async (kind) => (await resources.find(kind)) !== undefined,
    kinds: async () =>
      (await resources.all()).filter(({ verbs }) => verbs.includes('list') && verbs.includes('create')),
    version: async () => {
      const { status, body } = await transport.send({ method: 'GET', path: '/version' });
      if (status !== 200) throw new StepFailure('ClusterUnavailable', `cluster ${name} does not tell its version`);
      return (body as { gitVersion: string }).gitVersion;
    },
    close: transport.close,
  };
};
