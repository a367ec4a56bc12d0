import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { keepLeases } from '../adapters/registry/keep-leases.ts';
import type { World } from '../adapters/world.ts';
import { failures, StepFailure } from '../domain/errors.ts';
import type { TaskStep } from '../domain/task-steps.ts';
import { handler as dumpDatabase } from './backup/dump-database.ts';
import { handler as loadClone } from './clone/load-clone.ts';
import { handler as drillRestore } from './drill/drill-restore.ts';
import { handler as abandonMigration } from './migrate/abandon-migration.ts';
import { handler as cutOver } from './migrate/cut-over.ts';
import { handler as finishMigration } from './migrate/finish-migration.ts';
import { handler as verifyCopy } from './migrate/verify-copy.ts';
import { handler as compareRestore } from './restore/compare-restore.ts';
import { handler as stageRestore } from './restore/stage-restore.ts';
import { handler as swapRestore } from './restore/swap-restore.ts';
import { handler as undoRestore } from './restore/undo-restore.ts';
import { type StepHandler, worldOfProcess } from './step.ts';

const handlers: Readonly<Record<TaskStep, StepHandler<unknown>>> = {
  DumpDatabase: dumpDatabase,
  DrillRestore: drillRestore,
  StageRestore: stageRestore,
  CompareRestore: compareRestore,
  SwapRestore: swapRestore,
  UndoRestore: undoRestore,
  LoadClone: loadClone,
  CutOver: cutOver,
  VerifyCopy: verifyCopy,
  FinishMigration: finishMigration,
  AbandonMigration: abandonMigration,
};

const isTaskStep = (name: string): name is TaskStep => Object.hasOwn(handlers, name);

const ofOneTenant = z.object({ operation: z.string(), tenantId: z.string(), holder: z.string().optional() });

/** Seconds of the lease that a step took: those of its longest run as a Lambda. Here it is renewed for as long as it takes. */
const leaseSeconds = 1_200;

const keepLease = <Result>({ registry }: World, event: unknown, work: () => Promise<Result>): Promise<Result> => {
  const about = ofOneTenant.safeParse(event);
  if (!about.success) return work();
  const { operation, tenantId, holder = operation } = about.data;
  return keepLeases(registry.leases, { tenantIds: [tenantId], holder, seconds: leaseSeconds }, work);
};

/** Milliseconds before each new attempt of what passes by itself, 97 s in all: for a Lambda the machine waits as long. */
const pauses = [5_000, 7_500, 11_300, 16_900, 25_300, 30_000];

const passes = (error: unknown): boolean => error instanceof StepFailure && failures[error.name] === 'retry';

/** A new container takes a minute to start, so what passes by itself is waited for in this one. */
const insist = async <Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> => {
  for (const pause of pauses)
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !passes(error)) throw error;
      await delay(pause, undefined, { signal });
    }
  return work();
};

/**
 * Runs one step as a container task: STEP names it, STEP_INPUT is what a Lambda would get. It answers by its exit code: 0 when
 * the step is done, 1 when it failed; the step's journal entry says why. SIGTERM, which ECS sends before it kills, ends the step
 * as its time-out would.
 */
const main = async (): Promise<number> => {
  const { STEP: name = '', STEP_INPUT: input = '' } = process.env;
  if (!isTaskStep(name))
    throw new StepFailure(
      'InvalidStepInput',
      `STEP: ${JSON.stringify(name)} is none of ${Object.keys(handlers).join(', ')}`,
    );
  const event: unknown = JSON.parse(input);
  const stopped = new AbortController();
  process.once('SIGTERM', () => stopped.abort(new Error('the task was stopped')));
  const world = worldOfProcess();
  try {
    const run = () => handlers[name].run(event, world, stopped.signal);
    await keepLease(world, event, () => insist(stopped.signal, run));
    return 0;
  } catch {
    // The step has logged and journalled it.
    return 1;
  } finally {
    await world.close();
  }
};

// What a stopped step left open (a transaction, an upload) must not keep the container: it ends with the process.
process.exit(await main());
