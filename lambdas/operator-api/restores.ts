import { Hono } from 'hono';
import { z } from 'zod';
import type { Restore } from '../../adapters/registry/restores.ts';
import type { World } from '../../adapters/world.ts';
import { requests, restoreRequest } from '../../domain/events.ts';
import { restoreStatuses } from '../../domain/restore.ts';
import { tenantId } from '../../domain/tenant.ts';
import { Problem } from './problem.ts';
import { type ApiContext, type ApiEnv, accepted, audited, bodyOf, limit, queryOf } from './request.ts';
import { startWorkflow } from './submit.ts';

const listQuery = z.object({ tenant: z.string().optional(), status: z.enum(restoreStatuses).optional(), limit });

/** Of an operation that ended, and whose restore is in the hands of a later one: a swap of a copy, for example. */
const ofOutcome = async (registry: World['registry'], operation: string): Promise<Restore | undefined> => {
  const named = z.object({ restoreId: z.string() }).safeParse((await registry.operations.get(operation))?.outcome);
  return named.success ? registry.restores.get(named.data.restoreId) : undefined;
};

/** By its own id or by that of the operation that planned it, which is what the 202 answer gave. */
const find = async ({ registry }: World, id: string): Promise<Restore> => {
  const restore =
    (await registry.restores.get(id)) ??
    (await registry.restores.ofOperation(id))[0] ??
    (await ofOutcome(registry, id));
  if (!restore) throw new Problem(404, 'restore-not-found', `restore ${id} is unknown; check the id`);
  return restore;
};

const actions = {
  swap: { from: ['staged', 'compared'], input: { action: 'swap', approval: 'given' } },
  undo: { from: ['swapped'], input: { action: 'undo' } },
  discard: { from: ['planned', 'staged', 'compared', 'failed'], input: { action: 'discard' } },
} as const satisfies Record<string, { from: readonly Restore['status'][]; input: object }>;

const actionBody = z.object({
  reason: z.string().max(1_000).optional(),
  /** For undo: overwrites what was written since. */
  force: z.boolean().optional(),
});

const act = async (context: ApiContext, verb: keyof typeof actions): Promise<Response> => {
  const restore = await find(context.get('world'), context.req.param('id') ?? '');
  const { reason, force } = await bodyOf(context, actionBody);
  const { from, input } = actions[verb];
  const change = {
    action: `restore.${verb}`,
    tenantId: restore.tenantId,
    reason,
    detail: { restoreId: restore.id, ...(force ? { force } : {}) },
  };
  const { operation } = await audited(context, change, (actor) => {
    if (restore.into === 'new-tenant')
      throw new Problem(
        409,
        'restore-refused',
        `restore ${restore.id} made tenant ${restore.tenantId}; ${verb} it with the tenant itself`,
      );
    if (!(from as readonly string[]).includes(restore.status))
      throw new Problem(
        409,
        'restore-refused',
        restore.status === 'awaiting-approval'
          ? `restore ${restore.id} waits for approval; approve or reject operation ${restore.operationId}`
          : `restore ${restore.id} is ${restore.status}; ${verb} needs one that is ${from.join(' or ')}`,
      );
    return startWorkflow(context, {
      workflow: 'restore-tenant',
      verb,
      tenantId: restore.tenantId,
      input: {
        ...input,
        tenantId: restore.tenantId,
        restoreId: restore.id,
        requestedBy: actor,
        ...(reason === undefined ? {} : { reason }),
        ...(verb === 'undo' && force ? { force } : {}),
      },
    });
  });
  return accepted(context, operation, { restoreId: restore.id });
};

/** Restores: what was planned, what the comparison found, what was done, and the next move. */
export const restoreRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { tenant, ...filter } = queryOf(context, listQuery);
    return context.json({ items: await context.get('world').registry.restores.list({ ...filter, tenantId: tenant }) });
  })
  .post('/', async (context) => {
    const body = await bodyOf(context, z.object({ tenantId, ...restoreRequest }));
    const world = context.get('world');
    const { workflow, verb } = requests.TenantRestoreRequested;
    const change = { action: 'restore.create', tenantId: body.tenantId, reason: body.reason, detail: body };
    const { operation } = await audited(context, change, async (actor) => {
      await world.registry.tenants.require(body.tenantId);
      const input = { ...body, requestedBy: actor };
      return startWorkflow(context, {
        workflow,
        verb,
        tenantId: body.tenantId,
        input,
        detailType: 'TenantRestoreRequested',
      });
    });
    return accepted(context, operation);
  })
  .get('/:id', async (context) => context.json(await find(context.get('world'), context.req.param('id'))))
  .post('/:id/swap', (context) => act(context, 'swap'))
  .post('/:id/undo', (context) => act(context, 'undo'))
  .post('/:id/discard', (context) => act(context, 'discard'));
