import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '../gateway/service.ts';
import { type Plan, planStack } from './plan.ts';
import type { Account } from './refusals.ts';
import { HandlerFailure, type Quotas, type ResourceContext } from './resource-type.ts';
import type { StackRecord, StackStore } from './store.ts';
import { readTemplate } from './template.ts';

/** What creation and deletion work with. */
export interface Deployment {
  readonly store: StackStore;
  readonly account: Account;
  readonly eks: ResourceContext['eks'];
  readonly loadBalancers: ResourceContext['loadBalancers'];
  readonly quotas: Quotas;
  /** Milliseconds that every resource takes at least. */
  readonly resourceDelay: number;
  /** Aborted when this life of the cloud ends: what is under way stays so on disk. */
  readonly life: AbortSignal;
  readonly log: (line: string) => void;
}

/** The same at every call: a stack's template and parameters never change here. */
export const planOf = ({ account }: Deployment, stack: StackRecord): Plan =>
  planStack(readTemplate(stack.template), stack.parameters, account, { stackId: stack.id, stackName: stack.name });

export const resourceContext = (
  deployment: Deployment,
  stack: StackRecord,
  id: string,
  signal: AbortSignal,
  resumed: boolean,
): ResourceContext => {
  const { account, store, eks, loadBalancers, quotas } = deployment;
  return { account, store, eks, loadBalancers, quotas, stack, id, signal, resumed };
};

export const pause = ({ resourceDelay }: Deployment, signal: AbortSignal): Promise<void> =>
  delay(resourceDelay, undefined, { signal });

/** Why a resource failed, in CloudFormation's words. */
export const reasonOf = (error: unknown, where: string, log: (line: string) => void): string => {
  if (error instanceof HandlerFailure)
    return `Resource handler returned message: "${error.message}" (RequestToken: ${randomUUID()}, HandlerErrorCode: ${error.code})`;
  if (error instanceof ServiceError) return error.message;
  log(`${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 'Internal Failure';
};

/**
 * Runs work as soon as what it waits for is done, everything that may run at once together. `next` is asked for the ids that may
 * begin now, after each end again; `run` never rejects.
 */
export const inOrder = async (next: () => readonly string[], run: (id: string) => Promise<void>): Promise<void> => {
  const running = new Map<string, Promise<void>>();
  for (;;) {
    for (const id of next())
      if (!running.has(id))
        running.set(
          id,
          run(id).finally(() => running.delete(id)),
        );
    if (running.size === 0) return;
    await Promise.race(running.values());
  }
};
