import { isObject, type JsonObject, sameJson } from '../object.ts';

const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

/**
 * The key by which a list merges in a strategic merge patch. It differs from that of server-side apply where the patch
 * format is older: ports have one key. Source: `x-kubernetes-patch-merge-key` of the Kubernetes API.
 */
const mergeKey = (kind: string, path: readonly string[]): string | undefined => {
  const last = path.at(-1) ?? '';
  const parent = path.at(-2) ?? '';
  const inContainer = /ontainers$/.test(parent);
  switch (last) {
    case 'containers':
    case 'initContainers':
    case 'ephemeralContainers':
    case 'volumes':
    case 'imagePullSecrets':
      return 'name';
    case 'env':
      return inContainer ? 'name' : undefined;
    case 'volumeMounts':
      return 'mountPath';
    case 'volumeDevices':
      return 'devicePath';
    case 'hostAliases':
      return 'ip';
    case 'topologySpreadConstraints':
      return 'topologyKey';
    case 'ownerReferences':
      return 'uid';
    case 'conditions':
      return parent === 'status' ? 'type' : undefined;
    case 'addresses':
      return kind === 'Node' ? 'type' : undefined;
    case 'secrets':
      return kind === 'ServiceAccount' ? 'name' : undefined;
    case 'ports':
      if (inContainer) return 'containerPort';
      return kind === 'Service' && parent === 'spec' ? 'port' : undefined;
    default:
      return undefined;
  }
};

const isSet = (path: readonly string[]): boolean => path.join('.') === 'metadata.finalizers';

const ordered = (items: unknown[], order: unknown, key: string | undefined): unknown[] => {
  if (!Array.isArray(order)) return items;
  const idOf = (item: unknown): unknown => (key && isObject(item) ? item[key] : item);
  const positions = order.map((entry) => idOf(entry));
  const rank = (item: unknown): number => {
    const at = positions.findIndex((position) => sameJson(position, idOf(item)));
    return at < 0 ? positions.length : at;
  };
  return items
    .map((item, index) => ({ item, index }))
    .sort((a, b) => rank(a.item) - rank(b.item) || a.index - b.index)
    .map(({ item }) => item);
};

const withoutDirectives = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([name, below]) => !name.startsWith('$') && below !== null);
  return Object.fromEntries(entries.map(([name, below]) => [name, withoutDirectives(below)]));
};

const mergeList = (target: unknown, patch: unknown[], kind: string, path: readonly string[]): unknown => {
  const key = mergeKey(kind, path);
  const replaced = patch.some((item) => isObject(item) && item.$patch === 'replace');
  if (replaced || (key === undefined && !isSet(path))) {
    return patch.filter((item) => !(isObject(item) && item.$patch === 'replace')).map(withoutDirectives);
  }
  const items = Array.isArray(target) ? [...target] : [];
  if (key === undefined) return [...items, ...patch.filter((value) => !items.includes(value))];
  for (const item of patch.filter(isObject)) {
    const index = items.findIndex((other) => isObject(other) && other[key] === item[key]);
    if (item.$patch === 'delete') {
      if (index >= 0) items.splice(index, 1);
    } else if (index < 0) items.push(withoutDirectives(item));
    else items[index] = mergeObject(items[index], item, kind, path);
  }
  return items;
};

const mergeObject = (target: unknown, patch: JsonObject, kind: string, path: readonly string[]): unknown => {
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    const below = [...path, name];
    if (value === null) delete merged[name];
    else if (Array.isArray(value)) merged[name] = mergeList(merged[name], value, kind, below);
    else if (isObject(value)) {
      if (value.$patch === 'delete') delete merged[name];
      else merged[name] = mergeObject(merged[name], value, kind, below);
    } else merged[name] = value;
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(deletePrefix) && Array.isArray(value)) {
      const field = name.slice(deletePrefix.length);
      const items = merged[field];
      if (Array.isArray(items)) merged[field] = items.filter((item) => !value.includes(item));
    }
    if (name.startsWith(orderPrefix)) {
      const field = name.slice(orderPrefix.length);
      const items = merged[field];
      if (Array.isArray(items)) merged[field] = ordered(items, value, mergeKey(kind, [...path, field]));
    }
  }
  const retained = patch.$retainKeys;
  if (!Array.isArray(retained)) return merged;
  return Object.fromEntries(Object.entries(merged).filter(([name]) => retained.includes(name)));
};

/** kubectl's own patch format (`$patch`, `$setElementOrder`, `$retainKeys`, `$deleteFromPrimitiveList`). Nothing given is changed. */
export const applyStrategicMergePatch = (target: JsonObject, patch: JsonObject, kind: string): unknown =>
  mergeObject(target, patch, kind, []);
