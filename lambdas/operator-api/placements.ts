import { Hono } from 'hono';
import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { explainPlacement, type Loads } from '../../domain/placement-explanation.ts';
import { defaultPlan } from '../../domain/plans.ts';
import { capacityEvidence } from '../../domain/quota.ts';
import { profile } from '../../domain/tenant.ts';
import { type ApiEnv, queryOf } from './request.ts';

/** A query has texts only: lists are separated by commas. */
const explainQuery = z.object({
  /** Whose plan, users, requirements, domain and regions count where the query does not say otherwise. */
  tenant: z.string().optional(),
  plan: profile.plan,
  users: z.coerce.number().pipe(profile.users.unwrap()).optional(),
  compliance: z
    .string()
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .pipe(profile.compliance.unwrap())
    .optional(),
  customDomain: profile.customDomain,
  region: profile.region,
  residency: profile.residency,
  tier: profile.tier,
  isolation: profile.isolation,
  force: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  reason: profile.reason,
});

const loadsOf = async ({ registry }: World): Promise<Loads> => {
  const [cells, servers, clusters] = await Promise.all([
    registry.cells.list(),
    registry.servers.list({ tenantId: null }),
    registry.clusters.list({ tenantId: null }),
  ]);
  return { cells, servers, clusters };
};

/** Placements: where a tenant would go and why, and how much room there is. Nothing is taken. */
export const placementRoutes = new Hono<ApiEnv>()
  .get('/explain', async (context) => {
    const world = context.get('world');
    const { tenant: id, ...asked } = queryOf(context, explainQuery);
    const tenant = id === undefined ? undefined : await world.registry.tenants.require(id);
    const question = {
      ...asked,
      plan: asked.plan ?? tenant?.plan ?? defaultPlan,
      users: asked.users ?? tenant?.users,
      compliance: asked.compliance ?? tenant?.compliance,
      customDomain: asked.customDomain ?? tenant?.customDomain,
      region: asked.region ?? tenant?.region ?? undefined,
      residency: asked.residency ?? tenant?.residency ?? undefined,
    };
    return context.json(explainPlacement(question, await loadsOf(world)));
  })
  .get('/capacity', async (context) => {
    const { cells, servers, clusters } = await loadsOf(context.get('world'));
    return context.json({ items: capacityEvidence(cells, servers, clusters) });
  });
