import { randomUUID } from 'node:crypto';
import { nameOf, textOf, textsOf, uuidOf } from './names.ts';
import { HandlerFailure, type ResourceContext, type ResourceType } from './resource-type.ts';

const arn = ({ account }: ResourceContext, service: string, rest: string, regional = true): string =>
  `arn:aws:${service}:${regional ? account.region : ''}:${account.accountId}:${rest}`;

/** Names are one's own in an account, whichever stack made them. */
const requireFree = (context: ResourceContext, type: string, physicalId: string, message: string): void => {
  const taken = context.store
    .resourcesOfType(type)
    .some(
      (found) =>
        found.physicalId === physicalId &&
        !(found.stackId === context.stack.id && found.id === context.id) &&
        !['DELETE_COMPLETE', 'PENDING', 'CREATE_FAILED'].includes(found.status),
    );
  if (taken) throw new HandlerFailure('AlreadyExists', message);
};

const role: ResourceType = {
  required: ['AssumeRolePolicyDocument'],
  attributes: ['Arn', 'RoleId'],
  physicalId: (properties, context) => nameOf(properties, 'RoleName', context, 64),
  create: (_, physicalId, context) => {
    requireFree(
      context,
      'AWS::IAM::Role',
      physicalId,
      `Resource of type 'AWS::IAM::Role' with identifier '${physicalId}' already exists.`,
    );
    return {
      attributes: {
        Arn: arn(context, 'iam', `role/${physicalId}`, false),
        RoleId: `AROA${uuidOf(context).replaceAll('-', '').slice(0, 17).toUpperCase()}`,
      },
    };
  },
};

const policy: ResourceType = {
  required: ['PolicyDocument', 'PolicyName'],
  attributes: ['Id'],
  physicalId: (properties, context) => nameOf({ ...properties, PolicyName: '' }, 'Id', context, 128),
  create: (_, physicalId) => ({ attributes: { Id: physicalId } }),
};

const key: ResourceType = {
  required: [],
  attributes: ['Arn', 'KeyId'],
  physicalId: (_, context) => uuidOf(context),
  create: (_, physicalId, context) => ({
    attributes: { Arn: arn(context, 'kms', `key/${physicalId}`), KeyId: physicalId },
  }),
};

const alias: ResourceType = {
  required: ['AliasName', 'TargetKeyId'],
  attributes: [],
  physicalId: (properties) => textOf(properties.AliasName),
  create: (_, physicalId, context) => {
    requireFree(context, 'AWS::KMS::Alias', physicalId, `An alias with the name ${physicalId} already exists`);
    return { attributes: {} };
  },
};

const logGroup: ResourceType = {
  required: [],
  attributes: ['Arn'],
  physicalId: (properties, context) => nameOf(properties, 'LogGroupName', context, 512),
  create: (_, physicalId, context) => {
    requireFree(
      context,
      'AWS::Logs::LogGroup',
      physicalId,
      `Resource of type 'AWS::Logs::LogGroup' with identifier '{"/properties/LogGroupName":"${physicalId}"}' already exists.`,
    );
    return { attributes: { Arn: arn(context, 'logs', `log-group:${physicalId}:*`) } };
  },
};

const subnetGroup: ResourceType = {
  required: ['DBSubnetGroupDescription', 'SubnetIds'],
  attributes: ['DBSubnetGroupArn'],
  physicalId: (properties, context) => nameOf(properties, 'DBSubnetGroupName', context).toLowerCase(),
  create: (properties, physicalId, context) => {
    const zones = new Set(
      context.store
        .resourcesOfType('AWS::EC2::Subnet')
        .filter((found) => textsOf(properties.SubnetIds).includes(found.physicalId ?? ''))
        .map(({ attributes }) => attributes.AvailabilityZone),
    );
    if (zones.size < 2)
      throw new HandlerFailure(
        'InvalidRequest',
        `The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: ${[...zones].join(', ')}. Add subnets to cover at least 2 AZs. (Service: Rds, Status Code: 400, Request ID: ${randomUUID()})`,
      );
    requireFree(
      context,
      'AWS::RDS::DBSubnetGroup',
      physicalId,
      `DB subnet group '${physicalId}' already exists. (Service: Rds, Status Code: 400, Request ID: ${randomUUID()})`,
    );
    return { attributes: { DBSubnetGroupArn: arn(context, 'rds', `subgrp:${physicalId}`) } };
  },
};

/** IAM, KMS, CloudWatch Logs and RDS subnet groups as records with their names and ARNs. */
export const identityTypes: Readonly<Record<string, ResourceType>> = {
  'AWS::IAM::Role': role,
  'AWS::IAM::Policy': policy,
  'AWS::KMS::Key': key,
  'AWS::KMS::Alias': alias,
  'AWS::Logs::LogGroup': logGroup,
  'AWS::RDS::DBSubnetGroup': subnetGroup,
};
