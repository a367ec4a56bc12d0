import { accountId } from '../gateway/account.ts';

export const orchestrator = `arn:aws:iam::${accountId}:role/orchestrator`;

/** Parameters of the tenants' template, as CreateStack takes them. */
export const parametersOf = (tenant: string, more: Readonly<Record<string, string>> = {}) =>
  Object.entries({
    TenantId: tenant,
    VpcCidr: '10.64.16.0/20',
    OrchestratorRoleArn: orchestrator,
    ...more,
  }).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue }));

export const vpc = (CidrBlock = '10.1.0.0/16', more: object = {}) => ({
  Type: 'AWS::EC2::VPC',
  Properties: { CidrBlock },
  ...more,
});

/** The smallest stack with a network and something that hangs on it. */
export const small = (more: object = {}) => ({
  Resources: {
    Vpc: vpc(),
    Subnet: {
      Type: 'AWS::EC2::Subnet',
      Properties: { VpcId: { Ref: 'Vpc' }, CidrBlock: '10.1.1.0/24' },
    },
    ...more,
  },
  Outputs: { Vpc: { Value: { Ref: 'Vpc' } } },
});
