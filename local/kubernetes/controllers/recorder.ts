import { randomBytes } from 'node:crypto';
import { type ApiClient, isApiError } from '../api-client.ts';
import { apiVersionOf, type Kind, kinds, pathOf } from './kinds.ts';
import { type KubeObject, timestamp } from './objects.ts';

export interface Recorder {
  /** Tells what happened to an object, as `kubectl describe` shows it. Never throws, never makes the caller wait. */
  record(about: { kind: Kind; object: KubeObject }, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Learns which events the cluster holds already, so that the cap holds over restarts. */
  start(): Promise<void>;
  /** Resolves when what was recorded is written. */
  flush(): Promise<void>;
}

interface StoredEvent extends KubeObject {
  readonly involvedObject: { readonly uid?: string };
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string;
}

interface Known {
  readonly name: string;
  count: number;
}

/** Events kept of one namespace: a crash loop must not fill the cluster. A real API server keeps all for an hour. */
export const mostEvents = 100;

const identity = (uid: string, reason: string, message: string): string => `${uid} ${reason} ${message}`;

/** Writes core/v1 events: a repeated one grows the count of the first, the oldest go when a namespace has `mostEvents`. */
export const createRecorder = (client: ApiClient, log: (line: string) => void): Recorder => {
  const spaces = new Map<string, Map<string, Known>>();
  let writing: Promise<void> = Promise.resolve();

  const spaceOf = (namespace: string): Map<string, Known> => {
    const space = spaces.get(namespace) ?? new Map<string, Known>();
    spaces.set(namespace, space);
    return space;
  };

  const create = async (
    namespace: string,
    { kind, object }: { kind: Kind; object: KubeObject },
    event: { type: string; reason: string; message: string },
  ): Promise<string> => {
    const now = timestamp();
    const name = `${object.metadata.name}.${randomBytes(8).toString('hex')}`;
    await client.request('POST', pathOf(kinds.events, { namespace }), {
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: apiVersionOf(kind),
          kind: kind.kind,
          name: object.metadata.name,
          ...(object.metadata.namespace !== undefined && { namespace: object.metadata.namespace }),
          uid: object.metadata.uid,
          resourceVersion: object.metadata.resourceVersion,
        },
        ...event,
        source: { component: 'tenantry' },
        reportingComponent: 'tenantry',
        reportingInstance: 'laptop',
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
      },
    });
    return name;
  };

  const write = async (
    about: { kind: Kind; object: KubeObject },
    event: { type: string; reason: string; message: string },
  ): Promise<void> => {
    const namespace = about.object.metadata.namespace ?? 'default';
    const space = spaceOf(namespace);
    const key = identity(about.object.metadata.uid, event.reason, event.message);
    const known = space.get(key);
    if (known) {
      known.count += 1;
      const contentType = 'application/merge-patch+json';
      const body = { count: known.count, lastTimestamp: timestamp() };
      try {
        await client.request('PATCH', pathOf(kinds.events, { namespace, name: known.name }), { body, contentType });
        return;
      } catch (error) {
        if (!isApiError(error, 404)) throw error;
        space.delete(key);
      }
    }
    space.set(key, { name: await create(namespace, about, event), count: 1 });
    for (const [oldest, { name }] of space) {
      if (space.size <= mostEvents) return;
      space.delete(oldest);
      await client.request('DELETE', pathOf(kinds.events, { namespace, name })).catch((error: unknown) => {
        if (!isApiError(error, 404)) throw error;
      });
    }
  };

  return {
    record: (about, type, reason, message) => {
      const event = { type, reason, message: message.slice(0, 1_024) };
      writing = writing
        .then(() => write(about, event))
        .catch((error: unknown) => {
          // 403: the namespace is being terminated. 404: it is gone.
          if (isApiError(error, 403, 404)) spaces.delete(about.object.metadata.namespace ?? 'default');
          else log(`event ${reason}: ${error instanceof Error ? error.message : String(error)}`);
        });
    },
    start: async () => {
      const { items } = await client.request<{ items: StoredEvent[] }>('GET', pathOf(kinds.events));
      const byAge = items.sort((one, other) => ((one.lastTimestamp ?? '') < (other.lastTimestamp ?? '') ? -1 : 1));
      for (const { metadata, involvedObject, reason = '', message = '', count = 1 } of byAge)
        spaceOf(metadata.namespace ?? 'default').set(identity(involvedObject.uid ?? '', reason, message), {
          name: metadata.name,
          count,
        });
    },
    flush: () => writing,
  };
};
