import { type Deployment, inOrder, pause, planOf, reasonOf, resourceContext } from './handling.ts';
import type { PlannedResource } from './plan.ts';
import { resourceType } from './resource-types.ts';
import type { ResourceRecord, StackRecord } from './store.ts';
import { setResource, setStack } from './transitions.ts';

const remove = async (deployment: Deployment, stack: StackRecord, resource: ResourceRecord): Promise<void> => {
  const { store, life, log } = deployment;
  const { id, type } = resource;
  const context = resourceContext(deployment, stack, id, life, resource.status === 'DELETE_IN_PROGRESS');
  const record = setResource(store, resource, 'DELETE_IN_PROGRESS');
  try {
    await pause(deployment, life);
    await resourceType(type).remove?.(record.properties, record.physicalId!, context);
    setResource(store, record, 'DELETE_COMPLETE');
  } catch (error) {
    if (life.aborted) return;
    setResource(store, record, 'DELETE_FAILED', { reason: reasonOf(error, `${stack.name} ${id}`, log) });
  }
};

/** What a removal has no business with: never made, gone, or left by a policy. */
const isOver = ({ status, physicalId }: ResourceRecord): boolean =>
  physicalId === undefined || ['PENDING', 'DELETE_COMPLETE', 'DELETE_SKIPPED'].includes(status);

/**
 * Removes the resources of a stack in ROLLBACK_IN_PROGRESS or DELETE_IN_PROGRESS, those first that nothing else of the stack
 * needs, independent ones at once. A resource that cannot be removed keeps what it needs; the stack is then ..._FAILED.
 */
export const removeStack = async (deployment: Deployment, stack: StackRecord): Promise<void> => {
  const { store, life } = deployment;
  const plan = planOf(deployment, stack);
  const statusNow = (): string => store.stacks.get(stack.id)!.status;
  const tried = new Set<string>();
  const recordOf = (id: string): ResourceRecord => store.resource(stack.id, id)!;
  const isKept = ({ id, retain }: PlannedResource): boolean =>
    stack.retain.includes(id) || (statusNow() === 'ROLLBACK_IN_PROGRESS' ? retain.rollback : retain.deletion);
  const ready = (): string[] => {
    if (life.aborted) return [];
    const standing = [...plan.resources.values()].filter(({ id }) => !isOver(recordOf(id)));
    const needed = new Set(standing.flatMap(({ after }) => after));
    return standing.map(({ id }) => id).filter((id) => !needed.has(id) && !tried.has(id));
  };
  await inOrder(ready, async (id) => {
    tried.add(id);
    if (isKept(plan.resources.get(id)!)) setResource(store, recordOf(id), 'DELETE_SKIPPED');
    else await remove(deployment, stack, recordOf(id));
  });
  if (life.aborted) return;
  const failed = [...plan.resources.keys()].filter((id) => recordOf(id).status === 'DELETE_FAILED');
  const operation = statusNow() === 'ROLLBACK_IN_PROGRESS' ? 'ROLLBACK' : 'DELETE';
  if (failed.length > 0)
    setStack(store, stack.id, `${operation}_FAILED`, {
      reason: `The following resource(s) failed to delete: [${failed.join(', ')}]. `,
    });
  else setStack(store, stack.id, `${operation}_COMPLETE`, operation === 'DELETE' ? { deletedAt: Date.now() } : {});
};
