import { isObject, type JsonObject, type KubeObject, type ManagedFields, sameJson, timestamp } from '../object.ts';
import { isAtomicObject, listType } from '../schema/list-types.ts';
import {
  decodePath,
  dotted,
  encodePath,
  type FieldPath,
  type FieldSet,
  fieldsOf,
  fromFieldsV1,
  keyStep,
  removeAt,
  toFieldsV1,
  valueAt,
} from './field-sets.ts';

export interface FieldConflict {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time: string;
  /** `.spec.replicas` */
  readonly field: string;
}

export type Applied = { readonly object: KubeObject } | { readonly conflicts: readonly FieldConflict[] };

const mergeList = (live: unknown, wanted: unknown[], kind: string, names: readonly string[]): unknown => {
  const type = listType(kind, names);
  if (type === 'atomic') return structuredClone(wanted);
  const items = Array.isArray(live) ? [...live] : [];
  if (type === 'set') {
    return [...items, ...wanted.filter((value) => !items.some((item) => sameJson(item, value)))];
  }
  for (const item of wanted.filter(isObject)) {
    const key = keyStep(item, type.keys);
    const index = items.findIndex((other) => isObject(other) && keyStep(other, type.keys) === key);
    if (index < 0) items.push(merge({}, item, kind, names));
    else items[index] = merge(items[index], item, kind, names);
  }
  return items;
};

/** `wanted` laid over `live`; members that are null are left as they are. */
const merge = (live: unknown, wanted: unknown, kind: string, names: readonly string[]): unknown => {
  if (Array.isArray(wanted)) return mergeList(live, wanted, kind, names);
  if (!isObject(wanted)) return wanted;
  if (names.length > 0 && isAtomicObject(kind, names)) return structuredClone(wanted);
  const merged: JsonObject = isObject(live) ? { ...live } : {};
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== null) merged[name] = merge(merged[name], value, kind, [...names, name]);
  }
  return merged;
};

interface Owner {
  readonly entry: ManagedFields;
  readonly fields: FieldSet;
}

const findConflicts = (live: KubeObject, wanted: KubeObject, fields: FieldSet, others: readonly Owner[]) =>
  [...fields].flatMap((text) => {
    const path = decodePath(text);
    if (path.at(-1) === '.' || sameJson(valueAt(wanted, path), valueAt(live, path))) return [];
    return others.filter((other) => other.fields.has(text)).map((other) => ({ other, text, path }));
  });

const isKeyField = (path: FieldPath): boolean => {
  const parent = path.at(-2);
  const last = path.at(-1);
  return parent?.startsWith('k:') === true && last !== undefined && last.slice(2) in JSON.parse(parent.slice(2));
};

/** Takes out what the manager applied before and no longer does: items whole, then leaves, then parents left empty. */
const removeDropped = (object: KubeObject, dropped: readonly FieldPath[], kept: readonly FieldSet[]): void => {
  const prefixes = new Set<string>();
  for (const set of kept) {
    for (const text of set) {
      const path = decodePath(text);
      for (let length = 1; length <= path.length; length++) prefixes.add(encodePath(path.slice(0, length)));
    }
  }
  const owned = (path: FieldPath): boolean => prefixes.has(encodePath(path));
  for (const path of dropped.filter((path) => path.at(-1) === '.')) {
    if (!owned(path.slice(0, -1))) removeAt(object, path);
  }
  const leaves = dropped.filter((path) => path.at(-1) !== '.' && !isKeyField(path));
  // A leaf that was empty may have become the parent of what is held now.
  for (const path of leaves.toSorted((a, b) => b.length - a.length)) if (!owned(path)) removeAt(object, path);
  for (const path of dropped) {
    for (let length = path.length - 1; length > 1; length--) {
      const parent = path.slice(0, length);
      const value = valueAt(object, parent);
      const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
      if (empty && !owned(parent)) removeAt(object, parent);
    }
  }
};

/**
 * Server-side apply: `wanted` is what `manager` wants to hold, no more. What it no longer names goes when nobody else owns
 * it; what others own and hold otherwise is a conflict, or theirs no more with `force`.
 */
export const applyConfiguration = (options: {
  live: KubeObject | undefined;
  wanted: KubeObject;
  manager: string;
  force: boolean;
  subresource?: string;
}): Applied => {
  const { live, wanted, manager, force, subresource } = options;
  const fields = fieldsOf(wanted);
  const entries = live?.metadata.managedFields ?? [];
  const mine = entries.find(
    (entry) => entry.manager === manager && entry.operation === 'Apply' && entry.subresource === subresource,
  );
  const others: Owner[] = entries
    .filter((entry) => entry !== mine)
    .map((entry) => ({ entry, fields: fromFieldsV1(entry.fieldsV1) }));
  const found = live ? findConflicts(live, wanted, fields, others) : [];
  if (found.length > 0 && !force) {
    return { conflicts: found.map(({ other, path }) => ({ ...other.entry, field: dotted(path) })) };
  }
  for (const { other, text } of found) other.fields.delete(text);
  const object = merge(structuredClone(live ?? {}), wanted, wanted.kind, []) as KubeObject;
  const before = mine ? fromFieldsV1(mine.fieldsV1) : new Set<string>();
  const dropped = [...before]
    .filter((text) => !fields.has(text) && !others.some((other) => other.fields.has(text)))
    .map(decodePath);
  removeDropped(object, dropped, [fields, ...others.map((other) => other.fields)]);
  const unchanged = mine !== undefined && sameJson(mine.fieldsV1, toFieldsV1(fields));
  const own: ManagedFields = {
    manager,
    operation: 'Apply',
    apiVersion: wanted.apiVersion,
    time: unchanged ? mine.time : timestamp(),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(fields),
    ...(subresource ? { subresource } : {}),
  };
  object.metadata.managedFields = [
    own,
    ...others
      .filter((other) => other.fields.size > 0)
      .map((other) => ({ ...other.entry, fieldsV1: toFieldsV1(other.fields) })),
  ];
  return { object };
};
