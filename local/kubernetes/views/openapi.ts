import { createHash } from 'node:crypto';
import type { Kind } from '../kinds.ts';
import { noSuchPath } from '../status.ts';

const pathOf = ({ group, version }: Pick<Kind, 'group' | 'version'>): string =>
  group ? `apis/${group}/${version}` : `api/${version}`;

/** Clients keep a document for as long as its hash stays, also on disk. */
const hashOf = (kinds: readonly Kind[], path: string): string =>
  createHash('sha256')
    .update(JSON.stringify(kinds.filter((kind) => pathOf(kind) === path).map(({ kind, plural }) => [kind, plural])))
    .digest('hex')
    .slice(0, 16);

/** `/openapi/v3`: where the document of each group version stands. */
export const openApiIndex = (kinds: readonly Kind[], prefix: string): object => ({
  paths: Object.fromEntries(
    [...new Set(kinds.map(pathOf))].map((path) => [
      path,
      { serverRelativeURL: `${prefix}/openapi/v3/${path}?hash=${hashOf(kinds, path)}` },
    ]),
  ),
});

const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty'].map((name) => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
}));

/**
 * The document of one group version, at `apis/apps/v1`: the writes of every kind with their query parameters. That is all
 * that kubectl looks for before it validates on the server and before a dry run. Members of the kinds are not in it, so
 * `kubectl explain` says nothing. Throws 404 for what is not served.
 */
export const openApiDocument = (kinds: readonly Kind[], path: string): object => {
  const served = kinds.filter((kind) => pathOf(kind) === path);
  if (served.length === 0) throw noSuchPath();
  const operation = (kind: Kind, action: string): object => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
    parameters,
    responses: {},
  });
  const paths = served.flatMap((kind): [string, object][] => {
    const list = `/${path}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`;
    return [
      [list, { post: operation(kind, 'post') }],
      [`${list}/{name}`, { patch: operation(kind, 'patch'), put: operation(kind, 'put') }],
    ];
  });
  const schemas = served.map((kind): [string, object] => [
    `${kind.group || 'core'}.${kind.version}.${kind.kind}`,
    {
      type: 'object',
      'x-kubernetes-group-version-kind': [{ group: kind.group, version: kind.version, kind: kind.kind }],
    },
  ]);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.fromEntries(paths),
    components: { schemas: Object.fromEntries(schemas) },
  };
};
