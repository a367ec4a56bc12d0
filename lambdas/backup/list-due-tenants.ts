import { z } from 'zod';
import { type BackupSlice, isDue, slicesOf } from '../../domain/backup.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    /** Only tenants of this plan; all plans when left out. */
    plan: z.string().optional(),
    /** Exactly these tenants, due or not. */
    tenantIds: z.array(z.string()).optional(),
    requestedBy: z.string().optional(),
  }),
  output: z.object({
    bucket: z.string(),
    key: z.string(),
    slices: z.int().nonnegative(),
    tenants: z.int().nonnegative(),
  }),
};

const slicesSchema = z.array(z.object({ cell: z.string(), tenantIds: z.array(z.string()) }));

/**
 * Writes the slices of due tenants to the bucket, where the Map reads them: 50,000 ids are more than a state may hold. A
 * repeat answers the list that was written first, because the Map may be at work on it.
 */
export const handler = step('ListDueTenants', contract, async (input, world) => {
  const { operation, execution, plan, tenantIds, requestedBy } = input;
  await world.registry.operations.open({
    id: operation,
    kind: 'back-up-fleet',
    executionArn: execution,
    input: { plan, tenantIds },
    requestedBy,
  });
  const { objects } = world.archive;
  const key = `fleet/${operation}/slices.json`;
  const answer = (slices: readonly BackupSlice[]) => ({
    bucket: objects.bucket,
    key,
    slices: slices.length,
    tenants: slices.reduce((sum, slice) => sum + slice.tenantIds.length, 0),
  });
  const written = await objects.text(key);
  if (written !== undefined) return answer(slicesSchema.parse(JSON.parse(written)));
  const ages = await world.registry.backups.ages({ plan, tenantIds });
  const now = world.now();
  const slices = slicesOf(tenantIds ? ages : ages.filter((age) => isDue(age, now)));
  if (await objects.putNew(key, JSON.stringify(slices), 'application/json')) return answer(slices);
  return answer(slicesSchema.parse(JSON.parse((await objects.text(key)) ?? '[]')));
});
