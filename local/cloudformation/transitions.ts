import { randomUUID } from 'node:crypto';
import type { ResourceRecord, StackRecord, StackStore } from './store.ts';

/** Writes what a stack has become, with its event. Answers the stack as it is then. */
export const setStack = (
  store: StackStore,
  id: string,
  status: string,
  change: Partial<StackRecord> = {},
): StackRecord => {
  const at = Date.now();
  return store.transaction(() => {
    const stack = store.stacks.update(id, { reason: undefined, ...change, status })!;
    store.addEvent({
      id: randomUUID(),
      stackId: id,
      resource: stack.name,
      type: 'AWS::CloudFormation::Stack',
      physicalId: id,
      status,
      reason: stack.reason,
      token: stack.token,
      at,
    });
    return stack;
  });
};

/** Writes what a resource has become, with its event. */
export const setResource = (
  store: StackStore,
  resource: ResourceRecord,
  status: string,
  change: Partial<ResourceRecord> = {},
): ResourceRecord => {
  const at = Date.now();
  const changed: ResourceRecord = { ...resource, reason: undefined, ...change, status, changedAt: at };
  store.transaction(() => {
    store.putResource(changed);
    store.addEvent({
      id: `${changed.id}-${status}-${randomUUID()}`,
      stackId: changed.stackId,
      resource: changed.id,
      type: changed.type,
      physicalId: changed.physicalId,
      status,
      reason: changed.reason,
      token: store.stacks.get(changed.stackId)?.token,
      properties: changed.properties,
      at,
    });
  });
  return changed;
};
