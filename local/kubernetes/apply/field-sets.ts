import { type Fields, isObject, type JsonObject, type KubeObject } from '../object.ts';
import { isAtomicObject, keyDefaults, listType } from '../schema/list-types.ts';

/** A path of `f:name`, `k:{...}`, `v:value` and `.` steps, as JSON text so that sets can hold it. */
export type FieldPath = readonly string[];
export type FieldSet = Set<string>;

export const encodePath = (path: FieldPath): string => JSON.stringify(path);
export const decodePath = (text: string): string[] => JSON.parse(text) as string[];

/** What no manager owns: the API itself sets them. */
const unowned = new Set([
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
  'metadata.generateName',
  'metadata.uid',
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'metadata.deletionGracePeriodSeconds',
  'metadata.managedFields',
  'metadata.selfLink',
]);

/** The `k:` step of an item: its key fields in the order of their names. */
export const keyStep = (item: JsonObject, keys: readonly string[]): string => {
  const entries = [...keys].sort().map((key) => [key, item[key] ?? keyDefaults[key]]);
  return `k:${JSON.stringify(Object.fromEntries(entries))}`;
};

const collect = (value: unknown, kind: string, steps: FieldPath, names: readonly string[], into: FieldSet): void => {
  if (Array.isArray(value)) {
    const type = listType(kind, names);
    if (type === 'atomic' || value.length === 0) into.add(encodePath(steps));
    else if (type === 'set') for (const item of value) into.add(encodePath([...steps, `v:${JSON.stringify(item)}`]));
    else {
      for (const item of value.filter(isObject)) {
        const at = [...steps, keyStep(item, type.keys)];
        into.add(encodePath([...at, '.']));
        for (const [name, below] of Object.entries(item))
          collect(below, kind, [...at, `f:${name}`], [...names, name], into);
      }
    }
    return;
  }
  if (!isObject(value) || (names.length > 0 && isAtomicObject(kind, names))) {
    into.add(encodePath(steps));
    return;
  }
  const entries = Object.entries(value).filter(([, below]) => below !== undefined);
  if (entries.length === 0 && steps.length > 0) into.add(encodePath(steps));
  for (const [name, below] of entries) {
    const path = [...names, name];
    if (path.length <= 2 && unowned.has(path.join('.'))) continue;
    collect(below, kind, [...steps, `f:${name}`], path, into);
  }
};

/** Every field that an object, or the body of an apply, speaks of. */
export const fieldsOf = (object: KubeObject): FieldSet => {
  const into: FieldSet = new Set();
  collect(object, object.kind, [], [], into);
  // An object of metadata alone owns nothing but what stands in it.
  into.delete(encodePath(['f:metadata']));
  return into;
};

export const toFieldsV1 = (set: FieldSet): Fields => {
  const root: Fields = {};
  for (const text of [...set].sort()) {
    let at = root;
    for (const step of decodePath(text)) at = at[step] ??= {};
  }
  return root;
};

export const fromFieldsV1 = (fields: Fields, path: FieldPath = [], into: FieldSet = new Set()): FieldSet => {
  const entries = Object.entries(fields);
  if (entries.length === 0 && path.length > 0) into.add(encodePath(path));
  for (const [step, below] of entries) fromFieldsV1(below, [...path, step], into);
  return into;
};

const matchesKey = (item: unknown, key: JsonObject): boolean =>
  isObject(item) && Object.entries(key).every(([name, value]) => (item[name] ?? keyDefaults[name]) === value);

/** The value at a path; undefined where nothing is. The step `.` is the item itself. */
export const valueAt = (root: unknown, path: FieldPath): unknown => {
  let at = root;
  for (const step of path) {
    if (step === '.') return at;
    if (step.startsWith('f:')) at = isObject(at) ? at[step.slice(2)] : undefined;
    else if (!Array.isArray(at)) return undefined;
    else if (step.startsWith('k:')) {
      const key = JSON.parse(step.slice(2)) as JsonObject;
      at = at.find((item) => matchesKey(item, key));
    } else at = at.find((item) => JSON.stringify(item) === step.slice(2));
    if (at === undefined) return undefined;
  }
  return at;
};

/** Takes the value at a path out of a copy that belongs to the caller. */
export const removeAt = (root: unknown, path: FieldPath): void => {
  const whole = path.at(-1) === '.' ? path.slice(0, -1) : path;
  const last = whole.at(-1);
  const parent = valueAt(root, whole.slice(0, -1));
  if (last === undefined || parent === undefined) return;
  if (last.startsWith('f:') && isObject(parent)) delete parent[last.slice(2)];
  else if (Array.isArray(parent)) {
    const index = parent.indexOf(valueAt(root, whole));
    if (index >= 0) parent.splice(index, 1);
  }
};

/** `.spec.template.spec.containers[name="app"].image`, as conflicts name a field. */
export const dotted = (path: FieldPath): string =>
  path
    .map((step) => {
      if (step === '.') return '';
      if (step.startsWith('f:')) return `.${step.slice(2)}`;
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
      const key = JSON.parse(step.slice(2)) as JsonObject;
      return `[${Object.entries(key).map(([name, value]) => `${name}=${JSON.stringify(value)}`)}]`;
    })
    .join('');
