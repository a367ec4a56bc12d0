import type { EksService } from '../services/eks.ts';
import type { Account } from './refusals.ts';
import type { StackRecord, StackStore } from './store.ts';
import type { Json, JsonObject } from './template.ts';

/** What a resource is made with. */
export interface ResourceContext {
  readonly account: Account;
  readonly store: StackStore;
  readonly eks: Pick<EksService, 'operations'>;
  /** Names of what makes load balancers in a cluster: `t-acme/app (Ingress)`. */
  readonly loadBalancers: (cluster: string) => Promise<readonly string[]>;
  readonly quotas: Quotas;
  readonly stack: StackRecord;
  /** Logical id. */
  readonly id: string;
  /** Aborted when the life of the cloud ends, and in creation when another resource has failed. */
  readonly signal: AbortSignal;
  /** An earlier life of the cloud had begun with it: what is there already may be its own. */
  readonly resumed: boolean;
}

/** AWS's default quotas of a region that a fleet of stacks meets first. */
export interface Quotas {
  readonly vpcs: number;
  readonly addresses: number;
}

export const defaultQuotas: Quotas = { vpcs: 5, addresses: 5 };

export interface Made {
  readonly attributes: Readonly<Record<string, Json>>;
}

/**
 * A kind of resource. Every effect can be repeated: a life of the cloud that is killed in its middle leaves the next one to do
 * it again. Failures are `HandlerFailure`s.
 */
export interface ResourceType {
  readonly required: readonly string[];
  /** What `Fn::GetAtt` may name. */
  readonly attributes: readonly string[];
  /** What `Ref` gives. The same at every call for the same properties, stack and logical id. */
  physicalId(properties: JsonObject, context: ResourceContext): string;
  create(properties: JsonObject, physicalId: string, context: ResourceContext): Promise<Made> | Made;
  /** One that is not there is removed already. */
  remove?(properties: JsonObject, physicalId: string, context: ResourceContext): Promise<void> | void;
}

/** A resource handler's failure: its message becomes the reason of the resource's event. `code` is AWS's HandlerErrorCode. */
export class HandlerFailure extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
