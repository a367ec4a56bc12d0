import { StepFailure } from '../../domain/errors.ts';
import { chooseObjects, type ObjectsRequest, withObjects } from '../../domain/restore-objects.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import type { World } from '../world.ts';
import { archivedObjects } from './archived-objects.ts';
import type { Cluster } from './cluster.ts';
import { hasOwnApp, type OwnPlace } from './own-app.ts';
import type { ObjectsRestore } from './restore-objects.ts';
import { todaysObjects } from './todays-objects.ts';

/** Where the tenant's own app is now. Throws RestoreRefused when its app is the shared one. */
export const placeOfObjects = async ({ registry }: Pick<World, 'registry'>, tenantId: string): Promise<OwnPlace> => {
  const placement = await registry.placements.require(tenantId);
  if (hasOwnApp(placement)) return placement;
  throw new StepFailure(
    'RestoreRefused',
    `objects: the app of tenant ${tenantId} is the shared one (tier ${placement.tier}) and has no Kubernetes objects of its own; restore its rows alone`,
  );
};

/**
 * The objects of a backup that are asked for, in the order of a restore. Throws BackupNotFound, RestoreRefused where it has none,
 * InvalidStepInput for a kind or name that it has not, ArchiveDamaged.
 */
export const askedObjects = async (
  world: Pick<World, 'registry' | 'archive'>,
  { tenantId, backupId, objects }: { tenantId: string; backupId: string; objects: ObjectsRequest },
): Promise<KubeObject[]> => {
  const backup = await world.registry.backups.get(backupId);
  if (backup?.tenantId !== tenantId)
    throw new StepFailure('BackupNotFound', `${tenantId} has no backup ${backupId}; list the tenant's backups`);
  withObjects([backup], { tenantId, backupId });
  const archived = await archivedObjects(world, tenantId, backupId, backup.objectsSha256);
  return chooseObjects(archived ?? [], { ...objects, backupId });
};

/** Everything that a restore of these objects needs at the place where the tenant is now. */
export const openObjectsRestore = async (
  world: Pick<World, 'registry' | 'archive' | 'ownApps' | 'secrets' | 'cluster'>,
  asked: { tenantId: string; backupId: string; objects: ObjectsRequest },
): Promise<{ readonly cluster: Cluster; readonly restore: ObjectsRestore }> => {
  const { tenantId } = asked;
  const place = await placeOfObjects(world, tenantId);
  const objects = await askedObjects(world, asked);
  const cluster = await world.cluster(place.cluster.id);
  const today = await todaysObjects(world, cluster, place);
  return { cluster, restore: { objects, tenantId, namespace: place.namespace, today } };
};
