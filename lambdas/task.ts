import { StepFailure } from '../domain/errors.ts';
import type { TaskStep } from '../domain/workflows.ts';
import { handler as dumpDatabase } from './backup/dump-database.ts';
import { type StepHandler, worldOfProcess } from './step.ts';

const handlers: Readonly<Record<TaskStep, StepHandler<unknown>>> = { DumpDatabase: dumpDatabase };

const isTaskStep = (name: string): name is TaskStep => Object.hasOwn(handlers, name);

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
    await handlers[name].run(event, world, stopped.signal);
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
