import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { partialMetadata, tableOf } from './table.ts';

/** How the client wants objects: whole, as rows of a table, or their metadata alone. */
export interface Representation {
  readonly one: (object: KubeObject) => object;
  readonly many: (items: readonly KubeObject[], metadata: object) => object;
}

/** Decided by the first of the accepted types that is served: JSON in any of the three forms. */
export const representationOf = (kind: Kind, accept: string, query: URLSearchParams): Representation => {
  const wanted = accept.split(',').find((type) => type.includes('json') || type.includes('*/*')) ?? '';
  if (/as=Table(;|$)/.test(wanted)) {
    const include = query.get('includeObject');
    return {
      one: (object) =>
        tableOf(kind, [object], { resourceVersion: object.metadata.resourceVersion }, include ?? 'Metadata'),
      many: (items, metadata) => tableOf(kind, items, metadata, include ?? 'Metadata'),
    };
  }
  if (wanted.includes('as=PartialObjectMetadata')) {
    return {
      one: partialMetadata,
      many: (items, metadata) => ({
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: items.map(partialMetadata),
      }),
    };
  }
  return {
    one: (object) => object,
    many: (items, metadata) => ({
      kind: `${kind.kind}List`,
      apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version,
      metadata,
      items,
    }),
  };
};
