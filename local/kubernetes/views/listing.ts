import type { ClusterObjects } from '../cluster-objects.ts';
import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { fieldMatcher, labelMatcher, type Matcher } from '../selectors.ts';
import { badRequest, StatusError } from '../status.ts';
import type { Representation } from './representation.ts';

/** What the selectors of a query let through. Throws 400. */
export const selectionOf = (query: URLSearchParams): Matcher => {
  const byLabel = labelMatcher(query.get('labelSelector'));
  const byField = fieldMatcher(query.get('fieldSelector'));
  return (object) => byLabel(object) && byField(object);
};

interface Continuation {
  readonly v: 'meta.k8s.io/v1';
  readonly rv: number;
  /** Namespace and name of the last object that was given. */
  readonly start: readonly [string, string];
}

const readContinuation = (text: string): Continuation => {
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64url').toString()) as Continuation;
    if (parsed.v === 'meta.k8s.io/v1' && parsed.start.length === 2) return parsed;
  } catch {
    // Not a token of ours.
  }
  throw badRequest(`continue key is not valid: "${text}"`);
};

const keyOf = ({ metadata }: KubeObject): readonly [string, string] => [metadata.namespace ?? '', metadata.name];

const isAfter = (object: KubeObject, [namespace, name]: readonly [string, string]): boolean => {
  const [otherNamespace, otherName] = keyOf(object);
  return otherNamespace === namespace ? otherName > name : otherNamespace > namespace;
};

const readLimit = (text: string | null): number => {
  const limit = Number(text ?? 0);
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw badRequest(`limit is "${text}"; give a whole number`);
};

/**
 * A list, or a page of it. Pages follow the order of namespace and name; what changes between two pages shows in the second
 * (a real API keeps the state of the first page for five minutes).
 */
export const listObjects = async (
  objects: ClusterObjects,
  kind: Kind,
  namespace: string | undefined,
  query: URLSearchParams,
  representation: Representation,
): Promise<object> => {
  const selected = selectionOf(query);
  const limit = readLimit(query.get('limit'));
  const continued = query.get('continue') ? readContinuation(query.get('continue')!) : undefined;
  await objects.settled();
  const wanted = Number(query.get('resourceVersion') ?? 0);
  if (wanted > objects.resourceVersion) {
    throw new StatusError(
      504,
      'Timeout',
      `Too large resource version: ${wanted}, current: ${objects.resourceVersion}`,
      {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    );
  }
  const matching = objects.list(kind, namespace).filter(selected);
  const rest = continued ? matching.filter((object) => isAfter(object, continued.start)) : matching;
  const page = limit > 0 ? rest.slice(0, limit) : rest;
  const last = page.at(-1);
  const more = rest.length - page.length;
  const token: Continuation | undefined =
    more > 0 && last ? { v: 'meta.k8s.io/v1', rv: objects.resourceVersion, start: keyOf(last) } : undefined;
  return representation.many(page, {
    resourceVersion: String(continued?.rv ?? objects.resourceVersion),
    ...(token ? { continue: Buffer.from(JSON.stringify(token)).toString('base64url'), remainingItemCount: more } : {}),
  });
};
