import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AssociateAccessPolicyCommand,
  CreateAccessEntryCommand,
  CreateClusterCommand,
  type EKSClient,
  waitUntilClusterActive,
} from '@aws-sdk/client-eks';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { ensure, type Target } from './target.ts';

/** The cluster in which tenants of tier `namespace` have theirs; on AWS lib/shared-cluster.ts makes it. */
export const sharedCluster = 'tenantry-local-1';

/** Namespaces that it takes. */
export const sharedClusterCapacity = 500;

const administration = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

const templateKey = 'templates/tenant-stack.json';

export const clusterRoleArn = ({ accountId }: Pick<Target, 'accountId'>): string =>
  `arn:aws:iam::${accountId}:role/tenantry-clusters`;

/** Where CloudFormation reads the template of tenants' stacks. */
export const templateUrl = ({ region }: Pick<Target, 'region'>, bucket: string): string =>
  `https://${bucket}.s3.${region}.amazonaws.com/${templateKey}`;

/** Puts the template of tenants' stacks, as the CDK app wrote it, where CloudFormation reads it. */
export const putTenantTemplate = async (s3: S3Client, { root }: Target, bucket: string): Promise<void> => {
  const Body = readFileSync(join(root, 'lib', 'tenant-stack', 'template.json'));
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: templateKey, Body }));
};

/** The shared cluster, whose administrator is the role of the steps and whoever owns the laptop's keys. Safe to repeat. */
export const createSharedCluster = async (eks: EKSClient, target: Target): Promise<void> => {
  const role = (name: string): string => `arn:aws:iam::${target.accountId}:role/${name}`;
  await ensure(
    () =>
      eks.send(
        new CreateClusterCommand({
          name: sharedCluster,
          roleArn: role('tenantry-cluster'),
          resourcesVpcConfig: { subnetIds: ['subnet-nodes-a', 'subnet-nodes-b'], endpointPrivateAccess: true },
          accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: true },
          computeConfig: {
            enabled: true,
            nodePools: ['general-purpose', 'system'],
            nodeRoleArn: role('tenantry-node'),
          },
          kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
          storageConfig: { blockStorage: { enabled: true } },
        }),
      ),
    'ResourceInUseException',
  );
  await waitUntilClusterActive({ client: eks, minDelay: 0.1, maxDelay: 0.5, maxWaitTime: 60 }, { name: sharedCluster });
  const entry = { clusterName: sharedCluster, principalArn: clusterRoleArn(target) };
  await ensure(() => eks.send(new CreateAccessEntryCommand(entry)), 'ResourceInUseException');
  await eks.send(
    new AssociateAccessPolicyCommand({ ...entry, policyArn: administration, accessScope: { type: 'cluster' } }),
  );
};
