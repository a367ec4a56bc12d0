import { createHash } from 'node:crypto';
import { archivePrefix } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import type { Placement } from '../registry/placements.ts';
import type { World } from '../world.ts';
import { describeBody, exportNamespace, type ObjectsManifest, readExported } from './export.ts';
import { hasOwnApp } from './own-app.ts';

/** Under the backup's own prefix, so that retention, legal hold and erasure of a backup reach them too. */
const prefixOf = (tenantId: string, backupId: string): string => `${archivePrefix(tenantId, backupId)}kubernetes/`;

const keysOf = (tenantId: string, backupId: string) => ({
  manifest: `${prefixOf(tenantId, backupId)}manifest.json`,
  body: `${prefixOf(tenantId, backupId)}objects.ndjson.gz`,
});

export interface ArchivedObjects {
  readonly objects: number;
  readonly bytes: number;
  /** Hex SHA-256 of manifest.json: what the backup's record is bound to. */
  readonly sha256: string;
}

const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex');

/**
 * Puts the Kubernetes objects of a tenant's own app beside its rows in a backup, the manifest last: what has one is whole. Both
 * are written once: a repeat, and an attempt that comes too late, completes or answers what the first one wrote. Undefined for
 * the shared app, and where cluster or namespace are gone. Throws ClusterUnavailable.
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
  const { objects } = archive;
  const keys = keysOf(tenantId, backupId);
  const first = await objects.putNew(keys.body, exported.body, 'application/gzip');
  const body = first ? exported.body : ((await objects.bytes(keys.body)) ?? exported.body);
  const manifest: ObjectsManifest = first ? exported.manifest : { ...exported.manifest, ...(await describeBody(body)) };
  const text = JSON.stringify(manifest);
  const written = (await objects.putNew(keys.manifest, text, 'application/json'))
    ? text
    : ((await objects.text(keys.manifest)) ?? text);
  return {
    objects: (JSON.parse(written) as ObjectsManifest).objects.length,
    bytes: body.length,
    sha256: sha256(written),
  };
};

/** Takes the objects out of a backup, and nothing of its rows. */
export const removeObjects = (
  { archive }: Pick<World, 'archive'>,
  tenantId: string,
  backupId: string,
): Promise<number> => archive.objects.remove(prefixOf(tenantId, backupId));

/**
 * The objects of a backup in the order of a restore; undefined when it has none. With the SHA-256 that its record is bound to
 * also ArchiveDamaged where a byte of the manifest differs, or of what it describes.
 */
export const archivedObjects = async (
  { archive }: Pick<World, 'archive'>,
  tenantId: string,
  backupId: string,
  bound?: string | null,
): Promise<KubeObject[] | undefined> => {
  const keys = keysOf(tenantId, backupId);
  const manifest = await archive.objects.text(keys.manifest);
  if (bound && (manifest === undefined || sha256(manifest) !== bound))
    throw new StepFailure(
      'ArchiveDamaged',
      `${keys.manifest} is ${manifest === undefined ? 'gone' : 'another one'} than backup ${backupId} was sealed with; restore the objects of another backup`,
    );
  if (manifest === undefined) return undefined;
  return readExported(JSON.parse(manifest), (await archive.objects.bytes(keys.body)) ?? Buffer.alloc(0));
};
