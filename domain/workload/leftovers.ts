import type { KubeObject } from './object.ts';

/** A field or an item of a list that an object has and shall not have. */
export interface Leftover {
  /** Where it is in the object: `['spec', 'containers', 0, 'env', 3]`. */
  readonly path: readonly (string | number)[];
  /** The same by the names of list items, so that it is known again where their places differ. */
  readonly name: string;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields by which Kubernetes tells the items of its lists apart (its OpenAPI: `x-kubernetes-list-map-keys`). */
const keys = ['name', 'mountPath', 'devicePath', 'containerPort', 'port', 'topologyKey', 'ip', 'key', 'type'] as const;

const keyOf = (item: unknown): string => {
  const key = isFields(item) ? keys.find((name) => item[name] !== undefined) : undefined;
  if (key === undefined) return JSON.stringify(item);
  const { protocol } = item as Fields;
  return `${key}=${String((item as Fields)[key])}${key.endsWith('ort') && protocol !== undefined ? `/${String(protocol)}` : ''}`;
};

const among = (has: unknown, wanted: unknown, at: Leftover): Leftover[] => {
  if (Array.isArray(has) && Array.isArray(wanted)) {
    const known = new Map(wanted.map((item) => [keyOf(item), item]));
    return has.flatMap((item, index) => {
      const here = { path: [...at.path, index], name: `${at.name}[${keyOf(item)}]` };
      return known.has(keyOf(item)) ? among(item, known.get(keyOf(item)), here) : [here];
    });
  }
  if (!isFields(has) || !isFields(wanted)) return [];
  return Object.entries(has).flatMap(([field, value]) => {
    const here = { path: [...at.path, field], name: at.name === '' ? field : `${at.name}.${field}` };
    return wanted[field] === undefined ? [here] : among(value, wanted[field], here);
  });
};

/** Written by the API and by controllers, whatever anybody wishes. */
const ofServer: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'status']);

const own = (object: KubeObject): Fields =>
  Object.fromEntries(Object.entries(object).filter(([field]) => !ofServer.has(field)));

/**
 * What an object has beyond what is wanted of it: what another field manager put in, which server-side apply leaves alone. Labels
 * and annotations stay, controllers write there; so does the number of replicas where the wish leaves it to an autoscaler.
 */
export const leftovers = (has: KubeObject, wanted: KubeObject): Leftover[] =>
  among(own(has), own(wanted), { path: [], name: '' }).filter(({ name }) => name !== 'spec.replicas');

/** The object without these of its fields and items. */
export const without = (object: KubeObject, gone: readonly Leftover[]): KubeObject => {
  const copy = structuredClone(object);
  // From the back, so that the places of the items before stay what they are.
  for (const { path } of gone.toReversed()) {
    const place = path.slice(0, -1).reduce<unknown>((value, step) => (value as Fields)[step], copy);
    const last = path.at(-1)!;
    if (Array.isArray(place)) place.splice(Number(last), 1);
    else delete (place as Record<string, unknown>)[last];
  }
  return copy;
};

const pointer = (path: Leftover['path']): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** The same as a JSON Patch (RFC 6902). */
export const removalPatch = (gone: readonly Leftover[]): object[] =>
  gone.toReversed().map(({ path }) => ({ op: 'remove', path: pointer(path) }));
