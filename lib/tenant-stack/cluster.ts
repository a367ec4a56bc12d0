import { CfnAccessEntry, CfnCluster } from 'aws-cdk-lib/aws-eks';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnKey } from 'aws-cdk-lib/aws-kms';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { Aws, CfnDeletionPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { TenantGroups } from './groups.ts';
import type { TenantNetwork } from './network.ts';
import type { TenantParameters } from './parameters.ts';

const managed = (name: string): string => `arn:${Aws.PARTITION}:iam::aws:policy/${name}`;

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

const trust = (service: string, actions: string[]): object => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: actions }],
});

const adminPolicy = `arn:${Aws.PARTITION}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`;

/**
 * One tenant's cluster, named like its stack: EKS Auto Mode, API reachable from inside alone, secrets under a key of its own. Who
 * may use it is said by access entries alone; whoever creates the stack gets no rights by that.
 */
export class TenantCluster extends Construct {
  readonly cluster: CfnCluster;
  readonly key: CfnKey;

  constructor(
    scope: Construct,
    id: string,
    network: TenantNetwork,
    groups: TenantGroups,
    parameters: TenantParameters,
  ) {
    super(scope, id);
    this.key = this.createKey();
    const role = new CfnRole(this, 'Role', {
      assumeRolePolicyDocument: trust('eks.amazonaws.com', ['sts:AssumeRole', 'sts:TagSession']),
      managedPolicyArns: clusterPolicies.map(managed),
    });
    const nodeRole = new CfnRole(this, 'NodeRole', {
      assumeRolePolicyDocument: trust('ec2.amazonaws.com', ['sts:AssumeRole']),
      managedPolicyArns: nodePolicies.map(managed),
    });
    const log = new CfnLogGroup(this, 'Log', {
      logGroupName: `/aws/eks/${Aws.STACK_NAME}/cluster`,
      retentionInDays: 90,
    });
    this.cluster = new CfnCluster(this, 'Cluster', {
      name: Aws.STACK_NAME,
      version: parameters.kubernetesVersion,
      roleArn: role.attrArn,
      resourcesVpcConfig: {
        subnetIds: network.ids('App'),
        securityGroupIds: [groups.app.attrGroupId],
        endpointPrivateAccess: true,
        endpointPublicAccess: false,
      },
      accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: false },
      computeConfig: { enabled: true, nodePools: ['general-purpose', 'system'], nodeRoleArn: nodeRole.attrArn },
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
      storageConfig: { blockStorage: { enabled: true } },
      encryptionConfig: [{ provider: { keyArn: this.key.attrArn }, resources: ['secrets'] }],
      logging: {
        clusterLogging: {
          enabledTypes: ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'].map((type) => ({ type })),
        },
      },
      upgradePolicy: { supportType: 'STANDARD' },
      tags: [{ key: 'tenant', value: parameters.tenantId }],
    });
    this.cluster.overrideLogicalId('Cluster');
    this.cluster.addPropertyOverride('DeletionProtection', parameters.deletionProtection);
    // Left to itself EKS makes the log group anew while the cluster is being deleted, and it stays.
    this.cluster.addResourceDependency(log);
    this.admit('Orchestrator', parameters.orchestratorRoleArn);
    this.admit('Operator', parameters.operatorArn).cfnOptions.condition = parameters.operated;
  }

  private admit(id: string, principalArn: string): CfnAccessEntry {
    return new CfnAccessEntry(this, id, {
      clusterName: this.cluster.ref,
      principalArn,
      type: 'STANDARD',
      accessPolicies: [{ policyArn: adminPolicy, accessScope: { type: 'cluster' } }],
    });
  }

  /** KMS keeps a deleted key for 30 days: until then a snapshot or a log of it can be read again. */
  private createKey(): CfnKey {
    const key = new CfnKey(this, 'Key', {
      description: `Secrets of cluster ${Aws.STACK_NAME}`,
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
