import { rm } from 'node:fs/promises';
import { pruneArchive } from './log-archive.ts';
import type { Places } from './places.ts';
import type { Servers } from './servers.ts';
import type { Shipping } from './shipping.ts';
import { takeSnapshot } from './snapshots.ts';
import type { RdsStore, Snapshot } from './store.ts';

export interface BackupsContext {
  readonly store: RdsStore;
  readonly servers: Servers;
  readonly places: Places;
  readonly shipping: Shipping;
  readonly signal: AbortSignal;
}

const day = 86_400_000;

/** Copies the instance as it is now into the files of a snapshot and marks that as available. */
export const fillSnapshot = async (context: BackupsContext, snapshot: Snapshot): Promise<void> => {
  const { store, servers, places, signal } = context;
  const paths = { instance: places.instance(snapshot.instance), snapshot: places.snapshot(snapshot), signal };
  const copied =
    servers.port(snapshot.instance) === undefined
      ? await takeSnapshot({ ...paths, client: undefined })
      : await servers.connected(snapshot.instance, 'postgres', (client) => takeSnapshot({ ...paths, client }));
  store.snapshots.update(snapshot.id, {
    status: 'available',
    consistentAt: copied.consistentAt,
    ...(copied.firstWal ? { firstWal: copied.firstWal } : {}),
  });
};

export const removeSnapshot = async ({ store, places }: BackupsContext, snapshot: Snapshot): Promise<void> => {
  await rm(places.snapshot(snapshot), { recursive: true, force: true });
  await rm(`${places.snapshot(snapshot)}.half`, { recursive: true, force: true });
  store.snapshots.remove(snapshot.id);
};

/** Automated snapshots of an instance, oldest first. */
export const automatedOf = (store: RdsStore, id: string): Snapshot[] =>
  store.snapshots
    .all()
    .filter(({ instance, type }) => instance === id && type === 'automated')
    .sort((one, other) => one.startedAt - other.startedAt);

/** `rds:acme-2026-11-27-01-46`, RDS's name for an automated snapshot; seconds are added, as here they may lie that close. */
const automatedName = (id: string, at: number): string =>
  `rds:${id}-${new Date(at).toISOString().slice(0, 23).replaceAll(/[T:.]/g, '-')}`;

/** A snapshot on which the log can be played: taken at creation and every day. */
export const takeAutomated = async (context: BackupsContext, id: string): Promise<void> => {
  const { store, shipping } = context;
  const instance = store.instances.get(id)!;
  for (const half of automatedOf(store, id).filter(({ status }) => status !== 'available'))
    await removeSnapshot(context, half);
  const startedAt = Date.now();
  const name = automatedName(id, startedAt);
  const { job: _job, ...of } = instance;
  const snapshot: Snapshot = {
    id: name,
    instance: id,
    type: 'automated',
    status: 'creating',
    startedAt,
    of,
    tags: instance.copyTags ? instance.tags : {},
  };
  await fillSnapshot(context, store.snapshots.put(name, snapshot));
  await shipping.ship(id);
};

export const isBackupDue = (store: RdsStore, id: string): boolean => {
  const newest = automatedOf(store, id).at(-1);
  return newest === undefined || newest.status !== 'available' || Date.now() - newest.startedAt >= day;
};

/** Snapshots that a restore under way stands on. */
export const inUse = (store: RdsStore): Set<string> =>
  new Set(store.instances.all().flatMap(({ job }) => (job?.kind === 'restore' ? [job.snapshot] : [])));

/** Drops automated snapshots that retention no longer asks for, keeping the one that its oldest moment is restored from. */
export const expireAutomated = async (context: BackupsContext, id: string): Promise<void> => {
  const { store, places } = context;
  const instance = store.instances.get(id);
  if (!instance) return;
  const horizon = Date.now() - instance.retention * day;
  const whole = automatedOf(store, id).filter(({ status }) => status === 'available');
  const used = inUse(store);
  // With any restore under way the log stays as well: it may be playing it.
  if (whole.some((snapshot) => used.has(snapshot.id))) return;
  const older = whole.filter(({ consistentAt = 0 }) => consistentAt <= horizon);
  const expired = instance.retention === 0 ? whole : older.slice(0, -1);
  for (const snapshot of expired) await removeSnapshot(context, snapshot);
  const first = whole.find((snapshot) => !expired.includes(snapshot))?.firstWal;
  if (first !== undefined) await pruneArchive(places.log(id), first);
};
