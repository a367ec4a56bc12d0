import * as z from 'zod';
import { commitOnce } from '../../adapters/registry/endings.ts';
import type { World } from '../../adapters/world.ts';
import { countDrills, runFailure } from '../../domain/drill.ts';
import { step } from '../step.ts';
import { drillListKey, drillSlicesSchema } from './drill-list.ts';
import { sweepCell } from './scratch-server.ts';

const contract = {
  input: z.object({ operation: z.string() }),
  output: z.object({
    drilled: z.int().nonnegative(),
    passed: z.int().nonnegative(),
    failed: z.int().nonnegative(),
    refused: z.int().nonnegative(),
    missed: z.int().nonnegative(),
    /** Why the run has failed; empty when it has not. */
    failure: z.string(),
    failures: z.array(
      z.object({ tenantId: z.string(), backupId: z.string(), takenAt: z.string(), reason: z.string() }),
    ),
  }),
};

/** With 300 characters of reason each, 100 are 50 KiB, a fifth of what a state may hold. */
const listed = 100;

const summarise = async (world: World, operation: string): Promise<z.input<typeof contract.output>> => {
  const text = await world.archive.objects.text(drillListKey(operation));
  const slices = drillSlicesSchema.parse(JSON.parse(text ?? '[]'));
  for (const cell of new Set(slices.map((slice) => slice.cell))) await sweepCell(world, cell);
  const chosen = new Set(slices.flatMap(({ backups }) => backups.map(({ backupId }) => backupId)));
  const results = (await world.registry.drills.ofOperation(operation)).filter(({ backupId }) => chosen.has(backupId));
  const counts = countDrills(chosen.size, results);
  const failure = runFailure(counts);
  const summary = {
    ...counts,
    failure: failure ?? '',
    failures: results
      .filter(({ outcome }) => outcome === 'failed')
      .slice(0, listed)
      .map(({ tenantId, backupId, takenAt, reason }) => ({
        tenantId,
        backupId,
        takenAt: takenAt.toISOString(),
        reason: (reason ?? '').slice(0, 300),
      })),
  };
  if (failure === undefined) await world.registry.operations.succeed(operation, summary);
  else
    await world.registry.operations.fail(operation, {
      kind: 'drill-restores',
      failedStep: 'SummariseDrills',
      error: 'RestoreDrillsFailed',
      reason: failure,
    });
  return summary;
};

/**
 * Ends the operation of a run. The records count, not the answers of slices: one whose execution died has said nothing, and
 * its archives are not proven all the same. A repeat answers the same.
 */
export const handler = step('SummariseDrills', contract, ({ operation }, world) =>
  commitOnce(world.registry, operation, () => summarise(world, operation)),
);
