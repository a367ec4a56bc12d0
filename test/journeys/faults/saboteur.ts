import { functionName } from '../../../domain/deployment.ts';
import { type FailureName, failures } from '../../../domain/errors.ts';
import { type StepName, steps } from '../../../domain/workflows.ts';
import type { FunctionInvoker, Invocation } from '../../../local/ports.ts';
import { deliverTwice } from './chance.ts';
import type { Fault } from './matrix.ts';

export interface Sabotage {
  readonly step: StepName;
  readonly fault: Fault;
}

export interface Saboteur {
  readonly interpose: (functions: FunctionInvoker) => FunctionInvoker;
  /** From now on the fault waits for the step of this tenant, or of the operation of this name. */
  arm(subject: string, sabotage: Sabotage): void;
  /** From now on nothing goes wrong for it any more: somebody has mended what was broken for good. */
  disarm(subject: string): void;
  /**
   * Lets invocations that were held back land, waits for all that are under way, and answers what the tests must know:
   * how often each step was called, and what a duplicate answered when it was not a success.
   */
  settle(subject: string): Promise<{ calls: Record<string, number>; complaints: string[] }>;
}

interface Armed extends Sabotage {
  readonly subject: string;
  calls: number;
  held?: (() => Promise<void>) | undefined;
  pending: Promise<void>[];
  complaints: string[];
}

const stepOf = new Map((Object.keys(steps) as StepName[]).map((step) => [functionName(step), step]));

const failing = (errorType: string, errorMessage: string): Invocation => ({
  payload: JSON.stringify({ errorType, errorMessage }),
  functionError: 'Unhandled',
});

const died = failing('Runtime.ExitError', 'RequestId: 0 Error: Runtime exited with error: signal: killed');
const timedOut = failing('Sandbox.Timedout', 'RequestId: 0 Error: Task timed out');
const injected = failing('Injected', 'an error that no machine retries');

/** One of two deliveries may lose to the other where the machine would then ask again. */
const isRetried = (payload: string): boolean => {
  const { errorType = '' } = JSON.parse(payload) as { errorType?: string };
  return Object.hasOwn(failures, errorType) && failures[errorType as FailureName] === 'retry';
};

/**
 * Whom a payload is for: its tenants, or its operation where it names none. The slices of a fleet here are named after their
 * cells: the tenant of the operation's name is in local-1, the other one of its fleet in local-2.
 */
const subjectsOf = (payload: string): string[] => {
  const {
    operation,
    tenantId,
    newTenantId,
    tenantIds = [],
    backups = [],
    sliceKey,
  } = JSON.parse(payload) as {
    operation?: string;
    tenantId?: string;
    newTenantId?: string;
    tenantIds?: string[];
    backups?: { tenantId: string }[];
    sliceKey?: string;
  };
  if (sliceKey?.includes('/local-2-')) return [`${operation}-2`];
  const tenants = [newTenantId, tenantId, ...tenantIds, ...backups.map((backup) => backup.tenantId)];
  const named = tenants.filter((name) => typeof name === 'string');
  return named.length === 0 && operation !== undefined ? [operation] : named;
};

/** Stands between Step Functions and the handlers and lets chosen calls go wrong, each exactly once unless it is for good. */
export const openSaboteur = (): Saboteur => {
  const armed = new Map<string, Armed[]>();

  const strike = async (plan: Armed, invoke: () => Promise<Invocation>): Promise<Invocation> => {
    plan.calls += 1;
    const first = plan.calls === 1;
    if (plan.fault === 'refused') return injected;
    if (plan.fault === 'unheard') {
      const answer = await invoke();
      if (answer.functionError) plan.complaints.push(`${plan.step} did not do its work: ${answer.payload}`);
      return injected;
    }
    const land = async (): Promise<void> => {
      await invoke();
    };
    if (!first) {
      if (plan.fault === 'late' && plan.held) {
        plan.pending.push(plan.held());
        plan.held = undefined;
      }
      return invoke();
    }
    switch (plan.fault) {
      case 'before':
        return died;
      case 'after': {
        const answer = await invoke();
        if (answer.functionError) plan.complaints.push(`${plan.step} did not do its work: ${answer.payload}`);
        return died;
      }
      case 'twice': {
        const [one, other] = await deliverTwice(`${plan.step} ${plan.subject}`, invoke);
        for (const { functionError, payload } of [one, other])
          if (functionError && !isRetried(payload))
            plan.complaints.push(`one of two deliveries of ${plan.step} failed: ${payload}`);
        return other;
      }
      case 'late':
      case 'zombie':
        plan.held = land;
        return timedOut;
    }
  };

  return {
    interpose: (functions) => ({
      invoke: (functionArn, payload, options) => {
        const step = stepOf.get(functionArn.split(':')[6]!);
        const invoke = (): Promise<Invocation> => functions.invoke(functionArn, payload, options);
        const plan = subjectsOf(payload)
          .flatMap((subject) => armed.get(subject) ?? [])
          .find((one) => one.step === step);
        if (!plan) return invoke();
        // What lands late must not be ended by the signal of a Task that is over.
        return strike(plan, () => functions.invoke(functionArn, payload));
      },
    }),
    arm: (subject, sabotage) => {
      armed.set(subject, [
        ...(armed.get(subject) ?? []),
        { ...sabotage, subject, calls: 0, pending: [], complaints: [] },
      ]);
    },
    disarm: (subject) => {
      armed.delete(subject);
    },
    settle: async (subject) => {
      const plans = armed.get(subject) ?? [];
      for (const plan of plans) {
        if (plan.held) plan.pending.push(plan.held());
        plan.held = undefined;
        await Promise.all(plan.pending);
      }
      return {
        calls: Object.fromEntries(plans.map(({ step, calls }) => [step, calls])),
        complaints: plans.flatMap(({ complaints }) => complaints),
      };
    },
  };
};
