import { Hono } from 'hono';
import * as z from 'zod';
import { recoveryRequest } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { ask } from './ask.ts';
import { type ApiEnv, bodyOf } from './request.ts';

/** Archives of moments between two archives, for tenants with a server of their own; the outcome of the operation names it. */
export const recoveryRoutes = new Hono<ApiEnv>().post('/', async (context) => {
  const body = await bodyOf(context, z.object({ tenantId, ...recoveryRequest }));
  return ask(context, { type: 'TenantRecoveryRequested', action: 'recovery.create', body });
});
