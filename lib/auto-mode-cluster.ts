import { CfnAccessEntry, CfnCluster } from 'aws-cdk-lib/aws-eks';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnKey } from 'aws-cdk-lib/aws-kms';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { Aws, CfnDeletionPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface AutoModeClusterProps {
  readonly name: string;
  readonly version: string;
  readonly subnetIds: string[];
  /** Of the API's network interfaces, beside the group that EKS makes for them and the nodes. */
  readonly securityGroupIds: string[];
  /** Which of Auto Mode's own: without `general-purpose` somebody must give it others. */
  readonly nodePools: ('general-purpose' | 'system')[];
  /** A text is a parameter that is `true` or `false`. */
  readonly deletionProtection: boolean | string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What EKS needs in order to run Auto Mode in somebody's account (EKS user guide, "Auto Mode cluster IAM role"). */
export const clusterPolicies = [
  'AmazonEKSClusterPolicy',
  'AmazonEKSComputePolicy',
  'AmazonEKSBlockStoragePolicy',
  'AmazonEKSLoadBalancingPolicy',
  'AmazonEKSNetworkingPolicy',
] as const;

/** What a node of Auto Mode needs: to join, and to pull images. */
export const nodePolicies = ['AmazonEKSWorkerNodeMinimalPolicy', 'AmazonEC2ContainerRegistryPullOnly'] as const;

const managed = (name: string): string => `arn:${Aws.PARTITION}:iam::aws:policy/${name}`;

const trust = (service: string, actions: string[]): object => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: actions }],
});

const adminPolicy = `arn:${Aws.PARTITION}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`;

/**
 * EKS Auto Mode, its API reachable from inside alone, secrets under a key of its own. Who may use it is said by access entries
 * alone; whoever creates the stack gets no rights by that.
 */
export class AutoModeCluster extends Construct {
  readonly cluster: CfnCluster;

  constructor(scope: Construct, id: string, props: AutoModeClusterProps) {
    super(scope, id);
    const key = this.createKey(props.name);
    const role = new CfnRole(this, 'Role', {
      assumeRolePolicyDocument: trust('eks.amazonaws.com', ['sts:AssumeRole', 'sts:TagSession']),
      managedPolicyArns: clusterPolicies.map(managed),
    });
    const nodeRole = new CfnRole(this, 'NodeRole', {
      assumeRolePolicyDocument: trust('ec2.amazonaws.com', ['sts:AssumeRole']),
      managedPolicyArns: nodePolicies.map(managed),
    });
    const log = new CfnLogGroup(this, 'Log', { logGroupName: `/aws/eks/${props.name}/cluster`, retentionInDays: 90 });
    this.cluster = new CfnCluster(this, 'Cluster', {
      name: props.name,
      version: props.version,
      roleArn: role.attrArn,
      resourcesVpcConfig: {
        subnetIds: props.subnetIds,
        securityGroupIds: props.securityGroupIds,
        endpointPrivateAccess: true,
        endpointPublicAccess: false,
      },
      accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: false },
      computeConfig: { enabled: true, nodePools: props.nodePools, nodeRoleArn: nodeRole.attrArn },
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
      storageConfig: { blockStorage: { enabled: true } },
      encryptionConfig: [{ provider: { keyArn: key.attrArn }, resources: ['secrets'] }],
      logging: {
        clusterLogging: {
          enabledTypes: ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'].map((type) => ({ type })),
        },
      },
      upgradePolicy: { supportType: 'STANDARD' },
      tags: Object.entries(props.tags).map(([name, value]) => ({ key: name, value })),
    });
    this.cluster.addPropertyOverride('DeletionProtection', props.deletionProtection);
    // Left to itself EKS makes the log group anew while the cluster is being deleted, and it stays.
    this.cluster.addResourceDependency(log);
  }

  /** Makes the sessions of a role, or a user, administrators of the cluster. */
  admit(id: string, principalArn: string): CfnAccessEntry {
    return new CfnAccessEntry(this, id, {
      clusterName: this.cluster.ref,
      principalArn,
      type: 'STANDARD',
      accessPolicies: [{ policyArn: adminPolicy, accessScope: { type: 'cluster' } }],
    });
  }

  /** KMS keeps a deleted key for 30 days: until then a backup of the control plane can be read again. */
  private createKey(name: string): CfnKey {
    const key = new CfnKey(this, 'Key', {
      description: `Secrets of cluster ${name}`,
      enableKeyRotation: true,
      pendingWindowInDays: 30,
      keyPolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:root` },
            Action: 'kms:*',
            Resource: '*',
          },
        ],
      },
    });
    key.cfnOptions.deletionPolicy = CfnDeletionPolicy.DELETE;
    return key;
  }
}
