import { CfnCluster } from 'aws-cdk-lib/aws-eks';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { type Stack, Validations } from 'aws-cdk-lib/core';
import type { Construct, IConstruct } from 'constructs';
import { tasksCluster } from '../domain/deployment.ts';
import { machineName, type WorkflowName, workflows } from '../domain/workflows.ts';
import { clusterPolicies, nodePolicies } from './auto-mode-cluster.ts';

interface Acknowledgement {
  readonly rule: string;
  readonly reason: string;
  /** Which constructs it is about; a rule that breaks anywhere else still fails the synthesis. */
  readonly about: (construct: IConstruct) => boolean;
}

const isOfCdk = ({ node }: IConstruct): boolean =>
  node.path.includes('Custom::CDKBucketDeployment') || node.path.includes('SetUpProvider/framework');

const isPolicy = (construct: IConstruct): boolean => construct instanceof CfnPolicy;

const isRole = (construct: IConstruct): boolean => construct instanceof CfnRole;

const isFunction = (construct: IConstruct): boolean => construct instanceof CfnFunction;

const acknowledgements: readonly Acknowledgement[] = [
  {
    rule: 'Serverless-LambdaDLQ',
    reason:
      "Step Functions invokes the steps synchronously and catches their failures; queue readers have the queue's own dead-letter queue. ReapLeases, SweepMoves and VerifyDomains alone are invoked asynchronously, by their schedules, and what one run could not do the next one does minutes later.",
    about: isFunction,
  },
  {
    rule: 'Serverless-LambdaEventSourceMappingDestination',
    reason:
      'An on-failure destination of a mapping is for streams; SQS has the redrive policy to the dead-letter queue instead.',
    about: ({ node }) => node.path.includes('SqsEventSource'),
  },
  {
    rule: 'Serverless-SQSRedrivePolicy',
    reason: 'This is the dead-letter queue itself: an alarm watches it and `tenantry event replay` empties it.',
    about: ({ node }) => node.path.includes('Events/DeadLetters'),
  },
  ...[
    'Serverless-LambdaTracing',
    'Serverless-LambdaLatestVersion',
    'Serverless-LambdaDefaultMemorySize',
    'AwsSolutions-L1',
  ].map((rule) => ({
    rule,
    reason:
      'A function that CDK itself brings for the deployment (schema files, set-up resource); its settings are not ours to choose and it runs only while a stack is deployed.',
    about: isOfCdk,
  })),
  {
    rule: 'AwsSolutions-SMG4',
    reason:
      "Role passwords are rotated by running set-up again with a new secret value: a rotation function alone would change the secret and not the login role. Logins are reachable from the functions' security group only.",
    about: (construct) => construct instanceof CfnSecret,
  },
  ...[
    'AwsSolutions-IAM5[Resource::TenantryPlatform:ExportsOutputFnGetAttArchiveDA4CB258ArnBE8F3792/*]',
    'AwsSolutions-IAM5[Resource::TenantryPlatform:ExportsOutputFnGetAttArchiveDA4CB258ArnBE8F3792/fleet/*]',
    'AwsSolutions-IAM5[Resource::TenantryPlatform:ExportsOutputFnGetAttArchiveDA4CB258ArnBE8F3792/t/*]',
  ].map((rule) => ({
    rule,
    reason:
      'Archives of all tenants lie in one bucket under t/<tenant>/, written and read by the same steps; actions are named one by one and the resource is bound to that bucket.',
    about: isPolicy,
  })),
  ...(Object.keys(workflows) as WorkflowName[]).flatMap((workflow) =>
    [':*', '/*'].map((end) => ({
      rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<region>:<AWS::AccountId>:execution:${machineName(workflow)}${end}]`,
      reason:
        'Executions get their names when they start; the resource is bound to the one machine and the actions are named.',
      about: isPolicy,
    })),
  ),
  ...['*', ...['app', 'provision', 'backup', 'restore', 'replicate', 'migrate'].map((role) => `*/${role}-*`)].map(
    (end) => ({
      rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<region>:<AWS::AccountId>:secret:tenantry/t/${end}]`,
      reason:
        'Tenants get logins of their own while the deployment lives; a step reads those of its own role only, and only the steps that make or drop a database may write them.',
      about: isPolicy,
    }),
  ),
  ...[
    'cloudformation:<region>:<AWS::AccountId>:stack/tenantry-*/*',
    'eks:<region>:<AWS::AccountId>:access-entry/tenantry-*',
    'eks:<region>:<AWS::AccountId>:cluster/tenantry-*',
    'eks:<region>:<AWS::AccountId>:podidentityassociation/tenantry-*',
    'iam::<AWS::AccountId>:role/tenantry-*',
    'logs:<region>:<AWS::AccountId>:log-group:/aws/eks/tenantry-*',
    'logs:<region>:<AWS::AccountId>:log-group:tenantry-*',
    'rds:<region>:<AWS::AccountId>:subgrp:tenantry-*',
  ].map((resource) => ({
    rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:${resource}]`,
    reason:
      "Clusters of single tenants, their stacks and what is in those get their names when they are made: all begin with Tenantry's. The actions are named one by one; roles get no policy but AWS's for EKS.",
    about: (construct: IConstruct) => isPolicy(construct) || isRole(construct),
  })),
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      "CloudFormation makes tenants' networks and keys, whose names nobody knows before: the actions are named one by one, in one region.",
    about: ({ node }) => node.path.includes('TenantClusters/StackRole'),
  },
  ...[...clusterPolicies, ...nodePolicies].map((policy) => ({
    rule: `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`,
    reason:
      'What EKS Auto Mode asks of the role by name (EKS user guide); AWS changes the policy together with the service.',
    about: isRole,
  })),
  {
    rule: 'CloudFormation-Validate::W9009',
    reason: 'Secrets are the only resources that EKS encrypts, and its own API still asks for them by name.',
    about: (construct) => construct instanceof CfnCluster,
  },
  ...['db', 'snapshot'].map((kind) => ({
    rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:rds:<region>:<AWS::AccountId>:${kind}:tenantry-*]`,
    reason: 'Servers of single tenants get their names when they are made; the actions are named one by one.',
    about: isPolicy,
  })),
  {
    rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ecs:<region>:<AWS::AccountId>:task/${tasksCluster}/*]`,
    reason:
      'Tasks get their ids when they start; the resource is bound to the one cluster, by its name and by a condition, and the actions are named.',
    about: isPolicy,
  },
  {
    rule: 'AwsSolutions-ECS2',
    reason:
      "The variables of a task are those of its step's function: names of places, a step and a time, never a secret. Logins are read from Secrets Manager by the step itself.",
    about: ({ node }) => node.path.includes('/Tasks/'),
  },
  ...['reap-leases', 'sweep-moves', 'verify-domains'].map((name) => ({
    rule: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:lambda:<region>:<AWS::AccountId>:function:tenantry-${name}:*]`,
    reason:
      "Scheduler's target of CDK allows the versions and aliases of the one function that it calls; there are none.",
    about: isPolicy,
  })),
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'X-Ray (PutTraceSegments, PutTelemetryRecords) and the log delivery of Step Functions take no resource in IAM.',
    about: isPolicy,
  },
  ...[
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<region>/*]',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:lambda:<region>:<AWS::AccountId>:function:tenantry-set-up:*]',
    'AwsSolutions-IAM5[Action::s3:GetBucket*]',
    'AwsSolutions-IAM5[Action::s3:GetObject*]',
    'AwsSolutions-IAM5[Action::s3:List*]',
    'AwsSolutions-IAM5[Action::s3:DeleteObject*]',
    'AwsSolutions-IAM5[Action::s3:Abort*]',
  ].map((rule) => ({
    rule,
    reason: 'Grants that CDK writes for its own deployment functions, used only while a stack is deployed.',
    about: isOfCdk,
  })),
  ...['AWSLambdaBasicExecutionRole', 'AWSLambdaVPCAccessExecutionRole'].map((policy) => ({
    rule: `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${policy}]`,
    reason: 'What a function in a VPC needs to write its log and get its network interface, and nothing more.',
    about: isRole,
  })),
];

/** Acknowledges each finding at the construct that it is about, with its reason; anything else fails the synthesis. */
export const acknowledge = (stack: Stack): void => {
  for (const construct of stack.node.findAll())
    for (const { rule, reason, about } of acknowledgements)
      if (about(construct))
        Validations.of(construct as Construct).acknowledge({ id: rule.replaceAll('<region>', stack.region), reason });
};
