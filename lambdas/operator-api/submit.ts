import { randomUUID } from 'node:crypto';
import { type RequestType, readRequest } from '../../domain/events.ts';
import { operationName } from '../../domain/operation.ts';
import type { WorkflowName } from '../../domain/workflows.ts';
import { Problem } from './problem.ts';
import type { ApiContext } from './request.ts';

/** `Idempotency-Key` names the request: a repeat with the same key answers the same operation. Without one each is new. */
const eventIdOf = (context: ApiContext): string => context.req.header('idempotency-key')?.slice(0, 200) || randomUUID();

export interface Prepared {
  readonly operation: string;
  /** True when a request of that key was taken before. */
  readonly known: boolean;
  publish(actor: string): Promise<{ operation: string }>;
}

/**
 * Judges a request as the intake will, and answers the operation it becomes. `publish` notes it in the registry, so that the
 * operation can be asked for at once, and puts it on the bus, where every other request comes from too.
 */
export const prepareRequest = async (
  context: ApiContext,
  detailType: RequestType,
  detail: object,
): Promise<Prepared> => {
  const { registry, bus } = context.get('world');
  const eventId = eventIdOf(context);
  const read = readRequest({ id: eventId, 'detail-type': detailType, detail: { ...detail, eventId } });
  if ('refused' in read) throw new Problem(400, 'invalid-request', read.refused);
  const { verb, tenantId, workflow } = read.accepted;
  const operation = await operationName(verb, tenantId, eventId);
  const known = (await registry.events.requestOf(operation)) !== undefined;
  return {
    operation,
    known,
    publish: async (actor) => {
      const input = { ...read.accepted.input, requestedBy: actor };
      await registry.events.announce({ eventId, detailType, tenantId, kind: workflow, operation, detail: input });
      await bus.publish(detailType, { ...input, eventId });
      return { operation };
    },
  };
};

/** Starts a workflow as operators do by hand; its name makes a repeat with the same Idempotency-Key the same execution. */
export const startWorkflow = async (
  context: ApiContext,
  request: { workflow: WorkflowName; verb: string; tenantId: string; input: object; detailType?: string },
): Promise<{ operation: string }> => {
  const { registry, machines } = context.get('world');
  const { workflow, verb, tenantId, input } = request;
  const eventId = eventIdOf(context);
  const operation = await operationName(verb, tenantId, eventId);
  const detailType = request.detailType ?? `operator:${verb}`;
  await registry.events.announce({ eventId, detailType, tenantId, kind: workflow, operation, detail: input });
  await machines.start(workflow, operation, input);
  await registry.events.started(eventId);
  return { operation };
};
