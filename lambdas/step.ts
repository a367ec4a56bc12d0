import { Logger } from '@aws-lambda-powertools/logger';
import middy from '@middy/core';
import * as z from 'zod';
import { isUnavailable } from '../adapters/postgres/sql.ts';
import { openWorld, type World } from '../adapters/world.ts';
import { StepFailure } from '../domain/errors.ts';
import { explainIssues } from '../domain/explain.ts';
import type { StepName } from '../domain/workflows.ts';

const logger = new Logger({ serviceName: 'tenantry' });

export interface StepContract<Input extends z.ZodType, Output extends z.ZodType> {
  /** Must contain `operation`. Keys that it does not name are dropped: operators may add comments by hand. */
  readonly input: Input;
  readonly output: Output;
}

interface LambdaContext {
  readonly awsRequestId?: string;
  getRemainingTimeInMillis?(): number;
}

export interface StepHandler<Output> {
  (event: unknown, context?: LambdaContext): Promise<Output>;
  /** The same without Lambda around it, in a given world: what tests call. */
  run(event: unknown, world: World, signal?: AbortSignal): Promise<Output>;
}

/** One world per process: connections and secrets stay warm across invocations. */
let processWorld: World | undefined;
export const worldOfProcess = (): World => {
  processWorld ??= openWorld();
  return processWorld;
};

/** What the machine may catch by name: unavailable databases become DatabaseUnavailable, StepFailure stays, the rest too. */
const named = (error: unknown): unknown => {
  if (error instanceof StepFailure || !isUnavailable(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new StepFailure('DatabaseUnavailable', `the database cannot do this now: ${text || 'connection refused'}`, {
    cause: error,
  });
};

const journalled = async <Result>(
  world: World,
  name: StepName,
  event: unknown,
  work: () => Promise<Result>,
): Promise<Result> => {
  const seen = z
    .object({ operation: z.string().min(1), tenantId: z.string().optional().catch(undefined) })
    .safeParse(event);
  if (!seen.success) return work();
  const { operation, tenantId } = seen.data;
  const attempt = await world.registry.journal.start({ operation, step: name, tenantId });
  // The effect is done by then: a note that cannot be written must not turn it into a failure.
  const end = (result: Parameters<typeof world.registry.journal.end>[1]): Promise<void> =>
    world.registry.journal.end(attempt, result).catch((error: unknown) => {
      logger.warn('the journal could not be written', { operation, step: name, error: String(error) });
    });
  try {
    const result = await work();
    await end({ status: 'succeeded' });
    return result;
  } catch (error) {
    const failure = named(error);
    await end({
      status: 'failed',
      error: failure instanceof Error ? failure.name : 'Error',
      detail: (failure instanceof Error ? failure.message : String(failure)).slice(0, 4_000),
    });
    throw failure;
  }
};

/** Rejects when the signal aborts, with the name that Lambda itself gives a time-out: machines retry it. */
const outOfTime = (name: StepName, signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const fail = (): void =>
      reject(
        Object.assign(new Error(`${name} ran out of its time-out; retry, or raise it`), { name: 'Sandbox.Timedout' }),
      );
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });

/**
 * Makes the Lambda handler of one Task state: checks the input (InvalidStepInput names field and value), journals start and
 * end of every attempt, runs, checks the output. `signal` aborts one second before Lambda would end the invocation.
 * Errors reach the machine under their literal names of domain/errors.ts.
 */
export const step = <Input extends z.ZodType<{ operation: string }>, Output extends z.ZodType>(
  name: StepName,
  contract: StepContract<Input, Output>,
  work: (input: z.output<Input>, world: World, signal: AbortSignal) => Promise<z.input<Output>>,
): StepHandler<z.output<Output>> => {
  const run = async (
    event: unknown,
    world: World,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<z.output<Output>> => {
    const started = performance.now();
    const about = { step: name, operation: (event as { operation?: unknown } | null)?.operation };
    try {
      const result = await journalled(world, name, event, async () => {
        const input = contract.input.safeParse(event, { reportInput: true });
        if (!input.success) throw new StepFailure('InvalidStepInput', `${name}: ${explainIssues(input.error)}`);
        return contract.output.parse(await Promise.race([work(input.data, world, signal), outOfTime(name, signal)]));
      });
      logger.info('step succeeded', { ...about, millis: Math.round(performance.now() - started) });
      return result;
    } catch (error) {
      const failure = named(error);
      logger.error('step failed', {
        ...about,
        millis: Math.round(performance.now() - started),
        error: failure as Error,
      });
      throw failure;
    }
  };
  const handler = middy(
    (event: unknown, _context: unknown, { signal }: { signal: AbortSignal }) => run(event, worldOfProcess(), signal),
    // `run` itself rejects on the signal, after its journal entry; middy only has to wait for it.
    { timeoutEarlyInMillis: 1_000, timeoutEarlyResponse: () => new Promise<never>(() => undefined) },
  ) as unknown as (event: unknown, context?: LambdaContext) => Promise<z.output<Output>>;
  return Object.assign((event: unknown, context: LambdaContext = {}) => handler(event, context), { run });
};
