/** The parts of Kubernetes objects that the controllers read and write, as the API has them in JSON. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export type Labels = Readonly<Record<string, string>>;

export interface Meta {
  readonly name: string;
  /** Absent for kinds without namespaces. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Meta;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** An object that is about to be created: the server adds the rest of its metadata. */
export type Draft<Kind extends KubeObject> = Omit<Kind, 'metadata'> & {
  readonly metadata: Partial<Omit<Meta, 'name'>> & { readonly name: string };
};

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
}

export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

/** RFC 3339 with whole seconds, as the API writes times. */
export const timestamp = (millis = Date.now()): string => new Date(millis).toISOString().replace(/\.\d+Z$/, 'Z');

export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`;

export const splitKey = (key: string): { namespace: string; name: string } => {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

/** Kubernetes' rule: an empty selector selects all, an absent one nothing. */
export const selects = (selector: Selector | undefined, labels: Labels = {}): boolean => {
  if (!selector) return false;
  const expressions = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    return (value !== undefined && values.includes(value)) === (operator === 'In');
  });
  return expressions && Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
};

export const controllerOf = ({ metadata }: KubeObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid;

export const ownedBy = (
  owner: KubeObject,
  { group, version, kind }: { group: string; version: string; kind: string },
): OwnerReference => ({
  apiVersion: group === '' ? version : `${group}/${version}`,
  kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

export const conditionOf = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

/** `conditions` with one set; its transition time changes only with its status. */
export const withCondition = (
  conditions: readonly Condition[] | undefined,
  { type, status, reason, message }: Condition,
): Condition[] => {
  const known = conditionOf(conditions, type);
  const lastTransitionTime = (known?.status === status ? known.lastTransitionTime : undefined) ?? timestamp();
  const condition: Condition = {
    type,
    status,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    lastTransitionTime,
  };
  if (!known) return [...(conditions ?? []), condition];
  return (conditions ?? []).map((other) => (other.type === type ? condition : other));
};

/** JSON with sorted keys and without nulls and undefined values: equal for what the API holds to be equal. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
};
