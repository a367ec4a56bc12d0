import { expireAutomated, isBackupDue, takeAutomated } from './backups.ts';
import type { Instance, Job } from './instance.ts';
import type { ShippingTimes } from './shipping.ts';
import { runJob, statusAfter, statusAfterFailure, type TransitionsContext, wakeUp } from './transitions.ts';

export interface Jobs {
  /** Notes the job and its first status on disk, then begins it. */
  begin(id: string, job: Job, status: string): Instance;
  /** Takes up what an earlier life left undone, and wakes the servers of instances that were available. Never rejects. */
  resume(): Promise<void>;
  /** Stops every server; a job that is under way ends at its next step and is taken up by the next life. */
  close(): Promise<void>;
}

/** A wake-up of many servers at once would starve each of them. */
const wakesAtOnce = 4;

export const openJobs = (
  context: TransitionsContext,
  options: { abort: () => void; times: ShippingTimes; log: (line: string) => void },
): Jobs => {
  const { store, servers, signal, shipping } = context;
  const { log, times } = options;
  const running = new Map<string, Promise<void>>();
  /** What happens by itself to one instance at a time; a job waits for it. */
  let tended: { readonly id: string; readonly done: Promise<void> } | undefined;

  const failed = (id: string, job: Job, error: unknown): void => {
    // A life that ends leaves the job as it is.
    if (signal.aborted) return;
    log(`${id}: ${job.kind} failed: ${error instanceof Error ? error.message : String(error)}`);
    const snapshot = job.kind === 'snapshot' || job.kind === 'stop' ? job.snapshot : undefined;
    if (snapshot !== undefined) store.snapshots.update(snapshot, { status: 'failed' });
    store.instances.update(id, { status: statusAfterFailure(job), job: undefined });
  };

  const run = (id: string, job: Job): void => {
    const work = (async () => {
      try {
        if (tended?.id === id) await tended.done;
        await runJob(context, id, job);
        store.instances.update(id, { status: statusAfter(job), job: undefined });
      } catch (error) {
        failed(id, job, error);
      }
    })();
    running.set(
      id,
      work.finally(() => running.delete(id)),
    );
  };

  /** The log is shipped, and once a day the instance is copied. Never rejects. */
  const tend = async ({ id }: Instance): Promise<void> => {
    try {
      await shipping.shipWhenDue(id);
      if (isBackupDue(store, id)) await takeAutomated(context, id);
      await expireAutomated(context, id);
    } catch (error) {
      if (!signal.aborted) log(`${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  let tending: Promise<void> | undefined;
  const tendAll = async (): Promise<void> => {
    for (const instance of store.instances.all()) {
      if (signal.aborted) return;
      const idle = instance.status === 'available' && instance.job === undefined;
      if (!idle || instance.retention === 0 || servers.port(instance.id) === undefined) continue;
      tended = { id: instance.id, done: tend(instance) };
      await tended.done;
      tended = undefined;
    }
  };
  const timer = setInterval(
    () => {
      tending ??= tendAll().finally(() => {
        tending = undefined;
      });
    },
    Math.max(50, times.busy / 4),
  );
  timer.unref();

  return {
    begin: (id, job, status) => {
      const instance = store.instances.update(id, { job, status })!;
      run(id, job);
      return instance;
    },
    resume: async () => {
      const sleeping: Instance[] = [];
      for (const instance of store.instances.all()) {
        if (instance.status === 'available') sleeping.push(instance);
        if (instance.job === undefined) continue;
        // A snapshot or a deletion finds the server running, as it was when the job began.
        if (['snapshot', 'modify', 'stop', 'delete'].includes(instance.job.kind) && instance.applied !== undefined)
          await wakeUp(context, instance).catch((error: unknown) => log(`${instance.id}: ${String(error)}`));
        run(instance.id, instance.job);
      }
      const wake = async (): Promise<void> => {
        for (let next = sleeping.pop(); next; next = sleeping.pop()) {
          const { id } = next;
          await wakeUp(context, next).then(
            (port) => void store.instances.update(id, { port }),
            (error: unknown) => {
              log(`${id}: ${error instanceof Error ? error.message : String(error)}`);
              store.instances.update(id, { status: 'failed' });
            },
          );
        }
      };
      await Promise.all(Array.from({ length: wakesAtOnce }, wake));
    },
    close: async () => {
      options.abort();
      clearInterval(timer);
      await Promise.all(running.values());
      await tending;
      await servers.stopAll();
    },
  };
};
