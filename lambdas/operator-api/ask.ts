import { type RequestType, requests } from '../../domain/events.ts';
import type { WorkflowName } from '../../domain/workflows.ts';
import type { Problem } from './problem.ts';
import { type ApiContext, accepted, audited } from './request.ts';
import { startWorkflow } from './submit.ts';

interface Asked {
  readonly tenantId: string;
  readonly reason?: string | undefined;
}

/**
 * Takes a request for a tenant: audits it, refuses an unknown tenant, starts its workflow, and answers 202 with the operation.
 * `detail` is what the audit keeps of the body, all of it unless told; `check` throws what else is known to be wrong.
 */
export const ask = async <Body extends Asked>(
  context: ApiContext,
  request: {
    readonly type: RequestType;
    readonly action: string;
    readonly body: Body;
    readonly detail?: object;
    readonly check?: (() => Promise<void>) | undefined;
  },
): Promise<Response> => {
  const { type, action, body, detail = body, check } = request;
  const { tenantId, reason } = body;
  const { operation } = await audited(context, { action, tenantId, reason, detail }, async (actor) => {
    await context.get('world').registry.tenants.require(tenantId);
    await check?.();
    const { workflow, verb } = requests[type];
    return startWorkflow(context, {
      workflow,
      verb,
      tenantId,
      input: { ...body, requestedBy: actor },
      detailType: type,
    });
  });
  return accepted(context, operation);
};

/**
 * Starts the next step of something that a tenant has: a move, a restore. Audits it, refuses what does not fit as it stands, and
 * answers 202 with the operation and what it is about.
 */
export const act = async (
  context: ApiContext,
  request: {
    readonly action: string;
    readonly workflow: WorkflowName;
    readonly verb: string;
    readonly tenantId: string;
    readonly reason: string | undefined;
    /** Names what is acted on, in the audit and in the answer. */
    readonly about: object;
    readonly detail?: object;
    readonly refusal: Problem | undefined;
    readonly input: object;
  },
): Promise<Response> => {
  const { action, workflow, verb, tenantId, reason, about, detail, refusal, input } = request;
  const change = { action, tenantId, reason, detail: { ...about, ...detail } };
  const { operation } = await audited(context, change, async (actor) => {
    if (refusal) throw refusal;
    const told = reason === undefined ? {} : { reason };
    return startWorkflow(context, {
      workflow,
      verb,
      tenantId,
      input: { ...input, tenantId, requestedBy: actor, ...told },
    });
  });
  return accepted(context, operation, about);
};
