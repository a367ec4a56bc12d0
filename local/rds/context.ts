import { type Operation, ServiceError } from '../gateway/service.ts';
import type { Instance } from './instance.ts';
import type { Jobs } from './jobs.ts';
import { type Account, identifierOf } from './names.ts';
import type { MasterSecrets } from './secrets.ts';
import type { Shipping } from './shipping.ts';
import type { RdsStore, Snapshot } from './store.ts';

/** What the operations work with. */
export interface RdsContext {
  readonly store: RdsStore;
  readonly jobs: Jobs;
  readonly shipping: Shipping;
  readonly account: Account;
  readonly secrets: MasterSecrets | undefined;
  /** Seals a password for the time that a job keeps it on disk. */
  readonly seal: (password: string) => string;
}

export type Operations = Record<string, Operation>;

/** Throws DBInstanceNotFound. */
export const requireInstance = (
  store: RdsStore,
  given: string | undefined,
  member = 'DBInstanceIdentifier',
): Instance => {
  const id = identifierOf(member, given);
  const found = store.instances.get(id);
  if (found) return found;
  throw new ServiceError('DBInstanceNotFoundFault', `DBInstance ${id} not found.`);
};

/** Throws DBSnapshotNotFound. */
export const requireSnapshot = (store: RdsStore, given: string | undefined): Snapshot => {
  const id = (given ?? '').toLowerCase();
  const found = store.snapshots.get(id);
  if (found) return found;
  throw new ServiceError('DBSnapshotNotFoundFault', `DBSnapshot ${given ?? '(none named)'} not found.`);
};

/** Throws InvalidDBInstanceState unless the instance is in one of these states and in the middle of nothing. */
export const requireStatus = (instance: Instance, what: string, ...statuses: readonly string[]): void => {
  if (instance.job === undefined && statuses.includes(instance.status)) return;
  throw new ServiceError(
    'InvalidDBInstanceStateFault',
    `Cannot ${what} DB instance ${instance.id}: it is ${instance.status}, and must be ${statuses.join(' or ')}.`,
  );
};

export const instanceExists = (id: string): ServiceError =>
  new ServiceError('DBInstanceAlreadyExistsFault', `DB instance already exists: ${id}`);
