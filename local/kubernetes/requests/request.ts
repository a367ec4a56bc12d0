import type { Subresource } from '../kinds.ts';

/** What a path below `/clusters/<name>` names. */
export type PathTarget =
  | { readonly type: 'resource'; readonly resource: ResourcePath }
  /** `/apis/apps/v1` and `/apis/apps`. */
  | { readonly type: 'group'; readonly group: string; readonly version: string | undefined }
  | { readonly type: 'other'; readonly path: string };

export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: Subresource | undefined;
}

const namespaceSubresources = new Set(['status', 'finalize']);

/** Throws URIError for malformed escapes. */
export const parsePath = (path: string): PathTarget => {
  const [prefix, ...rest] = path.split('/').slice(1).filter(Boolean).map(decodeURIComponent);
  if (prefix !== 'api' && prefix !== 'apis') return { type: 'other', path };
  const group = prefix === 'api' ? '' : rest.shift();
  if (group === undefined) return { type: 'other', path };
  const version = rest.shift();
  if (version === undefined && prefix === 'api') return { type: 'other', path };
  if (version === undefined || rest.length === 0) return { type: 'group', group, version };
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && namespaceSubresources.has(rest[2]!))) {
    namespace = rest[1];
    rest.splice(0, 2);
  }
  const [plural, name, subresource, ...more] = rest;
  if (plural === undefined || more.length > 0) return { type: 'other', path };
  return {
    type: 'resource',
    resource: { group, version, plural, namespace, name, subresource: subresource as Subresource | undefined },
  };
};

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

const isTrue = (value: string | null): boolean => value === 'true' || value === '1';

/** The verb that authorisation knows; undefined for methods that the API does not have. */
export const verbOf = (method: string, named: boolean, query: URLSearchParams): Verb | undefined => {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isTrue(query.get('watch'))) return 'watch';
      return named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return undefined;
  }
};
