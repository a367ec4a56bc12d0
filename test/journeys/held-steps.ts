import { functionName } from '../../domain/deployment.ts';
import type { StepName } from '../../domain/workflows.ts';
import type { FunctionInvoker, Invocation } from '../../local/ports.ts';

/** One step of one operation at which a test stops the world. */
export interface HeldStep {
  /** Resolves when the call stands at the hold. */
  readonly reached: Promise<void>;
  /** Lets the call go on; answers what the handler said to it, heard by nobody. */
  release(): Promise<Invocation>;
}

interface Hold extends HeldStep {
  readonly functionName: string;
  readonly operation: string;
  readonly where: 'before' | 'after';
  pass(call: () => Promise<Invocation>): Promise<Invocation>;
}

export interface HeldSteps {
  readonly interpose: (functions: FunctionInvoker) => FunctionInvoker;
  /**
   * Holds the next call of `step` before its handler runs, or after, with its answer: a call for that operation, or for one
   * that is nested in it and so holds the lease in its name.
   */
  hold(step: StepName, operation: string, where: 'before' | 'after'): HeldStep;
  /** Makes every call of `step` for that operation fail at once, with a name that nobody retries. */
  refuse(step: StepName, operation: string, message: string): void;
}

const openHold = (step: StepName, operation: string, where: 'before' | 'after'): Hold => {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<Invocation>();
  return {
    functionName: functionName(step),
    operation,
    where,
    reached: reached.promise,
    release: () => {
      go.resolve();
      return answered.promise;
    },
    pass: async (call) => {
      const early = where === 'after' ? await call() : undefined;
      reached.resolve();
      await go.promise;
      const answer = early ?? (await call());
      answered.resolve(answer);
      return answer;
    },
  };
};

/** Stands between Step Functions and the handlers; the signal is kept from them, so that a late call is really made. */
export const openHeldSteps = (): HeldSteps => {
  const holds: Hold[] = [];
  const refusals = new Map<string, string>();
  return {
    hold: (step, operation, where) => {
      const hold = openHold(step, operation, where);
      holds.push(hold);
      return hold;
    },
    refuse: (step, operation, message) => refusals.set(`${functionName(step)} ${operation}`, message),
    interpose: (functions) => ({
      invoke: async (arn, payload, options) => {
        const name = arn.split(':').at(-1)!;
        const { operation, holder } = JSON.parse(payload) as { operation?: string; holder?: string };
        const refusal = refusals.get(`${name} ${operation}`);
        if (refusal !== undefined)
          return {
            payload: JSON.stringify({ errorType: 'SchemaRefused', errorMessage: refusal }),
            functionError: 'Unhandled',
          };
        const index = holds.findIndex(
          (hold) => hold.functionName === name && (hold.operation === operation || hold.operation === holder),
        );
        const [hold] = index < 0 ? [] : holds.splice(index, 1);
        if (!hold) return functions.invoke(arn, payload, options);
        return hold.pass(() => functions.invoke(arn, payload));
      },
    }),
  };
};
