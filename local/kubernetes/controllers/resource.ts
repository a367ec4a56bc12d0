import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, ApiError, isApiError, type WatchEvent } from '../api-client.ts';
import { apiVersionOf, type Kind, pathOf } from './kinds.ts';
import { canonical, type Draft, type KubeObject } from './objects.ts';

export interface Change<Type extends KubeObject> {
  readonly type: 'put' | 'gone';
  readonly object: Type;
  /** What was known before; undefined for an object that is new here. */
  readonly before: Type | undefined;
}

/** The objects of one kind in one cluster: a copy that a watch keeps current, and writes that the copy sees at once. */
export interface Resource<Type extends KubeObject> {
  readonly kind: Kind;
  get(namespace: string | undefined, name: string): Type | undefined;
  list(namespace?: string): Type[];
  /** Calls `handle` for what is there, then for every change. */
  onChange(handle: (change: Change<Type>) => void): void;
  create(draft: Draft<Type>): Promise<Type>;
  /** Writes `status` when it differs from the object's. Throws ApiError 409 when the copy was old. */
  writeStatus(object: Type, status: Type['status']): Promise<void>;
  /** JSON merge patch (RFC 7386). */
  patch(object: Type, patch: unknown, subresource?: string): Promise<void>;
  /** Deletes the object of this uid; one that is gone already is no error. */
  remove(object: Type, options?: { graceSeconds?: number }): Promise<void>;
  /** Begins to watch; resolves when the copy is complete. Ends when `signal` is aborted. */
  start(signal: AbortSignal): Promise<void>;
}

interface List<Type> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Type[];
}

const pageSize = '500';

/** Pause before a lost watch is opened again: doubled by every failure. */
const pauses = { first: 100, longest: 5_000 } as const;

const isNewer = (one: KubeObject, other: KubeObject): boolean =>
  Number(one.metadata.resourceVersion) > Number(other.metadata.resourceVersion);

export const createResource = <Type extends KubeObject>(
  client: ApiClient,
  kind: Kind,
  log: (line: string) => void,
): Resource<Type> => {
  const spaces = new Map<string, Map<string, Type>>();
  const handlers: ((change: Change<Type>) => void)[] = [];
  /** Objects that were seen to end: an answer that comes after the end must not bring them back. */
  const ended = new Set<string>();

  const tell = (change: Change<Type>): void => {
    for (const handle of handlers) handle(change);
  };

  const get = (namespace: string | undefined, name: string): Type | undefined => spaces.get(namespace ?? '')?.get(name);

  const drop = (object: Type): void => {
    const space = spaces.get(object.metadata.namespace ?? '');
    const known = space?.get(object.metadata.name);
    ended.add(object.metadata.uid);
    if (ended.size > 1_000) for (const oldest of [...ended].slice(0, 500)) ended.delete(oldest);
    if (!space || known?.metadata.uid !== object.metadata.uid) return;
    space.delete(object.metadata.name);
    if (space.size === 0) spaces.delete(object.metadata.namespace ?? '');
    tell({ type: 'gone', object, before: known });
  };

  const put = (object: Type): void => {
    if (ended.has(object.metadata.uid)) return;
    const namespace = object.metadata.namespace ?? '';
    let before = get(namespace, object.metadata.name);
    if (before && !isNewer(object, before)) return;
    if (before && before.metadata.uid !== object.metadata.uid) {
      drop(before);
      before = undefined;
    }
    const space = spaces.get(namespace) ?? new Map<string, Type>();
    spaces.set(namespace, space);
    space.set(object.metadata.name, object);
    tell({ type: 'put', object, before });
  };

  const list = (namespace?: string): Type[] =>
    namespace === undefined
      ? [...spaces.values()].flatMap((space) => [...space.values()])
      : [...(spaces.get(namespace)?.values() ?? [])];

  const relist = async (): Promise<string> => {
    const present = new Set<string>();
    let page: List<Type>;
    let next = '';
    do {
      page = await client.request<List<Type>>('GET', pathOf(kind), {
        query: { limit: pageSize, ...(next !== '' && { continue: next }) },
      });
      for (const item of page.items) {
        present.add(item.metadata.uid);
        put(item);
      }
      next = page.metadata.continue ?? '';
    } while (next !== '');
    for (const object of list()) if (!present.has(object.metadata.uid)) drop(object);
    return page.metadata.resourceVersion;
  };

  const follow = async (from: string, signal: AbortSignal): Promise<string> => {
    let version = from;
    let failure: ApiError | undefined;
    const hear = ({ type, object }: WatchEvent): void => {
      if (type === 'ERROR') {
        const {
          code = 500,
          reason = '',
          message = '',
        } = object as { code?: number; reason?: string; message?: string };
        failure = new ApiError(code, reason, message);
        return;
      }
      version = (object as KubeObject).metadata.resourceVersion;
      if (type === 'DELETED') drop(object as Type);
      else if (type !== 'BOOKMARK') put(object as Type);
    };
    // No bookmarks: a version that has become too old costs one list, bookmarks would wake 50 idle clusters ten times a second.
    const query = { resourceVersion: from, timeoutSeconds: '3000' };
    await client.watch(pathOf(kind), query, hear, signal);
    if (failure) throw failure;
    return version;
  };

  const run = async (signal: AbortSignal, synced: () => void): Promise<void> => {
    let version: string | undefined;
    let pause: number = pauses.first;
    while (!signal.aborted) {
      try {
        if (version === undefined) {
          version = await relist();
          synced();
        }
        const began = performance.now();
        version = await follow(version, signal);
        // A server that ends every watch at once must not be asked in a tight loop.
        if (performance.now() - began > 1_000) pause = pauses.first;
        else await delay(pause, undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        version = undefined;
        if (isApiError(error, 404)) {
          log(`${kind.plural} are not served here`);
          synced();
          return;
        }
        if (isApiError(error, 410)) continue;
        log(`watch of ${kind.plural}: ${error instanceof Error ? error.message : String(error)}; again in ${pause} ms`);
        await delay(pause, undefined, { signal }).catch(() => undefined);
        pause = Math.min(pause * 2, pauses.longest);
      }
    }
  };

  const place = ({ metadata }: { metadata: { namespace?: string; name: string } }, subresource?: string) =>
    pathOf(kind, {
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      name: metadata.name,
      ...(subresource !== undefined && { subresource }),
    });

  return {
    kind,
    get,
    list,
    onChange: (handle) => {
      handlers.push(handle);
      for (const object of list()) handle({ type: 'put', object, before: undefined });
    },
    create: async (draft) => {
      const { namespace } = draft.metadata;
      const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...draft };
      const created = await client.request<Type>('POST', pathOf(kind, namespace === undefined ? {} : { namespace }), {
        body,
      });
      put(created);
      return created;
    },
    writeStatus: async (object, status) => {
      if (canonical(object.status) === canonical(status)) return;
      const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object, status };
      put(await client.request<Type>('PUT', place(object, 'status'), { body }));
    },
    patch: async (object, patch, subresource) => {
      const contentType = 'application/merge-patch+json';
      const answer = await client.request<Type>('PATCH', place(object, subresource), { body: patch, contentType });
      if (subresource === undefined || subresource === 'status') put(answer);
    },
    remove: async (object, { graceSeconds } = {}) => {
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid: object.metadata.uid },
        ...(graceSeconds !== undefined && { gracePeriodSeconds: graceSeconds }),
        propagationPolicy: 'Background',
      };
      try {
        const answer = await client.request<Type & { kind?: string }>('DELETE', place(object), { body });
        if (answer.kind === 'Status') drop(object);
        else put(answer);
      } catch (error) {
        // 409: the name belongs to another object by now.
        if (!isApiError(error, 404, 409)) throw error;
        if (isApiError(error, 404)) drop(object);
      }
    },
    start: (signal) => new Promise((synced) => void run(signal, synced).then(synced)),
  };
};
