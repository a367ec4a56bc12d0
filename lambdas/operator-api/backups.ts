import { Hono } from 'hono';
import * as z from 'zod';
import { archivedObjects } from '../../adapters/cluster/archived-objects.ts';
import type { World } from '../../adapters/world.ts';
import type { Backup } from '../../domain/backup.ts';
import { Problem } from './problem.ts';
import { type ApiContext, type ApiEnv, audited, bodyOf } from './request.ts';

const find = async ({ registry }: World, id: string): Promise<Backup> => {
  const backup = await registry.backups.get(id);
  if (!backup) throw new Problem(404, 'backup-not-found', `backup ${id} is unknown; list the tenant's backups`);
  return backup;
};

/** Refuses a request that names a backup which the tenant does not have; whether it can be read is for the workflow to say. */
export const requireBackup = async (
  { registry }: World,
  { tenantId, backupId }: { readonly tenantId: string; readonly backupId?: string | undefined },
): Promise<void> => {
  if (backupId === undefined) return;
  const backup = await registry.backups.get(backupId);
  if (backup?.tenantId === tenantId) return;
  throw new Problem(
    404,
    'backup-not-found',
    `backup ${backupId} of tenant ${tenantId} is unknown; npx tenantry backup list ${tenantId} names those that it has`,
  );
};

const notSealed = ({ id, status }: Backup): Problem =>
  new Problem(409, 'backup-not-sealed', `backup ${id} is ${status}; only a sealed one has a legal hold`);

/** Kind and name of the Kubernetes objects in a backup, in the order of a restore. */
const objectsOf = async (world: World, { id, tenantId, objectsState, objectsReason, objectsSha256 }: Backup) => {
  if (objectsState !== 'archived')
    throw new Problem(
      404,
      'backup-without-objects',
      `backup ${id} has no Kubernetes objects: ${objectsReason ?? 'the app of its tenant was the shared one'}`,
    );
  const objects = (await archivedObjects(world, tenantId, id, objectsSha256)) ?? [];
  return objects.map(({ apiVersion, kind, metadata }) => ({ apiVersion, kind, name: metadata.name }));
};

/** Where a backup that points to the archive of another one has Kubernetes objects of its own; undefined where it has none. */
const ownPrefix = ({ id, archiveId, objectsState }: Backup): string | undefined =>
  id !== archiveId && objectsState === 'archived' ? id : undefined;

const holdBody = z.object({ reason: z.string().trim().min(1).max(1_000) });
const releaseBody = z.object({ reason: z.string().max(1_000).optional() });

/** The record first: from then on nothing of ours deletes it, and a repeat sets the lock that S3 could not be told of. */
const hold = async (world: World, backup: Backup, by: string, reason: string): Promise<object> => {
  const held = await world.registry.retention.hold(backup.id, { by, reason });
  if (!held) throw notSealed(await find(world, backup.id));
  const own = ownPrefix(held);
  const locked = await Promise.all(
    [held.archiveId, ...(own === undefined ? [] : [own])].map((id) =>
      world.archive.setLegalHold(held.tenantId, id, true),
    ),
  );
  const counts = locked.filter((count) => count !== undefined);
  return { ...held, lockedObjects: counts.length > 0 ? counts.reduce((sum, count) => sum + count) : null };
};

/** The lock of S3 first, unless another backup needs it: a record that is still held can be released again. */
const release = async (world: World, backup: Backup): Promise<object> => {
  const { retention } = world.registry;
  if (backup.status !== 'sealed') throw notSealed(backup);
  if (!(await retention.holdsArchive(backup.archiveId, backup.id)))
    await world.archive.setLegalHold(backup.tenantId, backup.archiveId, false);
  const own = ownPrefix(backup);
  if (own !== undefined) await world.archive.setLegalHold(backup.tenantId, own, false);
  const released = await retention.release(backup.id);
  if (!released) throw notSealed(await find(world, backup.id));
  return released;
};

const subject = ({ tenantId, id }: Backup, reason: string | undefined) => ({
  tenantId,
  reason,
  detail: { backupId: id },
});

const ofPath = (context: ApiContext): Promise<Backup> => find(context.get('world'), context.req.param('id') ?? '');

/** Single backups: what is known of one, and its legal hold. */
export const backupRoutes = new Hono<ApiEnv>()
  .get('/:id', async (context) => context.json(await ofPath(context)))
  .get('/:id/objects', async (context) =>
    context.json({ items: await objectsOf(context.get('world'), await ofPath(context)) }),
  )
  .post('/:id/hold', async (context) => {
    const backup = await ofPath(context);
    const { reason } = await bodyOf(context, holdBody);
    const held = await audited(context, { action: 'backup.hold', ...subject(backup, reason) }, (actor) =>
      hold(context.get('world'), backup, actor, reason),
    );
    return context.json(held);
  })
  .post('/:id/release', async (context) => {
    const backup = await ofPath(context);
    const { reason } = await bodyOf(context, releaseBody);
    const released = await audited(context, { action: 'backup.release', ...subject(backup, reason) }, () =>
      release(context.get('world'), backup),
    );
    return context.json(released);
  });
