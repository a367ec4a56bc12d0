import { createHash } from 'node:crypto';
import * as z from 'zod';
import { isDue, slicesOf } from '../../domain/backup.ts';
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

/** What the Map reads: where the tenants of each slice are listed. */
const itemsSchema = z.array(z.object({ cell: z.string(), key: z.string(), tenants: z.int(), large: z.boolean() }));
type Items = z.infer<typeof itemsSchema>;

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
  const answer = (items: Items) => ({
    bucket: objects.bucket,
    key,
    slices: items.length,
    tenants: items.reduce((sum, item) => sum + item.tenants, 0),
  });
  const written = await objects.text(key);
  if (written !== undefined) return answer(itemsSchema.parse(JSON.parse(written)));
  const ages = await world.registry.backups.ages({ plan, tenantIds });
  const now = world.now();
  const slices = slicesOf(tenantIds ? ages : ages.filter((age) => isDue(age, now)));
  // Named after their content: of two attempts at once, only the lists of the one whose slices.json counts are read.
  const items = await Promise.all(
    slices.map(async ({ cell, tenantIds: ids, large }): Promise<Items[number]> => {
      const text = JSON.stringify(ids);
      const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
      const own = `fleet/${operation}/${cell}-${hash}.json`;
      await objects.put(own, text, 'application/json');
      return { cell, key: own, tenants: ids.length, large };
    }),
  );
  if (await objects.putNew(key, JSON.stringify(items), 'application/json')) return answer(items);
  return answer(itemsSchema.parse(JSON.parse((await objects.text(key)) ?? '[]')));
});
