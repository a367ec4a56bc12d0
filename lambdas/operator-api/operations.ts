import { Hono } from 'hono';
import * as z from 'zod';
import { closeOperation } from '../../adapters/registry/closing.ts';
import type { World } from '../../adapters/world.ts';
import type { Operation } from '../../domain/operation.ts';
import { Problem } from './problem.ts';
import { checkRedrive, inputOf } from './redrive.ts';
import { type ApiEnv, accepted, audited, bodyOf, limit, page, queryOf } from './request.ts';
import { startWorkflow } from './submit.ts';

const listQuery = z.object({
  tenant: z.string().optional(),
  status: z.enum(['running', 'awaiting-approval', 'succeeded', 'failed']).optional(),
  kind: z.string().optional(),
  after: z.coerce.number().int().optional(),
  limit,
});

const reasonBody = z.object({ reason: z.string().max(1_000).optional() });

/** An operation, or the request whose workflow has not begun yet, which reads as one that runs. */
const find = async ({ registry }: World, id: string): Promise<Operation> => {
  const operation = await registry.operations.get(id);
  if (operation) return operation;
  const request = await registry.events.requestOf(id);
  if (!request) throw new Problem(404, 'operation-not-found', `operation ${id} is unknown; check the id`);
  return {
    id,
    kind: request.kind,
    tenantId: request.tenantId ?? null,
    executionArn: '',
    status: 'running',
    input: request.detail,
    outcome: null,
    reason: null,
    failedStep: null,
    error: null,
    requestedBy: null,
    parent: null,
    startedAt: request.firstAt,
    endedAt: null,
  };
};

const subject = ({ id, tenantId }: Operation) => ({ operation: id, tenantId: tenantId ?? undefined });

const verbs = {
  'provision-tenant': 'provision',
  'deprovision-tenant': 'deprovision',
  'back-up-tenant': 'back-up',
  'restore-tenant': 'restore',
  'clone-tenant': 'clone',
  'recover-point-in-time': 'recover',
  'migrate-tenant': 'migrate',
  'change-plan': 'change-plan',
  'back-up-fleet': 'back-up-fleet',
  'drill-restores': 'drill',
  'expire-backups': 'expire',
} as const;

/** Answers the waiting machine. A token that could not be delivered goes back, or nobody could answer ever again. */
const decide = async (world: World, id: string, answer: (token: string) => Promise<boolean>): Promise<void> => {
  const { operations } = world.registry;
  const token = await operations.takeApproval(id);
  if (token === undefined)
    throw new Problem(
      409,
      'not-awaiting-approval',
      `operation ${id} does not wait for approval; somebody may have answered`,
    );
  const heard = await answer(token).catch(async (error: unknown) => {
    await operations.awaitApproval(id, token);
    throw error;
  });
  if (!heard) throw new Problem(409, 'operation-over', `operation ${id} waits no longer; its execution has ended`);
};

/** Operations: what runs and ran, and the operator's hand on it. */
export const operationRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { tenant, after, ...filter } = queryOf(context, listQuery);
    const items = await context.get('world').registry.operations.list({ ...filter, tenantId: tenant, before: after });
    return context.json(page(items, filter.limit, ({ sequence }) => sequence));
  })
  .get('/:id', async (context) => {
    const world = context.get('world');
    const operation = await find(world, context.req.param('id'));
    return context.json({ ...operation, steps: await world.registry.journal.list(operation.id) });
  })
  .post('/:id/approve', async (context) => {
    const world = context.get('world');
    const operation = await find(world, context.req.param('id'));
    const { reason } = await bodyOf(context, reasonBody);
    await audited(context, { action: 'operation.approve', ...subject(operation), reason }, async (actor) => {
      await decide(world, operation.id, (token) =>
        world.machines.answer(token, { approvedBy: actor, ...(reason === undefined ? {} : { reason }) }),
      );
      return { operation: operation.id };
    });
    return accepted(context, operation.id);
  })
  .post('/:id/reject', async (context) => {
    const world = context.get('world');
    const operation = await find(world, context.req.param('id'));
    const { reason } = await bodyOf(context, reasonBody);
    await audited(context, { action: 'operation.reject', ...subject(operation), reason }, async (actor) => {
      await decide(world, operation.id, (token) =>
        world.machines.refuse(token, 'RestoreRejected', `${actor} rejected it${reason ? `: ${reason}` : ''}`),
      );
      return { operation: operation.id };
    });
    return accepted(context, operation.id);
  })
  .post('/:id/stop', async (context) => {
    const world = context.get('world');
    const operation = await find(world, context.req.param('id'));
    const { reason } = await bodyOf(context, reasonBody);
    await audited(context, { action: 'operation.stop', ...subject(operation), reason }, async (actor) => {
      if (operation.endedAt)
        throw new Problem(409, 'operation-over', `operation ${operation.id} has already ${operation.status}`);
      const why = `stopped by ${actor}${reason ? `: ${reason}` : ''}`;
      const arn = operation.executionArn || world.machines.executionArn(operation.kind, operation.id);
      await world.machines.stop(arn, why);
      // CloseOperation hears of it too; the operator shall not wait for that to see the end.
      await closeOperation(world.registry, {
        operation: operation.id,
        kind: operation.kind,
        executionArn: arn,
        status: 'ABORTED',
        error: 'Stopped',
        cause: why,
        input: JSON.stringify(operation.input),
      });
      return { operation: operation.id };
    });
    return accepted(context, operation.id);
  })
  .post('/:id/redrive', async (context) => {
    const world = context.get('world');
    const operation = await find(world, context.req.param('id'));
    const { reason } = await bodyOf(context, reasonBody);
    const { operation: next } = await audited(
      context,
      { action: 'operation.redrive', ...subject(operation), reason },
      async () => {
        if (operation.status !== 'failed')
          throw new Problem(
            409,
            'operation-over',
            `operation ${operation.id} is ${operation.status}; only a failed one is tried again`,
          );
        await checkRedrive(world, operation);
        // A failed operation is over for good, so a new one does the same work from its start.
        return startWorkflow(context, {
          workflow: operation.kind,
          verb: verbs[operation.kind as keyof typeof verbs] ?? operation.kind,
          tenantId: operation.tenantId ?? 'fleet',
          input: inputOf(operation),
        });
      },
    );
    return accepted(context, next, { redriveOf: operation.id });
  });
