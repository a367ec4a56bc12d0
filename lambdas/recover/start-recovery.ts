import * as z from 'zod';
import { step } from '../step.ts';
import { recoveryStep, requireRecovery } from './recovery-step.ts';

const contract = {
  input: z.object(recoveryStep),
  output: z.object({ instance: z.string() }),
};

/** Asks RDS for the temporary instance, under a name that a repeat finds again. Answers at once: it takes minutes. */
export const handler = step('StartRecovery', contract, async (input, world) => {
  const { operation, tenantId } = input;
  const { sourceInstance, instance, asOf } = await requireRecovery(world, input);
  await world.servers.restoreTo({
    source: sourceInstance,
    target: instance,
    at: asOf,
    tags: { tenant: tenantId, operation, step: 'StartRecovery' },
  });
  return { instance };
});
