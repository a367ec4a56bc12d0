/** An object as the Kubernetes API takes and gives it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Who owns an object of Tenantry, and the set of objects that it was applied with. */
export const labelNames = {
  name: 'app.kubernetes.io/name',
  managedBy: 'app.kubernetes.io/managed-by',
  partOf: 'app.kubernetes.io/part-of',
  tenant: 'tenantry.dev/tenant',
  tier: 'tenantry.dev/tier',
  region: 'tenantry.dev/region',
  plan: 'tenantry.dev/plan',
  applySet: 'tenantry.dev/apply-set',
} as const;

/** Value of `app.kubernetes.io/managed-by` on everything that Tenantry applies. */
export const manager = 'tenantry';

/** `v1 Secret t-acme/db`: how messages name an object. */
export const objectName = ({ apiVersion, kind, metadata }: KubeObject): string =>
  `${apiVersion} ${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
