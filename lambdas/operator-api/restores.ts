import { Hono } from 'hono';
import * as z from 'zod';
import type { Restore } from '../../adapters/registry/restores.ts';
import type { World } from '../../adapters/world.ts';
import { restoreRequest } from '../../domain/events.ts';
import { restoreStatuses } from '../../domain/restore.ts';
import { wayBack } from '../../domain/restore-objects.ts';
import { tenantId } from '../../domain/tenant.ts';
import { act, ask } from './ask.ts';
import { requireBackup } from './backups.ts';
import { Problem } from './problem.ts';
import { type ApiContext, type ApiEnv, bodyOf, limit, queryOf } from './request.ts';

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

const refusalOf = (restore: Restore, verb: keyof typeof actions): Problem | undefined => {
  const { id, tenantId: tenant, status, operationId } = restore;
  const refuse = (why: string): Problem => new Problem(409, 'restore-refused', `restore ${id} ${why}`);
  if (restore.into === 'new-tenant') return refuse(`made tenant ${tenant}; ${verb} it with the tenant itself`);
  const { from }: { from: readonly Restore['status'][] } = actions[verb];
  if (from.includes(status)) return undefined;
  if (status === 'restored' && restore.safetyBackupId)
    return refuse(`is of Kubernetes objects alone; take it back with: ${wayBack(tenant, restore.safetyBackupId)}`);
  return status === 'awaiting-approval'
    ? refuse(`waits for approval; approve or reject operation ${operationId}`)
    : refuse(`is ${status}; ${verb} needs one that is ${from.join(' or ')}`);
};

const actOn = async (context: ApiContext, verb: keyof typeof actions): Promise<Response> => {
  const restore = await find(context.get('world'), context.req.param('id') ?? '');
  const { reason, force } = await bodyOf(context, actionBody);
  return act(context, {
    action: `restore.${verb}`,
    workflow: 'restore-tenant',
    verb,
    tenantId: restore.tenantId,
    reason,
    about: { restoreId: restore.id },
    detail: force ? { force } : {},
    refusal: refusalOf(restore, verb),
    input: { ...actions[verb].input, restoreId: restore.id, ...(verb === 'undo' && force ? { force } : {}) },
  });
};

/** Restores: what was planned, what the comparison found, what was done, and the next move. */
export const restoreRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { tenant, ...filter } = queryOf(context, listQuery);
    return context.json({ items: await context.get('world').registry.restores.list({ ...filter, tenantId: tenant }) });
  })
  .post('/', async (context) => {
    const body = await bodyOf(context, z.object({ tenantId, ...restoreRequest }));
    const check = () => requireBackup(context.get('world'), body);
    return ask(context, { type: 'TenantRestoreRequested', action: 'restore.create', body, check });
  })
  .get('/:id', async (context) => context.json(await find(context.get('world'), context.req.param('id'))))
  .post('/:id/swap', (context) => actOn(context, 'swap'))
  .post('/:id/undo', (context) => actOn(context, 'undo'))
  .post('/:id/discard', (context) => actOn(context, 'discard'));
