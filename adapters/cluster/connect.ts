import { DescribeClusterCommand, type EKSClient, ResourceNotFoundException } from '@aws-sdk/client-eks';
import { StepFailure } from '../../domain/errors.ts';
import { type Cluster, openCluster } from './cluster.ts';

export interface ClusterConnections {
  /** The cluster of that name, opened once per process. Throws ClusterUnavailable while EKS makes it, or when it has none. */
  open(name: string): Promise<Cluster>;
  /** Like `open`, but EKS is asked each time: undefined when it has no such cluster, or deletes it with all that is inside. */
  find(name: string): Promise<Cluster | undefined>;
  close(): void;
}

/** Clusters by their names in EKS, which tells address and certificate; tokens are signed with the client's credentials. */
export const openClusterConnections = (client: EKSClient, stsEndpoint?: string): ClusterConnections => {
  const kept = new Map<string, Cluster>();
  const forget = (name: string): undefined => {
    kept.get(name)?.close();
    kept.delete(name);
    return undefined;
  };
  const find = async (name: string): Promise<Cluster | undefined> => {
    try {
      const { cluster } = await client.send(new DescribeClusterCommand({ name }));
      const { endpoint, certificateAuthority, status } = cluster ?? {};
      if (status === 'DELETING') return forget(name);
      const known = kept.get(name);
      if (known) return known;
      if (endpoint === undefined || certificateAuthority?.data === undefined)
        throw new StepFailure('ClusterUnavailable', `cluster ${name} is ${status ?? 'unknown'} and has no address yet`);
      const opened = openCluster({
        name,
        endpoint,
        certificateAuthority: certificateAuthority.data,
        region: await client.config.region(),
        credentials: () => client.config.credentials(),
        stsEndpoint,
      });
      const first = kept.get(name) ?? opened;
      kept.set(name, first);
      return first;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return forget(name);
      throw error;
    }
  };
  return {
    find,
    open: async (name) => {
      const found = kept.get(name) ?? (await find(name));
      if (found) return found;
      throw new StepFailure('ClusterUnavailable', `EKS has no cluster ${name}; create it, or correct the registry`);
    },
    close: () => {
      for (const cluster of kept.values()) cluster.close();
      kept.clear();
    },
  };
};
