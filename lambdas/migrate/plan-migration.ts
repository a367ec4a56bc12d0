import * as z from 'zod';
import { endOf, type MoveRecord } from '../../adapters/registry/moves.ts';
import type { Placement } from '../../adapters/registry/placements.ts';
import { preflight } from '../../adapters/replication/preflight.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { moveRequest } from '../../domain/events.ts';
import { estimateMove, type Finding, moveMode } from '../../domain/move.ts';
import { describeMoveEnd, type MoveEnd } from '../../domain/move-end.ts';
import { isolations, tiers } from '../../domain/placement.ts';
import { type StepRoute, stepRoute, stepRoutes } from '../../domain/step-route.ts';
import { tenantId } from '../../domain/tenant.ts';
import { step } from '../step.ts';
import { leaseSeconds, sideOf } from './move-step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    tenantId,
    ...moveRequest,
    /** `migrate` plans a move; the others act on the one that is open. */
    action: z.enum(['migrate', 'back', 'finish', 'abandon']).default('migrate'),
    requestedBy: z.string().optional(),
    /** Where the long steps run, whatever the tenant's size. */
    through: z.enum(stepRoutes).optional(),
  }),
  output: z.object({
    moveId: z.string(),
    dryRun: z.boolean(),
    mode: z.enum(['live', 'freeze', 'switch']),
    tier: z.enum(tiers),
    isolation: z.enum(isolations),
    placementId: z.string().nullable(),
    sourcePlacementId: z.string(),
    windowSeconds: z.int(),
    phase: z.string(),
    /** Its long steps take longer than a Lambda lives: they run as container tasks. */
    large: z.boolean(),
    from: z.string(),
    to: z.string(),
  }),
};

type Input = z.output<typeof contract.input>;
type Output = z.input<typeof contract.output>;

/** A day: a morning's complaints are heard before the way back closes. */
const defaultWindowSeconds = 86_400;

/** A cut-over compares every row, a freeze copies them first; the deletion afterwards is no longer than either. */
const routeOf = ({ estimate, mode }: MoveRecord): StepRoute =>
  stepRoute({ bytes: estimate.bytes, passes: mode === 'freeze' ? 2 : 1 });

const answer = (move: MoveRecord, { through = routeOf(move) }: Input): Output => ({
  moveId: move.id,
  dryRun: move.dryRun,
  mode: move.mode,
  tier: move.target.tier ?? 'shared',
  isolation: move.target.isolation,
  placementId: move.targetPlacement,
  sourcePlacementId: move.sourcePlacement,
  windowSeconds: move.windowSeconds,
  phase: move.phase,
  large: through === 'task',
  from: describeMoveEnd(move.source),
  to: describeMoveEnd(move.target),
});

const explain = (findings: readonly Finding[]): string =>
  findings.map(({ check, detail, fix }) => `${check}: ${detail}${fix ? ` (fix: ${fix})` : ''}`).join('; ');

/** Refuses what cannot be moved as asked, with every finding and its fix. */
export const refuseUnfit = (tenant: string, mode: MoveRecord['mode'], findings: readonly Finding[]): void => {
  const possible = moveMode(findings);
  if (possible === 'live' || possible === mode) return;
  const broken = findings.filter(({ ok, blocks }) => !ok && (mode === 'live' || blocks === 'both'));
  const hint =
    possible === 'freeze' ? '; mode freeze would do it and stop the writes for as long as the copy takes' : '';
  throw new StepFailure('MoveRefused', `tenant ${tenant} cannot be moved ${mode}: ${explain(broken)}${hint}`);
};

/** The open move that `back`, `finish` and `abandon` act on. */
const openMove = async (world: World, { tenantId: id, action }: Input): Promise<MoveRecord> => {
  const move = await world.registry.moves.openOf(id);
  if (!move)
    throw new StepFailure('MoveNotFound', `tenant ${id} has no open move to ${action}; see tenantry migrate list`);
  const fits = {
    migrate: [],
    back: ['switched', 'returned'],
    finish: ['switched', 'returned'],
    abandon: ['planned', 'copying'],
  };
  if (!(fits[action] as string[]).includes(move.phase))
    throw new StepFailure(
      'MoveRefused',
      `move ${move.id} is ${move.phase}; ${action} needs one that is ${fits[action].join(' or ')}`,
    );
  return move;
};

const requestOf = (input: Input, plan: string, region: string | null, source: Placement) => ({
  tenantId: input.tenantId,
  operation: input.operation,
  plan,
  region: region ?? source.cell.region,
  tier: input.tier ?? source.tier,
  isolation: input.isolation ?? source.isolation,
  cell: input.cell,
  server: input.server,
  from: {
    cell: source.cell.id,
    tier: source.tier,
    isolation: source.isolation,
    server: source.server?.id,
    cluster: source.cluster?.id,
  },
});

const plan = async (world: World, input: Input): Promise<MoveRecord> => {
  const { registry } = world;
  const { tenantId: id, operation, dryRun = false, mode = 'live', windowSeconds = defaultWindowSeconds } = input;
  const { tier, isolation, cell, server } = input;
  if (!tier && !isolation && !cell && !server)
    throw new StepFailure(
      'InvalidStepInput',
      'tier, isolation, cell and server are all missing; say where to by one of them',
    );
  const tenant = await registry.tenants.require(id);
  if (tenant.status !== 'active' && tenant.status !== 'suspended')
    throw new StepFailure(
      'TenantNotReady',
      `tenant ${id} is ${tenant.status}; only an active or suspended one is moved`,
    );
  const source = await registry.placements.require(id);
  if (tier === source.tier && !isolation && !cell && !server)
    throw new StepFailure(
      'MoveRefused',
      `tenant ${id} is in tier ${tier} already; name another tier, or an isolation, cell or server`,
    );
  const request = requestOf(input, tenant.plan, tenant.region, source);
  const choice = await registry.placements.choose(request);
  // Rows that stay need nothing looked at.
  const { findings, estimate } = choice.rowsStay
    ? { findings: [], estimate: estimateMove([]) }
    : await preflight({ source: await sideOf(world, source), tenantId: id });
  if (!dryRun) refuseUnfit(id, mode, findings);
  const open = await registry.moves.openOf(id);
  if (open && open.operationId !== operation)
    throw new StepFailure(
      'MoveRefused',
      `tenant ${id} has an open move ${open.id} (${open.phase}); finish it or move back first`,
    );
  const target: MoveEnd = {
    tier: choice.tier,
    cluster: choice.cluster ?? null,
    isolation: choice.isolation,
    cell: choice.cell,
    server: choice.server ?? null,
    database: null,
  };
  return registry.transaction(async ({ leases, placements, moves }) => {
    await leases.hold({ tenantId: id, holder: operation, seconds: leaseSeconds });
    const reserved = dryRun ? undefined : await placements.reserve(request);
    return moves.plan({
      tenantId: id,
      operationId: operation,
      sourcePlacement: source.id,
      targetPlacement: reserved?.id ?? null,
      source: endOf(source),
      target: reserved ? endOf(reserved) : target,
      mode: choice.rowsStay ? 'switch' : mode,
      preflight: findings,
      estimate,
      windowSeconds,
      dryRun,
      reason: input.reason,
      requestedBy: input.requestedBy,
    });
  });
};

/**
 * Decides where the tenant goes and whether it can: the place by capacity, the preflight of its database, an estimate. Takes
 * the place, changes nothing of the tenant. A repeat answers the same.
 */
export const handler = step('PlanMigration', contract, async (input, world) => {
  const { operation, execution, tenantId: id, requestedBy, ...asked } = input;
  const { operations, leases, moves } = world.registry;
  await operations.open({
    id: operation,
    kind: 'migrate-tenant',
    tenantId: id,
    executionArn: execution,
    input: { tenantId: id, ...asked },
    requestedBy,
  });
  await leases.hold({ tenantId: id, holder: operation, seconds: leaseSeconds });
  const known = await moves.ofOperation(operation);
  if (known) return answer(known, input);
  return answer(input.action === 'migrate' ? await plan(world, input) : await openMove(world, input), input);
});
