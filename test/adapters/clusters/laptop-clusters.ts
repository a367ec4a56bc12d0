import { readFileSync } from 'node:fs';
import { EKSClient } from '@aws-sdk/client-eks';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import { openClusterConnections } from '../../../adapters/cluster/connect.ts';
import { assumedRole } from '../../../adapters/clusters/role.ts';
import type { StackSettings } from '../../../adapters/clusters/stacks.ts';
import { openClusters } from '../../../adapters/clusters.ts';
import { type LaptopOptions, openStacks } from '../../local/cloudformation/laptop-stacks.ts';
import { accountId, region } from '../../local/gateway/account.ts';

export const orchestratorRole = `arn:aws:iam::${accountId}:role/tenantry-clusters`;

export const settings: StackSettings = {
  templateUrl: `https://templates.s3.${region}.amazonaws.com/tenant.json`,
  roleArn: `arn:aws:iam::${accountId}:role/tenantry-stacks`,
  kubernetesVersion: '1.35',
  nodeMinimum: 1,
  nodeMaximum: 4,
  networkRange: '10.64.0.0/10',
  orchestratorRoleArn: orchestratorRole,
  operatorArn: undefined,
  shared: { vpcId: 'vpc-shared', cidr: '10.0.0.0/16', routeTableIds: ['rtb-1', 'rtb-2', 'rtb-3', 'rtb-4'] },
};

/** CloudFormation and EKS of the laptop with the tenants' template in S3, and the adapter on them. */
export const openLaptopClusters = async (options: LaptopOptions = {}) => {
  const laptop = await openStacks(options);
  if (options.root === undefined) {
    const s3 = new S3Client(laptop.config);
    await s3.send(new CreateBucketCommand({ Bucket: 'templates' }));
    await laptop.objects().put('templates', 'tenant.json', readFileSync('lib/tenant-stack/template.json'));
  }
  const clusters = openClusters({ stacks: laptop.client, clusters: laptop.clusters }, () => settings);
  const sts = new STSClient(laptop.config);
  const connections = openClusterConnections(
    new EKSClient({ ...laptop.config, credentials: assumedRole(sts, orchestratorRole) }),
    laptop.config.endpoint,
  );
  return { laptop, clusters, connections };
};
