import { Hono } from 'hono';
import * as z from 'zod';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import type { World } from '../../adapters/world.ts';
import { moveRequest } from '../../domain/events.ts';
import { tenantId } from '../../domain/tenant.ts';
import { act, ask } from './ask.ts';
import { Problem } from './problem.ts';
import { type ApiContext, type ApiEnv, bodyOf, limit, queryOf } from './request.ts';

const listQuery = z.object({
  tenant: z.string().optional(),
  open: z.enum(['true', 'false']).optional(),
  limit,
});

/** Of an operation that took a move back, finished or abandoned it: its outcome names the move. */
const ofOutcome = async (registry: World['registry'], operation: string): Promise<MoveRecord | undefined> => {
  const named = z.object({ moveId: z.string() }).safeParse((await registry.operations.get(operation))?.outcome);
  return named.success ? registry.moves.get(named.data.moveId) : undefined;
};

/** By its own id, by that of an operation on it, or by the tenant: then the open one, or the last one. */
const find = async ({ registry }: World, id: string): Promise<MoveRecord> => {
  const move =
    (await registry.moves.get(id)) ??
    (await registry.moves.ofOperation(id)) ??
    (await ofOutcome(registry, id)) ??
    (await registry.moves.openOf(id)) ??
    (await registry.moves.list({ tenantId: id, limit: 1 }))[0];
  if (!move)
    throw new Problem(
      404,
      'move-not-found',
      `move ${id} is unknown; give the id of a move, of its operation or of a tenant`,
    );
  return move;
};

const phases = {
  back: ['switched', 'returned'],
  finish: ['switched', 'returned'],
  abandon: ['planned', 'copying'],
} as const satisfies Record<string, readonly MoveRecord['phase'][]>;

const refusalOf = (move: MoveRecord, action: keyof typeof phases): Problem | undefined =>
  move.endedAt || !(phases[action] as readonly string[]).includes(move.phase)
    ? new Problem(
        409,
        'move-refused',
        `move ${move.id} of tenant ${move.tenantId} is ${move.phase}; ${action} needs one that is ${phases[action].join(' or ')}`,
      )
    : undefined;

const actOn = async (context: ApiContext, action: keyof typeof phases): Promise<Response> => {
  const move = await find(context.get('world'), context.req.param('id') ?? '');
  const { reason } = await bodyOf(context, z.object({ reason: z.string().max(1_000).optional() }));
  return act(context, {
    action: `move.${action}`,
    workflow: 'migrate-tenant',
    verb: action === 'back' ? 'move-back' : `${action}-move`,
    tenantId: move.tenantId,
    reason,
    about: { moveId: move.id },
    refusal: refusalOf(move, action),
    input: { action },
  });
};

/** Moves: where tenants are going, how far they are, and the way back. */
export const moveRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { tenant, open, ...filter } = queryOf(context, listQuery);
    const items = await context.get('world').registry.moves.list({
      ...filter,
      tenantId: tenant,
      ...(open === undefined ? {} : { open: open === 'true' }),
    });
    return context.json({ items });
  })
  .post('/', async (context) => {
    const body = await bodyOf(context, z.object({ tenantId, ...moveRequest }));
    return ask(context, { type: 'TenantMoveRequested', action: 'move.create', body });
  })
  .get('/:id', async (context) => context.json(await find(context.get('world'), context.req.param('id'))))
  .post('/:id/back', (context) => actOn(context, 'back'))
  .post('/:id/finish', (context) => actOn(context, 'finish'))
  .post('/:id/abandon', (context) => actOn(context, 'abandon'));
