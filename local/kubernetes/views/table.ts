import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { columnsOf } from './columns.ts';

export const partialMetadata = ({ metadata }: KubeObject): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
});

/** What `kubectl get` prints. */
export const tableOf = (
  kind: Kind,
  items: readonly KubeObject[],
  metadata: object,
  include: string | null = 'Metadata',
): object => {
  const columns = columnsOf(kind.kind);
  // Names of events tell nobody anything: kubectl prints them with `-o wide` alone.
  const namePriority = kind.kind === 'Event' ? 1 : 0;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: [
      { name: 'Name', type: 'string', format: 'name', description: '', priority: namePriority },
      ...columns.map(({ name, type = 'string', wide }) => ({
        name,
        type,
        format: '',
        description: '',
        priority: wide ? 1 : 0,
      })),
    ],
    rows: items.map((object) => ({
      cells: [object.metadata.name, ...columns.map(({ value }) => value(object))],
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialMetadata(object) }),
    })),
  };
};
