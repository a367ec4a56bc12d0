import { type KubeObject, type ManagedFields, sameJson, timestamp } from '../object.ts';
import { decodePath, type FieldSet, fieldsOf, fromFieldsV1, toFieldsV1, valueAt } from './field-sets.ts';

export interface Writer {
  readonly manager: string;
  readonly subresource?: string;
}

const changedFields = (before: KubeObject | undefined, after: KubeObject, fields: FieldSet): FieldSet => {
  const earlier = before ? fieldsOf(before) : new Set<string>();
  return new Set(
    [...fields].filter((text) => {
      if (!earlier.has(text)) return true;
      const path = decodePath(text);
      return path.at(-1) !== '.' && !sameJson(valueAt(before, path), valueAt(after, path));
    }),
  );
};

/**
 * The managed fields of an object after a create, update or patch: the writer owns what it changed, others lose what is
 * gone or no longer as they wrote it.
 */
export const trackUpdate = (
  before: KubeObject | undefined,
  after: KubeObject,
  { manager, subresource }: Writer,
): ManagedFields[] => {
  const fields = fieldsOf(after);
  const changed = changedFields(before, after, fields);
  const mine = (entry: ManagedFields): boolean =>
    entry.manager === manager && entry.operation === 'Update' && entry.subresource === subresource;
  const entries = before?.metadata.managedFields ?? [];
  const kept = entries.flatMap((entry): ManagedFields[] => {
    const owned = fromFieldsV1(entry.fieldsV1);
    const still = new Set([...owned].filter((text) => fields.has(text) && (mine(entry) || !changed.has(text))));
    if (mine(entry)) for (const text of changed) still.add(text);
    if (still.size === 0) return [];
    const same = still.size === owned.size && [...still].every((text) => owned.has(text));
    if (same && !(mine(entry) && changed.size > 0)) return [entry];
    return [{ ...entry, ...(mine(entry) ? { time: timestamp() } : {}), fieldsV1: toFieldsV1(still) }];
  });
  if (changed.size === 0 || entries.some(mine)) return kept;
  return [
    ...kept,
    {
      manager,
      operation: 'Update',
      apiVersion: after.apiVersion,
      time: timestamp(),
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(changed),
      ...(subresource ? { subresource } : {}),
    },
  ];
};
