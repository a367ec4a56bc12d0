import { Hono } from 'hono';
import * as z from 'zod';
import { cloneRequest } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { ask } from './ask.ts';
import { requireBackup } from './backups.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, bodyOf } from './request.ts';

/** New tenants made of another one's backup; what became of them is read as a restore of that operation. */
export const cloneRoutes = new Hono<ApiEnv>().post('/', async (context) => {
  const body = await bodyOf(context, z.object({ tenantId, ...cloneRequest }));
  const world = context.get('world');
  const { adminEmail: _, adminName: __, name: ___, ...detail } = body;
  const check = async (): Promise<void> => {
    await requireBackup(world, body);
    // Only a courtesy: two calls at once both pass here, and ClaimTenant decides between them.
    const other = await world.registry.tenants.get(body.newTenantId);
    if (other && (other.status !== 'deprovisioned' || (other.reservedUntil ?? world.now()) > world.now()))
      throw new Problem(
        409,
        'tenant-exists',
        `newTenantId ${body.newTenantId} is taken (${other.status}); choose another one`,
      );
  };
  return ask(context, { type: 'TenantCloneRequested', action: 'clone.create', body, detail, check });
});
