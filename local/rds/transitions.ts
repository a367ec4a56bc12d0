import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vault } from '../services/vault.ts';
import {
  automatedOf,
  type BackupsContext,
  expireAutomated,
  fillSnapshot,
  removeSnapshot,
  takeAutomated,
} from './backups.ts';
import { handOver } from './copy.ts';
import type { Instance, Job } from './instance.ts';
import { applyDynamic, changePassword, serverVersion, setUpMaster } from './master.ts';
import { groupValues } from './parameter-groups.ts';
import type { MasterSecrets } from './secrets.ts';
import { layDown } from './snapshots.ts';

export interface TransitionsContext extends BackupsContext {
  readonly vault: Vault;
  readonly secrets: MasterSecrets | undefined;
}

type JobOf<Kind extends Job['kind']> = Job extends infer One ? (One extends { kind: Kind } ? One : never) : never;

const unseal = (vault: Vault, sealed: string): string => vault.open(Buffer.from(sealed, 'base64')).toString('utf8');

const current = ({ store }: TransitionsContext, id: string): Instance => store.instances.get(id)!;

/** Starts the instance's server with its group as it is now: a start is when static parameters take effect. */
const bringUp = async (context: TransitionsContext, id: string, port?: number): Promise<void> => {
  const { store, servers } = context;
  const instance = current(context, id);
  const values = groupValues(store, instance.parameterGroup);
  const taken = await servers.start(instance, values, port);
  await applyDynamic(servers, id, values);
  const engineVersion = await serverVersion(servers, id);
  store.instances.update(id, { port: taken, engineVersion, applied: { group: instance.parameterGroup, values } });
};

const firstBackup = async (context: TransitionsContext, id: string): Promise<void> => {
  if (current(context, id).retention === 0) return;
  context.store.instances.update(id, { status: 'backing-up' });
  await takeAutomated(context, id);
};

const create = async (context: TransitionsContext, id: string, job: JobOf<'create'>): Promise<void> => {
  await bringUp(context, id, job.port);
  await setUpMaster(context.servers, current(context, id), unseal(context.vault, job.password));
  context.store.instances.update(id, { createdAt: current(context, id).createdAt ?? Date.now() });
  await firstBackup(context, id);
};

/** The moment to recover to: the one that was asked for, or the newest that the source's log reaches. */
const targetOf = async (context: TransitionsContext, log: { source: string; at?: number | undefined }) => {
  if (log.at !== undefined) return log.at;
  if (context.servers.port(log.source) !== undefined) await context.shipping.ship(log.source);
  const until = context.store.instances.get(log.source)?.restorableUntil;
  if (until === undefined) throw new Error(`${log.source} has no archived log`);
  return until;
};

const restore = async (context: TransitionsContext, id: string, job: JobOf<'restore'>): Promise<void> => {
  const { store, servers, places, signal, vault } = context;
  await servers.stop(id);
  const snapshot = store.snapshots.get(job.snapshot);
  if (!snapshot) throw new Error(`snapshot ${job.snapshot} is gone`);
  await servers.erase(id);
  await layDown({ snapshot: places.snapshot(snapshot), instance: places.instance(id), signal });
  if (job.log) {
    const at = await targetOf(context, job.log);
    const recover = join(places.instance(id), 'data', 'recovery.signal');
    await writeFile(recover, '', { mode: 0o600 });
    await handOver(recover);
    await servers.recover(current(context, id), { source: job.log.source, at });
  }
  await bringUp(context, id, job.port);
  if (job.password !== undefined) await changePassword(servers, current(context, id), unseal(vault, job.password));
  store.instances.update(id, { createdAt: Date.now() });
  await firstBackup(context, id);
};

const modify = async (context: TransitionsContext, id: string, job: JobOf<'modify'>): Promise<void> => {
  const { store, servers, vault } = context;
  const before = current(context, id);
  store.instances.update(id, job.change);
  if (job.password !== undefined) await changePassword(servers, before, unseal(vault, job.password));
  if (job.restart) {
    await servers.stop(id);
    await bringUp(context, id);
  }
  if (current(context, id).retention === 0) {
    for (const snapshot of automatedOf(store, id)) await removeSnapshot(context, snapshot);
  } else if (automatedOf(store, id).length === 0) await firstBackup(context, id);
  else await expireAutomated(context, id);
};

const reboot = async (context: TransitionsContext, id: string): Promise<void> => {
  await context.servers.stop(id);
  await bringUp(context, id);
};

/** Fills a snapshot that a call has noted, unless that is done already. */
const fill = async (context: TransitionsContext, name: string | undefined): Promise<void> => {
  const wanted = name === undefined ? undefined : context.store.snapshots.get(name);
  if (wanted && wanted.status !== 'available') await fillSnapshot(context, wanted);
};

const stop = async (context: TransitionsContext, id: string, job: JobOf<'stop'>): Promise<void> => {
  await fill(context, job.snapshot);
  await context.servers.stop(id);
};

/** Ends with the instance's row: while it is there, its name is taken. */
const remove = async (context: TransitionsContext, id: string, job: JobOf<'delete'>): Promise<void> => {
  const { store, servers, secrets, shipping } = context;
  await fill(context, job.finalSnapshot);
  await servers.stop(id);
  for (const automated of automatedOf(store, id)) await removeSnapshot(context, automated);
  await servers.erase(id);
  shipping.forget(id);
  const { masterSecret } = current(context, id);
  if (masterSecret !== undefined) await secrets?.remove(masterSecret);
  store.instances.remove(id);
};

/** Takes one instance through its job. Every job may be run again from its beginning, whatever an earlier run has done of it. */
export const runJob = async (context: TransitionsContext, id: string, job: Job): Promise<void> => {
  if (job.kind === 'create') await create(context, id, job);
  if (job.kind === 'restore') await restore(context, id, job);
  if (job.kind === 'modify') await modify(context, id, job);
  if (job.kind === 'reboot') await reboot(context, id);
  if (job.kind === 'start') await bringUp(context, id);
  if (job.kind === 'stop') await stop(context, id, job);
  if (job.kind === 'snapshot') await fill(context, job.snapshot);
  if (job.kind === 'delete') await remove(context, id, job);
};

/** How RDS calls an instance that its job has left behind. */
export const statusAfter = (job: Job): string => (job.kind === 'stop' ? 'stopped' : 'available');

export const statusAfterFailure = ({ kind }: Job): string => {
  if (kind === 'restore') return 'incompatible-restore';
  if (kind === 'modify' || kind === 'reboot' || kind === 'start') return 'incompatible-parameters';
  return kind === 'snapshot' ? 'available' : 'failed';
};

/** Makes the server of an instance run again that no job had stopped: at the start of the cloud. */
export const wakeUp = (context: TransitionsContext, instance: Instance): Promise<number> => {
  const { applied } = instance;
  return context.servers.start(instance, applied?.values ?? {});
};
