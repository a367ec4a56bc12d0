import { Hono } from 'hono';
import * as z from 'zod';
import { planChangeRequest } from '../../domain/events.ts';
import { planProblem } from '../../domain/plan-change.ts';
import { refuseForbidden } from '../../domain/tier.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, accepted, audited, bodyOf, limit, queryOf } from './request.ts';
import { prepareRequest } from './submit.ts';

/** What a tenant has bought, and what it shall have. */
export const planRoutes = new Hono<ApiEnv>()
  .post('/plan', async (context) => {
    const tenantId = context.req.param('id') ?? '';
    const detail = await bodyOf(context, z.object(planChangeRequest));
    const { registry } = context.get('world');
    const request = await prepareRequest(context, 'TenantPlanChanged', { tenantId, ...detail });
    if (request.known) return accepted(context, request.operation);
    const change = { action: 'tenant.change-plan', tenantId, reason: detail.reason, detail };
    await audited(context, change, async (actor) => {
      await registry.tenants.require(tenantId);
      const problem = planProblem(detail.plan);
      if (problem) throw new Problem(400, 'invalid-request', problem);
      refuseForbidden(detail.plan, detail);
      return request.publish(actor);
    });
    return accepted(context, request.operation);
  })
  .get('/plan-changes', async (context) => {
    const { registry } = context.get('world');
    const tenantId = context.req.param('id') ?? '';
    await registry.tenants.require(tenantId);
    const query = queryOf(context, z.object({ limit }));
    return context.json({ items: await registry.planChanges.list({ tenantId, limit: query.limit }) });
  });
