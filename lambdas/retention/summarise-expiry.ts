import * as z from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import { step } from '../step.ts';

const contract = {
  input: z.object({ operation: z.string(), tenants: z.int().nonnegative(), busy: z.int().nonnegative() }),
  output: z.object({
    tenants: z.int().nonnegative(),
    expired: z.int().nonnegative(),
    busy: z.int().nonnegative(),
  }),
};

/** Ends the operation of a run. The records count: a call that died had deleted some of them. A repeat answers the same. */
export const handler = step('SummariseExpiry', contract, ({ operation, tenants, busy }, world) =>
  commitOnce(world.registry, operation, async () => {
    const summary = { tenants, expired: await world.registry.retention.deletedBy(operation), busy };
    await world.registry.operations.succeed(operation, summary);
    return summary;
  }),
);
