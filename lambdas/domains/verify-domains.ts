import { Logger } from '@aws-lambda-powertools/logger';
import { switchRoute } from '../../adapters/cluster/route.ts';
import type { Domain } from '../../adapters/registry/domains.ts';
import type { World } from '../../adapters/world.ts';
import { judgeDomain, proofName, proofText } from '../../domain/domain-proof.ts';
import { worldOfProcess } from '../step.ts';

const logger = new Logger({ serviceName: 'tenantry' });

/** Domains of one run and at once: with two tries of two seconds each, even dead name servers leave a run below 100 s. */
const mostDomains = 200;
const atOnce = 10;

export interface Verified {
  readonly looked: number;
  readonly proved: readonly string[];
  readonly refused: readonly string[];
}

/** Leads the domain to the tenant's app, then says so: what is announced works. A run that dies in between is made up for. */
const admit = async (world: World, domain: Domain): Promise<void> => {
  const { registry, bus } = world;
  await registry.domains.prove(domain);
  await switchRoute(world, { to: await registry.placements.get(domain.tenantId) });
  await bus.announce('TenantDomainVerified', { tenantId: domain.tenantId, domain: domain.domain });
  await registry.domains.announced(domain);
};

/** The bus hears the first refusal, which says what record to create, and every one for another reason. */
const turnDown = async (
  { registry, bus }: World,
  domain: Domain,
  why: NonNullable<Domain['refusal']>,
  reason: string,
) => {
  if (domain.refusal !== why)
    await bus.announce('TenantDomainRefused', {
      tenantId: domain.tenantId,
      domain: domain.domain,
      refusal: why,
      reason,
      record: { type: 'TXT', name: proofName(domain.domain), value: proofText(domain.token) },
    });
  await registry.domains.refuse(domain, why, reason);
};

const verify = async (world: World, domain: Domain): Promise<boolean> => {
  // What was proved once is not asked again when only its route or its news was missing.
  const judgement = domain.provedAt
    ? ({ proved: true } as const)
    : judgeDomain(domain.domain, domain.token, await world.domainNames.look(domain.domain));
  if (judgement.proved) await admit(world, domain);
  else await turnDown(world, domain, judgement.why, judgement.reason);
  return judgement.proved;
};

/**
 * Looks at the custom domains that are due. One that is proved is routed to its tenant, at once and for good: it is reached only as long
 * as its own DNS leads here. What fails for one does not keep the others; it makes the run fail at last.
 */
export const verifyDomains = async (world: World): Promise<Verified> => {
  const due = await world.registry.domains.takeDue(mostDomains);
  const [proved, refused, failures]: [string[], string[], unknown[]] = [[], [], []];
  const waiting = [...due];
  const work = async (): Promise<void> => {
    for (let domain = waiting.shift(); domain; domain = waiting.shift())
      try {
        ((await verify(world, domain)) ? proved : refused).push(domain.domain);
      } catch (error) {
        logger.error('domain could not be verified', { domain: domain.domain, error: error as Error });
        failures.push(error);
      }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (proved.length > 0) logger.info('domains proved', { proved });
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} domains could not be verified: ${String(failures[0])}`);
  return { looked: due.length, proved, refused };
};

/** Called by its schedule, every minute. */
export const handler = (): Promise<Verified> => verifyDomains(worldOfProcess());
