import * as z from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { RegistryParts } from '../../adapters/registry/registry.ts';
import { results } from '../../domain/results.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), ending: z.enum(['completed', 'superseded']) }),
  output: results.TenantPlanChangeCompleted.omit({ operation: true }),
};

type Input = z.output<typeof contract.input>;
type Output = z.output<typeof contract.output>;

const settle = async (parts: RegistryParts, { operation, tenantId, ending }: Input): Promise<Output> => {
  const { planChanges, tenants, operations, leases } = parts;
  if (ending === 'completed') {
    await leases.hold({ tenantId, holder: operation, seconds: 60 });
    await planChanges.end(operation, 'completed');
  }
  const { decision, supersededBy } = await planChanges.require(operation);
  const { plan, tier, isolation } = await tenants.require(tenantId);
  const outcome: Output = {
    tenantId,
    outcome: ending === 'completed' ? 'succeeded' : 'superseded',
    plan,
    tier,
    isolation,
    moved: ending === 'completed' && decision?.moves === true,
    ...(supersededBy === null ? {} : { supersededBy }),
  };
  await operations.succeed(operation, outcome);
  await leases.release({ tenantId, holder: operation });
  return outcome;
};

/** Commit point of the operation: record, operation and lease change in one transaction. A repeat answers the same. */
export const handler = step('EndPlanChange', contract, (input, world) =>
  commitOnce(world.registry, input.operation, () => world.registry.transaction((parts) => settle(parts, input))),
);
