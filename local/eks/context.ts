import type { ControlPlane } from './control-plane.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Account } from './refusals.ts';
import type { EksStore } from './store.ts';

/** Milliseconds that a cluster is in the making and on its way out. AWS takes 13 to 16 minutes for the first. */
export interface EksDelays {
  readonly create: number;
  readonly remove: number;
}

/** What the operations work with. */
export interface EksContext {
  readonly store: EksStore;
  readonly account: Account;
  readonly plane: ControlPlane;
  readonly lifecycle: Lifecycle;
  readonly delays: EksDelays;
}
