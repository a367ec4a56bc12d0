import * as z from 'zod';
import { removeInstance } from '../../adapters/restore/leftovers.ts';
import { step } from '../step.ts';
import { recoveryStep } from './recovery-step.ts';

const contract = {
  input: z.object(recoveryStep),
  output: z.object({ instance: z.string().nullable() }),
};

/** Asks for the deletion of the temporary instance, whatever became of the recovery. Safe to repeat. */
export const handler = step('RemoveRecovery', contract, async ({ operation }, world) => {
  const recovery = await world.registry.recoveries.get(operation);
  if (!recovery) return { instance: null };
  await removeInstance(world, recovery);
  return { instance: recovery.instance };
});
