import type { ClusterObjects } from '../cluster-objects.ts';
import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';

/** What admission looks at. `object` is a copy that it may change. */
export interface AdmissionRequest {
  readonly objects: ClusterObjects;
  readonly kind: Kind;
  readonly object: KubeObject;
  /** Undefined for a create. */
  readonly before: KubeObject | undefined;
  readonly subresource: string | undefined;
}
