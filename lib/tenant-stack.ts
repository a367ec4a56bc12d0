import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CfnDBSubnetGroup } from 'aws-cdk-lib/aws-rds';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { App, Aws, CfnOutput, DefaultStackSynthesizer, Fn, Stack, Stage, Tags, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import type { Construct } from 'constructs';
import { AutoModeCluster } from './auto-mode-cluster.ts';
import { acknowledgeTenantStack } from './tenant-stack/acknowledgements.ts';
import { TenantEndpoints } from './tenant-stack/endpoints.ts';
import { TenantGroups } from './tenant-stack/groups.ts';
import { TenantNetwork } from './tenant-stack/network.ts';
import { TenantParameters } from './tenant-stack/parameters.ts';
import { TenantPeering } from './tenant-stack/peering.ts';

/**
 * What a tenant in a cluster of its own has: network, cluster, and where a database server of its own goes. It is deployed by the
 * workflow, not by `cdk deploy`: no asset, no bootstrap rule, every difference between tenants a parameter.
 */
export class TenantStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: 'Tenantry: the cluster of one tenant',
      synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }),
    });
    const parameters = new TenantParameters(this, 'Parameters');
    const network = new TenantNetwork(this, 'Network', parameters.vpcCidr);
    const groups = new TenantGroups(this, 'Groups', network, parameters);
    new TenantEndpoints(this, 'Endpoints', { vpc: network.vpc, tables: network.tables, ids: network.ids('App') });
    // Named like its stack: who sees one in the console finds the other.
    const kubernetes = new AutoModeCluster(this, 'Kubernetes', {
      name: Aws.STACK_NAME,
      version: parameters.kubernetesVersion,
      subnetIds: network.ids('App'),
      securityGroupIds: [groups.app.attrGroupId],
      // The workflow applies pools of its own, which have bounds.
      nodePools: ['system'],
      deletionProtection: parameters.deletionProtection,
      tags: { tenant: parameters.tenantId },
    });
    const { cluster } = kubernetes;
    cluster.overrideLogicalId('Cluster');
    kubernetes.admit('Orchestrator', parameters.orchestratorRoleArn);
    kubernetes.admit('Operator', parameters.operatorArn).cfnOptions.condition = parameters.operated;
    groups.letIn(cluster);
    new TenantPeering(this, 'Peering', network, parameters);
    const databases = new CfnDBSubnetGroup(this, 'Databases', {
      dbSubnetGroupDescription: `Databases of ${Aws.STACK_NAME}`,
      subnetIds: network.ids('Db'),
    });
    Tags.of(this).add('tenant', parameters.tenantId);
    this.tell({
      ClusterName: cluster.ref,
      ClusterArn: cluster.attrArn,
      DatabaseSubnetGroup: databases.ref,
      DatabaseSecurityGroup: groups.db.attrGroupId,
      AppSecurityGroup: groups.app.attrGroupId,
      LoadBalancerSecurityGroup: groups.lb.attrGroupId,
      VpcId: network.vpc.attrVpcId,
      VpcCidr: network.vpc.attrCidrBlock,
      DatabaseCidrs: Fn.join(
        ',',
        network.subnets.Db.map(({ attrCidrBlock }) => attrCidrBlock),
      ),
      NodeMinimum: parameters.nodeMinimum,
      NodeMaximum: parameters.nodeMaximum,
    });
  }

  private tell(outputs: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value }).overrideLogicalId(name);
  }
}

/**
 * The template of every tenant's stack, the same for all of them: what differs are its parameters. Throws when a rule of cdk-nag or
 * CloudFormation's own validation finds something that nobody has acknowledged.
 */
export const synthTenantTemplate = (): object => {
  synthesised ??= synthesise();
  return synthesised;
};

let synthesised: object | undefined;

const synthesise = (): object => {
  const outdir = mkdtempSync(join(tmpdir(), 'tenantry-tenant-stack-'));
  try {
    const app = new App({ outdir, analyticsReporting: false });
    const stack = new TenantStack(app, 'TenantryTenant');
    acknowledgeTenantStack(stack);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
    return app.synth().getStackByName(stack.stackName).template as object;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
};

/** Puts the template among the assets of an app: `httpUrl` is its address, `grantRead` lets a step hand it to CloudFormation. */
export const tenantTemplateAsset = (scope: Construct, id: string): Asset => {
  const folder = join(Stage.of(scope)!.outdir, 'tenant-stack');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'tenant.template.json');
  writeFileSync(path, JSON.stringify(synthTenantTemplate()));
  return new Asset(scope, id, { path });
};
