import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { chooseDrills, type DrillCandidate, type DrillSlice, defaultSample, drillSlices } from '../../domain/drill.ts';
import { StepFailure } from '../../domain/errors.ts';
import { stepRoutes } from '../../domain/step-route.ts';
import { step } from '../step.ts';
import { drillListKey, drillSlicesSchema } from './drill-list.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    execution: z.string(),
    /** How many archives, the longest undrilled ones. */
    sample: z.int().min(1).max(100_000).optional(),
    /** The newest archive of every tenant. */
    all: z.boolean().optional(),
    /** The newest archive of these tenants. */
    tenantId: z.string().optional(),
    tenantIds: z.array(z.string()).optional(),
    /** Exactly the archives of these backups. */
    backupId: z.string().optional(),
    backupIds: z.array(z.string()).optional(),
    requestedBy: z.string().optional(),
    /** Where the archives are tried, whatever their size. */
    through: z.enum(stepRoutes).optional(),
  }),
  output: z.object({
    bucket: z.string(),
    key: z.string(),
    slices: z.int().nonnegative(),
    backups: z.int().nonnegative(),
  }),
};

type Input = z.output<typeof contract.input>;

const listed = (one: string | undefined, more: readonly string[] | undefined): readonly string[] | undefined =>
  one === undefined ? more : [one, ...(more ?? [])];

/** Who asks for a tenant or a backup by name hears when there is nothing to try. */
const named = async (world: World, input: Input): Promise<DrillCandidate[] | undefined> => {
  const tenantIds = listed(input.tenantId, input.tenantIds);
  const backupIds = listed(input.backupId, input.backupIds);
  if (tenantIds === undefined && backupIds === undefined) return undefined;
  if (tenantIds && backupIds && backupIds.length > 0 && tenantIds.length > 0) {
    const strange = (await world.registry.drills.candidates({ backupIds, pick: 'newest' })).find(
      ({ tenantId }) => !tenantIds.includes(tenantId),
    );
    if (strange)
      throw new StepFailure(
        'InvalidStepInput',
        `backup ${strange.backupId} is of tenant ${strange.tenantId}, not of ${tenantIds.join(', ')}; give one of them`,
      );
  }
  const found = await world.registry.drills.candidates({ tenantIds, backupIds, pick: 'newest' });
  if (found.length > 0) return found;
  throw new StepFailure(
    'BackupNotFound',
    `${backupIds ? `no sealed backup is called ${backupIds.join(', ')}` : `no sealed backup of ${tenantIds?.join(', ')}`}; take one first`,
  );
};

const choose = async (world: World, input: Input): Promise<readonly DrillCandidate[]> => {
  const asked = await named(world, input);
  if (asked) return asked;
  const { drills } = world.registry;
  if (input.all) return drills.candidates({ pick: 'newest' });
  const [candidates, lastRun] = await Promise.all([
    drills.candidates({ pick: 'longest-undrilled' }),
    drills.lastRun(input.operation),
  ]);
  return chooseDrills(candidates, { sample: input.sample ?? defaultSample, lastRun });
};

/**
 * Writes the slices of chosen archives to the bucket, where the Map reads them. A repeat answers the list that was written
 * first, because the Map may be at work on it. BackupNotFound when a named tenant or backup has no sealed archive.
 */
export const handler = step('ChooseDrills', contract, async (input, world) => {
  const { operation, execution, requestedBy, ...asked } = input;
  await world.registry.operations.open({
    id: operation,
    kind: 'drill-restores',
    tenantId: asked.tenantId,
    executionArn: execution,
    input: asked,
    requestedBy,
  });
  const { objects } = world.archive;
  const key = drillListKey(operation);
  const answer = (slices: readonly DrillSlice[]) => ({
    bucket: objects.bucket,
    key,
    slices: slices.length,
    backups: slices.reduce((sum, { backups }) => sum + backups.length, 0),
  });
  const read = async () => {
    const text = await objects.text(key);
    return text === undefined ? undefined : answer(drillSlicesSchema.parse(JSON.parse(text)));
  };
  const written = await read();
  if (written) return written;
  const slices = drillSlices(await choose(world, input), { through: input.through });
  if (await objects.putNew(key, JSON.stringify(slices), 'application/json')) return answer(slices);
  return (await read()) ?? answer([]);
});
