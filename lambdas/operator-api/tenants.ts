import { Hono } from 'hono';
import * as z from 'zod';
import { offboardRequest, requests } from '../../domain/events.ts';
import { tenantUrl } from '../../domain/names.ts';
import { defaultPlan } from '../../domain/plans.ts';
import { tenantStatuses } from '../../domain/tenant.ts';
import { refuseForbidden } from '../../domain/tier.ts';
import { domainView } from './domains.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, accepted, audited, bodyOf, limit, page, queryOf } from './request.ts';
import { prepareRequest } from './submit.ts';

const listQuery = z.object({ status: z.enum(tenantStatuses).optional(), after: z.string().optional(), limit });

const offboardQuery = z.object({
  graceSeconds: z.coerce.number().pipe(offboardRequest.graceSeconds.unwrap()).optional(),
  reason: offboardRequest.reason,
});

/** Tenants: what they are, and the requests that signup, backup and offboarding are. */
export const tenantRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const filter = queryOf(context, listQuery);
    const items = await context.get('world').registry.tenants.list(filter);
    return context.json(page(items, filter.limit, ({ id }) => id));
  })
  .post('/', async (context) => {
    const detail = await bodyOf(context, requests.TenantSignedUp.detail.omit({ eventId: true, requestedBy: true }));
    const { tenantId } = detail;
    const request = await prepareRequest(context, 'TenantSignedUp', detail);
    if (request.known) return accepted(context, request.operation);
    const { registry, now } = context.get('world');
    const { plan = defaultPlan, tier, isolation, force, reason } = detail;
    const change = { action: 'tenant.create', tenantId, reason, detail: { plan, tier, isolation, force } };
    await audited(context, change, async (actor) => {
      refuseForbidden(plan, detail);
      // Only a courtesy: two calls at once both pass here, and ClaimTenant decides between them.
      const other = await registry.tenants.get(tenantId);
      const reserved = other && (other.status !== 'deprovisioned' || (other.reservedUntil ?? now()) > now());
      if (reserved)
        throw new Problem(409, 'tenant-exists', `tenantId ${tenantId} is taken (${other.status}); choose another one`);
      return request.publish(actor);
    });
    return accepted(context, request.operation);
  })
  .get('/:id', async (context) => {
    const { registry } = context.get('world');
    const id = context.req.param('id');
    const tenant = await registry.tenants.require(id);
    const [placement, routes, domain, lease, backup, pattern] = await Promise.all([
      registry.placements.get(id),
      registry.routes.of(id),
      registry.domains.of(id),
      registry.leases.get(id),
      registry.backups.newestSealed(id),
      registry.routes.pattern(),
    ]);
    return context.json({
      ...tenant,
      url: tenantUrl(pattern, id),
      placement: placement && {
        cell: placement.cell.id,
        region: placement.cell.region,
        server: placement.server?.id ?? null,
        database: placement.database,
        tier: placement.tier,
        cluster: placement.cluster?.id ?? null,
        namespace: placement.namespace ?? null,
        isolation: placement.isolation,
        placedAt: placement.placedAt,
      },
      routes,
      domain: domain ? domainView(domain) : null,
      busyWith: lease?.holder ?? null,
      lastBackup: backup ?? null,
    });
  })
  .delete('/:id', async (context) => {
    const tenantId = context.req.param('id');
    const query = queryOf(context, offboardQuery);
    const body = await bodyOf(context, z.object(offboardRequest));
    const detail = { ...query, ...body };
    const { registry } = context.get('world');
    const request = await prepareRequest(context, 'TenantOffboarded', { tenantId, ...detail });
    if (request.known) return accepted(context, request.operation);
    await audited(context, { action: 'tenant.delete', tenantId, reason: detail.reason, detail }, async (actor) => {
      const { status, changedBy } = await registry.tenants.require(tenantId);
      if (!['active', 'suspended', 'failed'].includes(status))
        throw new Problem(409, 'tenant-not-ready', `tenant ${tenantId} is ${status} since operation ${changedBy}`);
      return request.publish(actor);
    });
    return accepted(context, request.operation);
  })
  .get('/:id/backups', async (context) => {
    const { registry } = context.get('world');
    const id = context.req.param('id');
    await registry.tenants.require(id);
    const query = queryOf(context, z.object({ limit }));
    return context.json({ items: await registry.backups.list(id, query.limit) });
  })
  .post('/:id/backups', async (context) => {
    const tenantId = context.req.param('id');
    const detail = await bodyOf(context, z.object({ reason: z.string().max(1_000).optional() }));
    const { registry } = context.get('world');
    const request = await prepareRequest(context, 'TenantBackupRequested', { tenantId, ...detail });
    if (request.known) return accepted(context, request.operation);
    await audited(context, { action: 'backup.create', tenantId, reason: detail.reason }, async (actor) => {
      await registry.tenants.require(tenantId);
      return request.publish(actor);
    });
    return accepted(context, request.operation);
  })
  .get('/:id/operations', async (context) => {
    const { registry } = context.get('world');
    const tenantId = context.req.param('id');
    await registry.tenants.require(tenantId);
    const query = queryOf(context, z.object({ after: z.coerce.number().int().optional(), limit }));
    const items = await registry.operations.list({ tenantId, before: query.after, limit: query.limit });
    return context.json(page(items, query.limit, ({ sequence }) => sequence));
  });
