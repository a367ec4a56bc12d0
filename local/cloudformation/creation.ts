import { type Deployment, inOrder, pause, planOf, reasonOf, resourceContext } from './handling.ts';
import type { MadeResource, Plan, PlannedResource } from './plan.ts';
import { HandlerFailure } from './resource-type.ts';
import { resourceType } from './resource-types.ts';
import type { ResourceRecord, StackRecord } from './store.ts';
import type { Json, JsonObject } from './template.ts';
import { setResource, setStack } from './transitions.ts';

const madeOf =
  ({ store }: Deployment, stack: StackRecord) =>
  (id: string): MadeResource | undefined => {
    const found = store.resource(stack.id, id);
    if (found?.status !== 'CREATE_COMPLETE') return undefined;
    return { ref: found.physicalId!, attributes: found.attributes };
  };

const checkRequired = (type: string, properties: JsonObject): void => {
  const missing = resourceType(type).required.filter((name) => properties[name] === undefined);
  if (missing.length === 0) return;
  const keys = missing.map((name) => `required key [${name}] not found`).join(', ');
  throw new HandlerFailure('InvalidRequest', `Model validation failed (#: ${keys})`);
};

/** What a failed resource has left behind is removed in the rollback; a thing that is somebody else's must not be. */
const leavesBehind = (error: unknown): boolean => !(error instanceof HandlerFailure) || error.code === 'NotStabilized';

const make = async (
  deployment: Deployment,
  stack: StackRecord,
  plan: Plan,
  resource: PlannedResource,
  cancel: AbortSignal,
): Promise<void> => {
  const { store, life, log } = deployment;
  const { id, type } = resource;
  const before = store.resource(stack.id, id)!;
  const resumed = before.status === 'CREATE_IN_PROGRESS';
  const context = resourceContext(deployment, stack, id, AbortSignal.any([cancel, life]), resumed);
  let record: ResourceRecord = resumed ? before : setResource(store, before, 'CREATE_IN_PROGRESS');
  try {
    const properties = plan.resolve(resource.properties, madeOf(deployment, stack)) as JsonObject;
    checkRequired(type, properties);
    const physicalId = resourceType(type).physicalId(properties, context);
    const reason = 'Resource creation Initiated';
    record = setResource(store, record, 'CREATE_IN_PROGRESS', { properties, physicalId, reason });
    await pause(deployment, context.signal);
    const { attributes } = await resourceType(type).create(properties, physicalId, context);
    setResource(store, record, 'CREATE_COMPLETE', { attributes });
  } catch (error) {
    if (life.aborted) return;
    if (cancel.aborted) {
      setResource(store, record, 'CREATE_FAILED', { reason: 'Resource creation cancelled' });
      return;
    }
    const kept = leavesBehind(error) ? record.physicalId : undefined;
    const reason = reasonOf(error, `${stack.name} ${id}`, log);
    setResource(store, record, 'CREATE_FAILED', { reason, physicalId: kept });
  }
};

const outputsOf = (deployment: Deployment, stack: StackRecord, plan: Plan): StackRecord['outputs'] => {
  const made = madeOf(deployment, stack);
  const text = (value: Json): string => {
    const found = plan.resolve(value, made);
    return Array.isArray(found) ? found.join(',') : String(found);
  };
  return Object.entries(plan.outputs).map(([key, { Value, Export }]) => ({
    key,
    value: text(Value),
    export: Export === undefined ? undefined : text(Export.Name),
  }));
};

/** What becomes of a stack whose creation failed, by its OnFailure. */
const failed = ({ store }: Deployment, stack: StackRecord, ids: readonly string[]): void => {
  const why = `The following resource(s) failed to create: [${ids.join(', ')}].`;
  if (stack.onFailure === 'DO_NOTHING') setStack(store, stack.id, 'CREATE_FAILED', { reason: why });
  else if (stack.onFailure === 'DELETE')
    setStack(store, stack.id, 'DELETE_IN_PROGRESS', { reason: `${why} Delete requested by user.` });
  else setStack(store, stack.id, 'ROLLBACK_IN_PROGRESS', { reason: `${why} Rollback requested by user.` });
};

/**
 * Makes the resources of a stack in CREATE_IN_PROGRESS, independent ones at once, and leaves the stack complete, failed or in its
 * rollback. Returns with the stack as it was when the life of the cloud ends, or somebody deletes the stack meanwhile.
 */
export const createStack = async (deployment: Deployment, stack: StackRecord, deleted: AbortSignal): Promise<void> => {
  const { store, life } = deployment;
  const plan = planOf(deployment, stack);
  const failure = new AbortController();
  const cancel = AbortSignal.any([failure.signal, deleted]);
  const statusOf = (id: string): string => store.resource(stack.id, id)!.status;
  const failedIds = (): string[] => [...plan.resources.keys()].filter((id) => statusOf(id) === 'CREATE_FAILED');
  const ready = (): string[] => {
    if (failedIds().length > 0) failure.abort();
    if (life.aborted || cancel.aborted) return [];
    return [...plan.resources.values()]
      .filter(({ id }) => ['PENDING', 'CREATE_IN_PROGRESS'].includes(statusOf(id)))
      .filter(({ after }) => after.every((id) => statusOf(id) === 'CREATE_COMPLETE'))
      .map(({ id }) => id);
  };
  await inOrder(ready, (id) => make(deployment, stack, plan, plan.resources.get(id)!, cancel));
  if (life.aborted || deleted.aborted) return;
  const ids = failedIds();
  if (ids.length > 0) failed(deployment, stack, ids);
  else setStack(store, stack.id, 'CREATE_COMPLETE', { outputs: outputsOf(deployment, stack, plan) });
};
