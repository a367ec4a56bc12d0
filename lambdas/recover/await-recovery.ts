import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import { recoveryStep, requireRecovery } from './recovery-step.ts';

const contract = {
  input: z.object(recoveryStep),
  output: z.object({ ready: z.boolean(), status: z.string() }),
};

/** One call looks for so long; the machine waits longer between two: the log is replayed for minutes on AWS, seconds here. */
const lookMillis = 8_000;
const pauseMillis = 500;

const broken = /^(failed|incompatible-.*|inaccessible-.*|storage-full|deleting|restore-error)$/;

/** Looks whether the temporary instance is there, and notes its address. Throws ServerRefused when it never will be. */
export const handler = step('AwaitRecovery', contract, async (input, world, signal) => {
  const { operationId, instance } = await requireRecovery(world, input);
  const end = performance.now() + lookMillis;
  for (;;) {
    const found = await world.servers.describe(instance);
    if (!found || broken.test(found.status))
      throw new StepFailure(
        'ServerRefused',
        `server ${instance} is ${found?.status ?? 'gone'}; look at its events in RDS, then start again`,
      );
    const { status, host, port } = found;
    if (status === 'available' && host !== undefined && port !== undefined) {
      await world.registry.recoveries.noteAddress(operationId, { host, port });
      return { ready: true, status };
    }
    if (performance.now() > end) return { ready: false, status };
    await delay(pauseMillis, undefined, { signal });
  }
});
