import { Hono } from 'hono';
import { z } from 'zod';
import { cloneRequest, requests } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, accepted, audited, bodyOf } from './request.ts';
import { startWorkflow } from './submit.ts';

/** New tenants made of another one's backup; what became of them is read as a restore of that operation. */
export const cloneRoutes = new Hono<ApiEnv>().post('/', async (context) => {
  const body = await bodyOf(context, z.object({ tenantId, ...cloneRequest }));
  const { registry, now } = context.get('world');
  const { workflow, verb } = requests.TenantCloneRequested;
  const { adminEmail: _, adminName: __, name: ___, ...detail } = body;
  const change = { action: 'clone.create', tenantId: body.tenantId, reason: body.reason, detail };
  const { operation } = await audited(context, change, async (actor) => {
    await registry.tenants.require(body.tenantId);
    // Only a courtesy: two calls at once both pass here, and ClaimTenant decides between them.
    const other = await registry.tenants.get(body.newTenantId);
    if (other && (other.status !== 'deprovisioned' || (other.reservedUntil ?? now()) > now()))
      throw new Problem(
        409,
        'tenant-exists',
        `newTenantId ${body.newTenantId} is taken (${other.status}); choose another one`,
      );
    return startWorkflow(context, {
      workflow,
      verb,
      tenantId: body.tenantId,
      input: { ...body, requestedBy: actor },
      detailType: 'TenantCloneRequested',
    });
  });
  return accepted(context, operation);
});
