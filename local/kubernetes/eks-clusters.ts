import {
  DescribeClusterCommand,
  EKSClient,
  paginateListClusters,
  ResourceNotFoundException,
} from '@aws-sdk/client-eks';
import type { KubeconfigCluster } from './kubeconfig.ts';

export interface EksAccess {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const describe = async (client: EKSClient, name: string): Promise<KubeconfigCluster | undefined> => {
  try {
    const { cluster } = await client.send(new DescribeClusterCommand({ name }));
    // A cluster that is being made has no address yet.
    if (!cluster?.endpoint || !cluster.certificateAuthority?.data) return undefined;
    return { name, endpoint: cluster.endpoint, certificateAuthority: cluster.certificateAuthority.data };
  } catch (error) {
    // Gone since it was listed.
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
};

/** The clusters that EKS has an address for, in the order of their names; one alone where `only` names it. */
export const describeClusters = async (access: EksAccess, only?: string): Promise<KubeconfigCluster[]> => {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  const client = new EKSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  try {
    const names: string[] = only === undefined ? [] : [only];
    if (only === undefined) {
      for await (const page of paginateListClusters({ client }, {})) names.push(...(page.clusters ?? []));
    }
    const described = await Promise.all(names.sort().map((name) => describe(client, name)));
    return described.filter((cluster) => cluster !== undefined);
  } finally {
    client.destroy();
  }
};
