import { Hono } from 'hono';
import * as z from 'zod';
import type { Domain } from '../../adapters/registry/domains.ts';
import { proofName, proofText } from '../../domain/domain-proof.ts';
import { Problem } from './problem.ts';
import { type ApiContext, type ApiEnv, audited, bodyOf } from './request.ts';

/** A custom domain as clients see it, with the record that its owner has to create. */
export const domainView = ({ domain, token, broughtAt, checkedAt, refusal, reason, provedAt }: Domain) => ({
  domain,
  state: provedAt ? 'verified' : 'waiting',
  record: { type: 'TXT', name: proofName(domain), value: proofText(token) },
  refusal,
  reason,
  broughtAt,
  checkedAt,
  provedAt,
});

const domainOf = async (context: ApiContext): Promise<Domain> => {
  const { registry } = context.get('world');
  const tenantId = context.req.param('id') ?? '';
  await registry.tenants.require(tenantId);
  const domain = await registry.domains.of(tenantId);
  if (domain) return domain;
  throw new Problem(404, 'domain-not-found', `tenant ${tenantId} has no custom domain; give it one with its plan`);
};

/** The custom domain of a tenant and its proof. */
export const domainRoutes = new Hono<ApiEnv>()
  .get('/domain', async (context) => context.json(domainView(await domainOf(context))))
  .post('/domain/check', async (context) => {
    const { reason } = await bodyOf(context, z.object({ reason: z.string().max(1_000).optional() }));
    const domain = await domainOf(context);
    const { tenantId } = domain;
    await audited(context, { action: 'domain.check', tenantId, reason }, async () => {
      await context.get('world').registry.domains.hasten(tenantId);
      return {};
    });
    return context.json(domainView(domain), 202);
  });
