import { namespaceKind } from '../kinds.ts';
import { forbidden, notFound } from '../status.ts';
import type { AdmissionRequest } from './request.ts';

/** Objects live in namespaces that exist, and nothing new comes into one that is being deleted. */
export const admitNamespace = ({ objects, kind, object, before }: AdmissionRequest): void => {
  const { name, namespace } = object.metadata;
  if (!kind.namespaced || before || namespace === undefined) return;
  const found = objects.get(namespaceKind, undefined, namespace);
  if (!found) throw notFound(namespaceKind, namespace);
  if (!found.metadata.deletionTimestamp) return;
  throw forbidden(kind, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ]);
};
