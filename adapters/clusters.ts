import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import {
  DescribeClusterCommand,
  type EKSClient,
  ResourceNotFoundException,
  UpdateClusterConfigCommand,
} from '@aws-sdk/client-eks';
import { StepFailure } from '../domain/errors.ts';
import { refusal } from './clusters/failure.ts';
import { type Identities, openIdentities } from './clusters/identities.ts';
import { takeNetwork } from './clusters/network.ts';
import { type NewStack, openStacks, type StackSettings, type StackState } from './clusters/stacks.ts';
import type { Clusters as RegisteredClusters } from './registry/clusters.ts';

export type { StackSettings, StackState, StackTags } from './clusters/stacks.ts';

export interface ClusterState {
  /** EKS's own word: `CREATING`, `ACTIVE`, `DELETING`, ... */
  readonly status: string;
  /** Undefined until EKS has given it an address. */
  readonly endpoint: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly tenant: string | undefined;
  readonly deletionProtection: boolean;
}

/** EKS clusters of single tenants, each with its CloudFormation stack of the same name. */
export interface Clusters {
  /** The addresses of a cluster's VPC; a repeat answers the same. Throws NoCapacity. */
  network(cluster: string, registered: Pick<RegisteredClusters, 'list' | 'noteOutputs'>): Promise<string>;
  /**
   * Asks for a tenant's stack; one that is there already, for the same tenant, is left as it is. A stack that fails is rolled
   * back and stays, so that its reason can be read. Throws StackRefused.
   */
  createStack(stack: NewStack): Promise<void>;
  describeStack(stack: string): Promise<StackState | undefined>;
  /**
   * Has CloudFormation and EKS refuse to delete the tenant's stack and cluster by hand. Only a stack that stands: under protection
   * a rollback could not remove its cluster.
   */
  protect(stack: { readonly stack: string; readonly tenantId: string }): Promise<void>;
  /**
   * Asks for the deletion of a tenant's stack, protections taken off first. One that is not there, or on its way out, is left so.
   * Throws StackNotReady while it is busy, StackRefused when it is not the tenant's.
   */
  deleteStack(stack: { readonly stack: string; readonly tenantId: string }): Promise<void>;
  describe(cluster: string): Promise<ClusterState | undefined>;
  /** Roles of service accounts. */
  readonly identities: Identities;
}

export interface ClusterClients {
  readonly stacks: CloudFormationClient;
  readonly clusters: EKSClient;
}

/** `settings` are read when a stack is asked for, and only then. */
export const openClusters = ({ stacks: client, clusters }: ClusterClients, settings: () => StackSettings): Clusters => {
  const stacks = openStacks(client, settings);
  const describe = async (name: string): Promise<ClusterState | undefined> => {
    try {
      const { cluster } = await clusters.send(new DescribeClusterCommand({ name }));
      return (
        cluster && {
          status: cluster.status ?? 'unknown',
          endpoint: cluster.endpoint,
          certificateAuthority: cluster.certificateAuthority?.data,
          tenant: cluster.tags?.tenant,
          deletionProtection: cluster.deletionProtection ?? false,
        }
      );
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  };
  const requireOwn = (what: string, found: { readonly tenant: string | undefined }, tenantId: string): void => {
    if (found.tenant === tenantId) return;
    throw new StepFailure(
      'StackRefused',
      `${what} belongs to ${found.tenant ?? 'nobody that Tenantry knows'}, not to tenant ${tenantId}; delete or rename it by hand`,
    );
  };
  /** The cluster has its stack's name. */
  const setProtection = async (name: string, tenantId: string, on: boolean): Promise<void> => {
    const found = await describe(name);
    if (!found || found.deletionProtection === on) return;
    requireOwn(`cluster ${name}`, found, tenantId);
    await clusters.send(new UpdateClusterConfigCommand({ name, deletionProtection: on }));
    // On AWS the change takes a moment, and until then the cluster takes no other.
    const { status } = (await describe(name))!;
    if (status !== 'ACTIVE') throw new StepFailure('StackNotReady', `cluster ${name} is ${status}; wait for its end`);
  };
  return {
    network: (cluster, registered) => takeNetwork(registered, cluster, settings()),
    createStack: (stack) => stacks.create(stack),
    describeStack: (stack) => stacks.describe(stack),
    describe,
    identities: openIdentities(clusters),
    protect: async ({ stack, tenantId }) => {
      const found = await stacks.describe(stack);
      if (found?.status !== 'CREATE_COMPLETE')
        throw new StepFailure('StackNotReady', `stack ${stack} is ${found?.status ?? 'gone'}; wait until it stands`);
      requireOwn(`stack ${stack}`, found, tenantId);
      try {
        await setProtection(stack, tenantId, true);
        if (!found.terminationProtection) await stacks.protect(stack, true);
      } catch (error) {
        throw refusal(`stack ${stack}`, error);
      }
    },
    deleteStack: async ({ stack, tenantId }) => {
      const found = await stacks.describe(stack);
      if (!found || found.status === 'DELETE_IN_PROGRESS') return;
      requireOwn(`stack ${stack}`, found, tenantId);
      if (found.status === 'ROLLBACK_IN_PROGRESS')
        throw new StepFailure('StackNotReady', `stack ${stack} is ${found.status}; wait for its end`);
      try {
        await setProtection(stack, tenantId, false);
        if (found.terminationProtection) await stacks.protect(stack, false);
        await stacks.remove(stack);
      } catch (error) {
        throw refusal(`stack ${stack}`, error);
      }
    },
  };
};
