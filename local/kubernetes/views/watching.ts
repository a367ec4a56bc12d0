import type { ServerResponse } from 'node:http';
import type { Change, ClusterObjects } from '../cluster-objects.ts';
import { apiVersionOf, type Kind, kindKey } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { badRequest, StatusError, statusBody } from '../status.ts';
import { selectionOf } from './listing.ts';
import type { Representation } from './representation.ts';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** kube-apiserver ends a watch after 30 to 60 minutes where the client names no end. */
const longestSeconds = 1_800;

/** A client that comes back after a quiet hour must not have to list anew. kube-apiserver sends one a minute. */
const bookmarkMillis = 60_000;

const expired = (asked: number, current: number): StatusError =>
  new StatusError(410, 'Expired', `too old resource version: ${asked} (${current})`);

const readVersion = (text: string | null): number => {
  if (text === null || text === '') return 0;
  const version = Number(text);
  if (Number.isInteger(version) && version >= 0) return version;
  throw badRequest(`Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
};

/** How a change looks through a selection: an object that stops matching is gone for this watch. */
const seen = (
  { object, previous, deleted }: Change,
  selected: (object: KubeObject) => boolean,
): { type: EventType; object: KubeObject } | undefined => {
  const before = previous !== undefined && selected(previous);
  const now = !deleted && selected(object);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object };
  if (!before) return undefined;
  // The state before the change, under the version of the change, as kube-apiserver tells it.
  const { resourceVersion } = object.metadata;
  return { type: 'DELETED', object: { ...previous, metadata: { ...previous.metadata, resourceVersion } } };
};

/**
 * Streams changes until the client goes, `timeoutSeconds` is over or the cluster is closed. From resource version 0 or none
 * it begins with what is there, and so it does with `sendInitialEvents`, then closing that part with a marked bookmark. A
 * version that is no longer known gets one ERROR event with 410.
 */
export const watchObjects = async (options: {
  objects: ClusterObjects;
  kind: Kind;
  namespace: string | undefined;
  query: URLSearchParams;
  representation: Representation;
  response: ServerResponse;
}): Promise<void> => {
  const { objects, kind, namespace, query, representation, response } = options;
  const matches = selectionOf(query);
  const selected = (object: KubeObject): boolean =>
    (!namespace || !kind.namespaced || object.metadata.namespace === namespace) && matches(object);
  const from = readVersion(query.get('resourceVersion'));
  const initial = query.get('sendInitialEvents') === 'true';
  const seconds = Math.min(Number(query.get('timeoutSeconds') ?? longestSeconds) || longestSeconds, longestSeconds);
  await objects.settled();

  const send = (type: EventType, object: object): void => {
    response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const bookmark = (version: number, annotations?: Record<string, string>): void =>
    send('BOOKMARK', {
      kind: kind.kind,
      apiVersion: apiVersionOf(kind),
      metadata: { resourceVersion: String(version), creationTimestamp: null, ...(annotations ? { annotations } : {}) },
    });

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  let heard = from;
  const tell = (change: Change): void => {
    if (change.kind !== kindKey(kind) || change.resourceVersion <= heard) return;
    heard = change.resourceVersion;
    const event = seen(change, selected);
    if (event) send(event.type, representation.one(event.object));
  };
  if (initial || from === 0) {
    for (const object of objects.list(kind, namespace).filter(selected)) send('ADDED', representation.one(object));
    heard = objects.resourceVersion;
    if (initial) bookmark(heard, { 'k8s.io/initial-events-end': 'true' });
  } else {
    const missed = objects.since(from);
    if (!missed) {
      send('ERROR', statusBody(expired(from, objects.resourceVersion)));
      response.end();
      return;
    }
    for (const change of missed) tell(change);
  }
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const timer = setInterval(() => bookmarks && bookmark(objects.toldVersion), bookmarkMillis);
  const end = setTimeout(() => {
    if (bookmarks) bookmark(objects.toldVersion);
    response.end();
  }, seconds * 1000);
  const unsubscribe = objects.subscribe({ changed: tell, ended: () => response.end() });
  response.once('close', () => {
    unsubscribe();
    clearInterval(timer);
    clearTimeout(end);
  });
};
