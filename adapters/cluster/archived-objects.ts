import { archivePrefix } from '../../domain/archive.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import type { Placement } from '../registry/placements.ts';
import type { World } from '../world.ts';
import { exportNamespace, readExported } from './export.ts';
import { hasOwnApp } from './own-app.ts';

/** Under the backup's own prefix, so that retention, legal hold and erasure of a backup reach them too. */
const keysOf = (tenantId: string, backupId: string) => ({
  manifest: `${archivePrefix(tenantId, backupId)}kubernetes/manifest.json`,
  body: `${archivePrefix(tenantId, backupId)}kubernetes/objects.ndjson.gz`,
});

export interface ArchivedObjects {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Puts the Kubernetes objects of a tenant's own app beside its rows in a backup, the manifest last: what has one is whole. A
 * repeat replaces both. Undefined for the shared app, and where cluster or namespace are gone. Throws ClusterUnavailable.
 */
export const archiveObjects = async (
  { archive, findCluster, now }: Pick<World, 'archive' | 'findCluster' | 'now'>,
  placement: Placement,
  backupId: string,
): Promise<ArchivedObjects | undefined> => {
  if (!hasOwnApp(placement)) return undefined;
  const { tenantId, namespace } = placement;
  const cluster = await findCluster(placement.cluster.id);
  const exported = cluster && (await exportNamespace(cluster, { namespace, tenantId, now: now() }));
  if (!exported) return undefined;
  const keys = keysOf(tenantId, backupId);
  await archive.objects.put(keys.body, exported.body, 'application/gzip');
  await archive.objects.put(keys.manifest, JSON.stringify(exported.manifest), 'application/json');
  return { objects: exported.manifest.objects.length, bytes: exported.body.length };
};

/** The objects of a backup in the order of a restore; undefined when it has none. Throws ArchiveDamaged. */
export const archivedObjects = async (
  { archive }: Pick<World, 'archive'>,
  tenantId: string,
  backupId: string,
): Promise<KubeObject[] | undefined> => {
  const keys = keysOf(tenantId, backupId);
  const manifest = await archive.objects.text(keys.manifest);
  if (manifest === undefined) return undefined;
  return readExported(JSON.parse(manifest), (await archive.objects.bytes(keys.body)) ?? Buffer.alloc(0));
};
