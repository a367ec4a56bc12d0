import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { planNamed } from '../../domain/plans.ts';
import { decideRetention } from '../../domain/retention.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    /** Only tenants of this plan; all plans when left out. */
    plan: z.string().optional(),
    /** Only these tenants. */
    tenantIds: z.array(z.string()).optional(),
    /** Last tenant of the call before; the machine calls until there is none. */
    after: z.string().optional(),
    requestedBy: z.string().optional(),
  }),
  output: z.object({
    /** Where the next call goes on; empty when all tenants were looked at. */
    after: z.string(),
    tenants: z.int().nonnegative(),
    expired: z.int().nonnegative(),
    /** Tenants that another operation holds; tomorrow's run looks at them again. */
    busy: z.int().nonnegative(),
  }),
};

const pageSize = 200;

/** A call ends after so long and the machine calls again: a tenant may have hundreds of archives to delete, at 30 ms each. */
const longestMillis = 60_000;

/** Longer than a call with its last tenant. */
const leaseSeconds = 300;

/**
 * Deletes what a tenant's plan does not keep. The lease keeps away a backup that would point to an archive that goes, and a
 * restore that reads one. The record says `deleted` before the first object goes, so that no restore chooses what is half
 * gone; objects of records whose removal is not noted, by a call that died, go here too.
 */
const expireTenant = async (
  world: World,
  operation: string,
  { tenantId, plan }: { tenantId: string; plan: string },
): Promise<number> => {
  const { retention, leases } = world.registry;
  const decide = async (): Promise<readonly string[]> =>
    decideRetention(await retention.sealed(tenantId), planNamed(plan).retention, world.now()).expired;
  if ((await decide()).length === 0 && (await retention.toRemove(tenantId)).length === 0) return 0;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  let expired = 0;
  for (const id of await decide()) if (await retention.delete(id, operation)) expired += 1;
  for (const id of await retention.toRemove(tenantId)) {
    await world.archive.remove(tenantId, id);
    await retention.noteRemoved(id);
  }
  await leases.release({ tenantId, holder: operation });
  return expired;
};

const isBusy = (error: unknown): boolean => error instanceof StepFailure && error.name === 'TenantBusy';

/**
 * One page of tenants, in the order of their ids. Deletes leave delete markers: for the days of the bucket's lifecycle rule
 * an archive can be brought back by hand, and this step cannot destroy one. Safe to repeat and to run late.
 */
export const handler = step('ExpireBackups', contract, async (input, world, signal) => {
  const { operation, execution, plan, tenantIds, after, requestedBy } = input;
  await world.registry.operations.open({
    id: operation,
    kind: 'expire-backups',
    executionArn: execution,
    input: { plan, tenantIds },
    requestedBy,
  });
  const started = performance.now();
  const page = await world.registry.retention.tenants({ plan, tenantIds, after, limit: pageSize });
  const done = { after: '', tenants: 0, expired: 0, busy: 0 };
  for (const tenant of page) {
    signal.throwIfAborted();
    if (performance.now() - started > longestMillis) return done;
    try {
      done.expired += await expireTenant(world, operation, tenant);
    } catch (error) {
      if (!isBusy(error)) throw error;
      done.busy += 1;
    }
    done.after = tenant.tenantId;
    done.tenants += 1;
  }
  return page.length < pageSize ? { ...done, after: '' } : done;
});
