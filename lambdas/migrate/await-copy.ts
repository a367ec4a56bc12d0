import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { copyProgress } from '../../adapters/replication/copy.ts';
import { StepFailure } from '../../domain/errors.ts';
import { convergence, type LagSample } from '../../domain/move.ts';
import { step } from '../step.ts';
import { moveStep, openEnds } from './move-step.ts';

const contract = {
  input: z.object({ ...moveStep, samples: z.array(z.object({ at: z.number(), lagBytes: z.number() })).default([]) }),
  output: z.object({
    state: z.enum(['copying', 'converged']),
    /** Kept from look to look: a trend needs more than one. */
    samples: z.array(z.object({ at: z.number(), lagBytes: z.number() })),
    ready: z.int(),
    total: z.int(),
    lagBytes: z.number(),
  }),
};

/** One call looks for so long: a small tenant is copied within it, a large one costs two states a look. */
const lookMillis = 15_000;
const pauseMillis = 250;
const keptSamples = 12;

/**
 * Looks at the copy until it has caught up or this look is over. Throws CopyDiverges when the writers are faster than the copy
 * can follow, which no patience mends: move at a quieter hour.
 */
export const handler = step('AwaitCopy', contract, async (input, world, signal) => {
  const { move, source, target } = await openEnds(world, input);
  const end = performance.now() + lookMillis;
  let samples: LagSample[] = [...input.samples];
  for (;;) {
    const progress = await copyProgress({ source, target, move });
    const { ready, total, lagBytes } = progress;
    if (ready === total) samples = [...samples, { at: Date.now(), lagBytes }].slice(-keptSamples);
    await world.registry.moves.note(move.id, { copy: progress });
    const trend = ready === total ? convergence(samples) : 'shrinking';
    if (trend === 'diverging')
      throw new StepFailure(
        'CopyDiverges',
        `tenant ${move.tenantId} is written to faster than its copy can follow: ${lagBytes} bytes behind and not shrinking; move it at a quieter hour`,
      );
    if (trend === 'converged') return { state: 'converged' as const, samples, ready, total, lagBytes };
    if (performance.now() > end) return { state: 'copying' as const, samples, ready, total, lagBytes };
    await delay(pauseMillis, undefined, { signal });
  }
});
