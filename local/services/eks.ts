import * as client from '@aws-sdk/client-eks';
import { accessOperations } from '../eks/access-operations.ts';
import { clusterOperations } from '../eks/cluster-operations.ts';
import type { EksContext } from '../eks/context.ts';
import type { ControlPlane, Identity } from '../eks/control-plane.ts';
import { identityOf } from '../eks/identity.ts';
import { openLifecycle } from '../eks/lifecycle.ts';
import { podIdentityOperations } from '../eks/pod-identity-operations.ts';
import { openEksStore } from '../eks/store.ts';
import { tagOperations } from '../eks/tags.ts';
import type { SchemaService } from '../gateway/service.ts';

export interface EksOptions {
  /** Holds `eks.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  /** Where the clusters' Kubernetes APIs are served; not touched before `start`. */
  readonly controlPlanes: ControlPlane;
  /** AWS takes 13 to 16 minutes; 3 s here, so that a machine's wait is exercised and nobody waits. */
  readonly createDelayMillis?: number;
  readonly deleteDelayMillis?: number;
}

export interface EksService extends SchemaService {
  /** Serves the clusters of earlier lives, and takes up those that were in the making or on their way out. */
  start(): void;
  /** Who a principal (a role's session, or a role) is in a cluster, by access entries; undefined: the cluster does not know it. */
  identityOf(cluster: string, principalArn: string): Identity | undefined;
  close(): void;
}

/**
 * Amazon EKS: clusters whose Kubernetes API really answers, access entries that decide who may use it, pod identity associations
 * as records. Node groups, add-ons and Fargate profiles are not here: Auto Mode's settings are kept and shown.
 */
export const createEksService = (options: EksOptions): EksService => {
  const { directory, region, accountId, controlPlanes, createDelayMillis = 3_000 } = options;
  const store = openEksStore(directory);
  const lifecycle = openLifecycle(store, controlPlanes);
  const context: EksContext = {
    store,
    account: { region, accountId },
    plane: controlPlanes,
    lifecycle,
    delays: { create: createDelayMillis, remove: options.deleteDelayMillis ?? createDelayMillis },
  };
  return {
    kind: 'schema',
    signingName: 'eks',
    protocol: 'restJson1',
    client,
    operations: {
      ...clusterOperations(context),
      ...accessOperations(context),
      ...podIdentityOperations(context),
      ...tagOperations(context),
    },
    identityOf: (cluster, principalArn) => identityOf(store, cluster, principalArn),
    start: lifecycle.resume,
    close: () => {
      lifecycle.close();
      store.close();
    },
  };
};
