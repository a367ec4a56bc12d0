import { CfnSecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CfnAccessEntry, CfnCluster } from 'aws-cdk-lib/aws-eks';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { type Stack, Validations } from 'aws-cdk-lib/core';
import type { Construct, IConstruct } from 'constructs';
import { clusterPolicies, nodePolicies } from '../auto-mode-cluster.ts';

interface Acknowledgement {
  readonly rule: string;
  readonly reason: string;
  readonly about: (construct: IConstruct) => boolean;
}

const acknowledgements: readonly Acknowledgement[] = [
  {
    rule: 'AwsSolutions-EC23',
    reason: 'The load balancer of an app on the internet: one port, 443, and nothing behind it but the app.',
    about: (construct) => construct instanceof CfnSecurityGroup && construct.node.path.endsWith('/Lb'),
  },
  {
    rule: 'AwsSolutions-EC23',
    reason: "The addresses are a parameter's or the VPC's own, which the rule cannot read and takes for all.",
    about: ({ node }) => node.path.includes('/Groups/Shared') || node.path.endsWith('/Endpoints/Group'),
  },
  ...[...clusterPolicies, ...nodePolicies].map((policy) => ({
    rule: `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`,
    reason:
      'What EKS Auto Mode asks of the role by name (EKS user guide); AWS changes the policy together with the service.',
    about: (construct: IConstruct) => construct instanceof CfnRole,
  })),
  {
    rule: 'CloudFormation-Validate::W1030',
    reason: 'The empty default stands for nobody: the condition Operated leaves the entry out.',
    about: (construct) => construct instanceof CfnAccessEntry,
  },
  {
    rule: 'CloudFormation-Validate::W9009',
    reason: 'Secrets are the only resources that EKS encrypts, and its own API still asks for them by name.',
    about: (construct) => construct instanceof CfnCluster,
  },
];

/** Acknowledges each finding where it is expected, with its reason; anything else fails the synthesis. */
export const acknowledgeTenantStack = (stack: Stack): void => {
  for (const construct of stack.node.findAll())
    for (const { rule, reason, about } of acknowledgements)
      if (about(construct)) Validations.of(construct as Construct).acknowledge({ id: rule, reason });
};
