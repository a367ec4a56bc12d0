import { Hono } from 'hono';
import * as z from 'zod';
import { drillOutcomes } from '../../domain/backup.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, accepted, audited, bodyOf, limit, queryOf } from './request.ts';
import { startWorkflow } from './submit.ts';

const listQuery = z.object({ tenant: z.string().optional(), outcome: z.enum(drillOutcomes).optional(), limit });

/** A tenant's newest archive, one backup, the newest archive of all tenants, or a sample; a sample of the usual size for `{}`. */
const drillBody = z
  .strictObject({
    tenantId: z.string().optional(),
    backupId: z.string().optional(),
    all: z.literal(true).optional(),
    sample: z.int().min(1).max(100_000).optional(),
  })
  .refine(
    ({ tenantId, backupId, all, sample }) =>
      [tenantId ?? backupId, all, sample].filter((given) => given !== undefined).length <= 1,
    'give one of a tenant or backup, all, sample',
  );

/** Restore drills: what they found, newest first, and one by hand. */
export const drillRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { tenant, ...filter } = queryOf(context, listQuery);
    return context.json({ items: await context.get('world').registry.drills.list({ ...filter, tenantId: tenant }) });
  })
  .post('/', async (context) => {
    const body = await bodyOf(context, drillBody);
    const { registry } = context.get('world');
    const { tenantId, backupId } = body;
    const { operation } = await audited(context, { action: 'drill.create', tenantId, detail: body }, async (actor) => {
      const candidates =
        (tenantId ?? backupId) === undefined
          ? undefined
          : await registry.drills.candidates({
              ...(backupId === undefined ? { tenantIds: [tenantId!] } : { backupIds: [backupId] }),
              pick: 'newest',
            });
      if (candidates?.length === 0)
        throw new Problem(
          404,
          'backup-not-found',
          backupId === undefined
            ? `tenant ${tenantId} has no sealed backup; take one first`
            : `backup ${backupId} is no sealed backup; list the tenant's backups`,
        );
      return startWorkflow(context, {
        workflow: 'drill-restores',
        verb: 'drill',
        tenantId: tenantId ?? 'fleet',
        input: { ...body, requestedBy: actor },
      });
    });
    return accepted(context, operation);
  });
