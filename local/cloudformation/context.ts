import type { ObjectStore } from '../ports.ts';
import type { Driver } from './driver.ts';
import type { Account } from './refusals.ts';
import { invalid } from './refusals.ts';
import type { StackRecord, StackStore } from './store.ts';

/** What the operations work with. */
export interface CloudFormationContext {
  readonly store: StackStore;
  readonly account: Account;
  readonly driver: Driver;
  readonly objects: ObjectStore;
}

/** A stack by its name, while it is not deleted, or by its id at any time. */
export const findStack = ({ store }: CloudFormationContext, nameOrId = ''): StackRecord | undefined => {
  if (nameOrId.startsWith('arn:')) return store.stacks.get(nameOrId);
  return store.stacks.all().find(({ name, status }) => name === nameOrId && status !== 'DELETE_COMPLETE');
};

export const requireStack = (context: CloudFormationContext, nameOrId: string | undefined): StackRecord => {
  const found = findStack(context, nameOrId);
  if (!found) throw invalid(`Stack with id ${nameOrId ?? ''} does not exist`);
  return found;
};
