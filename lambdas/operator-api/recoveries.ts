import { Hono } from 'hono';
import { z } from 'zod';
import { recoveryRequest, requests } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { type ApiEnv, accepted, audited, bodyOf } from './request.ts';
import { startWorkflow } from './submit.ts';

/** Archives of moments between two archives, for tenants with a server of their own; the outcome of the operation names it. */
export const recoveryRoutes = new Hono<ApiEnv>().post('/', async (context) => {
  const body = await bodyOf(context, z.object({ tenantId, ...recoveryRequest }));
  const { workflow, verb } = requests.TenantRecoveryRequested;
  const change = { action: 'recovery.create', tenantId: body.tenantId, reason: body.reason, detail: body };
  const { operation } = await audited(context, change, async (actor) => {
    await context.get('world').registry.tenants.require(body.tenantId);
    return startWorkflow(context, {
      workflow,
      verb,
      tenantId: body.tenantId,
      input: { ...body, requestedBy: actor },
      detailType: 'TenantRecoveryRequested',
    });
  });
  return accepted(context, operation);
});
