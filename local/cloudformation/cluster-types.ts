import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, PodIdentityAssociation } from '@aws-sdk/client-eks';
import { type Call, ServiceError } from '../gateway/service.ts';
import { nameOf, textOf, textsOf, uuidOf } from './names.ts';
import { HandlerFailure, type ResourceContext, type ResourceType } from './resource-type.ts';
import { isObject, type Json, type JsonObject } from './template.ts';

const callOf = ({ account, stack, signal }: ResourceContext): Call => ({
  requestId: stack.id,
  caller: { accessKeyId: '', accountId: account.accountId, region: account.region, principalArn: stack.caller },
  endpoint: '',
  signal,
});

/** An operation of the EKS beside this CloudFormation. What EKS refuses becomes the resource's failure, in EKS's words. */
const ask = async <Result>(context: ResourceContext, operation: string, input: object): Promise<Result> => {
  try {
    return (await context.eks.operations[operation]!(input, callOf(context))) as Result;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const code = error.name === 'ResourceNotFoundException' ? 'NotFound' : error.name;
    throw new HandlerFailure(code, `${error.message} (Service: Eks, Status Code: ${error.status ?? 400})`);
  }
};

const isMissing = (error: unknown): boolean => error instanceof HandlerFailure && error.code === 'NotFound';

/** `roleArn` of `RoleArn`: CloudFormation's names are EKS's with a capital letter; keys of maps stay. */
const camel = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(camel);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [`${key[0]!.toLowerCase()}${key.slice(1)}`, camel(item)]),
  );
};

const tagsOf = (given: Json | undefined): Record<string, string> =>
  Object.fromEntries(
    (Array.isArray(given) ? given : [])
      .filter(isObject)
      .map((tag: JsonObject) => [textOf(tag.Key), textOf(tag.Value)] as const),
  );

const pollMillis = 50;

const describe = async (context: ResourceContext, name: string): Promise<Cluster | undefined> => {
  try {
    return (await ask<{ cluster: Cluster }>(context, 'DescribeCluster', { name })).cluster;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

const reached = async (
  context: ResourceContext,
  name: string,
  done: (cluster: Cluster | undefined) => boolean,
): Promise<Cluster | undefined> => {
  for (;;) {
    const cluster = await describe(context, name);
    if (done(cluster)) return cluster;
    await delay(pollMillis, undefined, { signal: context.signal });
  }
};

/** CloudFormation's form of the two settings that EKS's call spells otherwise. */
const requestOf = (properties: JsonObject, name: string, context: ResourceContext): object => {
  const { Tags, Logging, ResourcesVpcConfig, AccessConfig, ...rest } = properties;
  const types =
    isObject(Logging ?? null) && isObject((Logging as JsonObject).ClusterLogging ?? null)
      ? ((Logging as JsonObject).ClusterLogging as JsonObject).EnabledTypes
      : undefined;
  return {
    ...(camel(rest) as object),
    name,
    // A parameter is text; CloudFormation makes of it what the property is.
    deletionProtection: String(rest.DeletionProtection) === 'true',
    resourcesVpcConfig: camel(ResourcesVpcConfig ?? {}),
    // CloudFormation's default differs from the call's: the creator administers the cluster only where the template says so.
    accessConfig: { bootstrapClusterCreatorAdminPermissions: false, ...(camel(AccessConfig ?? {}) as object) },
    ...(Array.isArray(types)
      ? {
          logging: {
            clusterLogging: [{ types: types.map((type: Json) => textOf((type as JsonObject).Type)), enabled: true }],
          },
        }
      : {}),
    tags: { ...context.stack.tags, ...tagsOf(Tags) },
    clientRequestToken: uuidOf(context),
  };
};

/** The VPC of a cluster's subnets: where the load balancers are that its Kubernetes made. */
const vpcOf = ({ store }: ResourceContext, properties: JsonObject): string | undefined => {
  const subnets = textsOf((properties.ResourcesVpcConfig as JsonObject | undefined)?.SubnetIds);
  const found = store.resourcesOfType('AWS::EC2::Subnet').find(({ physicalId = '' }) => subnets.includes(physicalId));
  return found && textOf(found.properties.VpcId);
};

/** A deleted cluster's load balancers stay, for nobody is left to remove them, and keep their VPC with them. */
const noteLeftovers = async (context: ResourceContext, name: string, properties: JsonObject): Promise<void> => {
  const vpc = vpcOf(context, properties);
  const names = await context.loadBalancers(name);
  if (vpc !== undefined && names.length > 0) context.store.leftovers.put(vpc, { names });
};

const cluster: ResourceType = {
  required: ['RoleArn', 'ResourcesVpcConfig'],
  attributes: [
    'Arn',
    'Endpoint',
    'CertificateAuthorityData',
    'ClusterSecurityGroupId',
    'OpenIdConnectIssuerUrl',
    'EncryptionConfigKeyArn',
  ],
  physicalId: (properties, context) => nameOf(properties, 'Name', context, 100),
  create: async (properties, name, context) => {
    await ask(context, 'CreateCluster', requestOf(properties, name, context));
    const made = await reached(context, name, (found) => found?.status !== 'CREATING');
    if (made?.status !== 'ACTIVE')
      throw new HandlerFailure('NotStabilized', `Cluster ${name} is ${made?.status ?? 'gone'}, not ACTIVE`);
    return {
      attributes: {
        Arn: made.arn!,
        Endpoint: made.endpoint!,
        CertificateAuthorityData: made.certificateAuthority!.data!,
        ClusterSecurityGroupId: made.resourcesVpcConfig!.clusterSecurityGroupId!,
        OpenIdConnectIssuerUrl: made.identity!.oidc!.issuer!,
        EncryptionConfigKeyArn: made.encryptionConfig?.[0]?.provider?.keyArn ?? '',
      },
    };
  },
  remove: async (properties, name, context) => {
    const found = await reached(context, name, (each) => each?.status !== 'CREATING');
    // A cluster of the name that another stack made, or a hand: it is not this stack's to delete.
    if (!found || found.clientRequestToken !== uuidOf(context)) return;
    if (found.status === 'ACTIVE') {
      await noteLeftovers(context, name, properties);
      await ask(context, 'DeleteCluster', { name });
    }
    await reached(context, name, (each) => each === undefined);
  },
};

const accessEntry: ResourceType = {
  required: ['ClusterName', 'PrincipalArn'],
  attributes: ['AccessEntryArn'],
  physicalId: (properties) => `${textOf(properties.PrincipalArn)}|${textOf(properties.ClusterName)}`,
  create: async (properties, _, context) => {
    const entry = { clusterName: textOf(properties.ClusterName), principalArn: textOf(properties.PrincipalArn) };
    const { Tags, AccessPolicies, ...rest } = properties;
    const described = (): Promise<{ accessEntry: { accessEntryArn: string; tags: Record<string, string> } }> =>
      ask(context, 'DescribeAccessEntry', entry);
    const input = { ...(camel(rest) as object), tags: { ...context.stack.tags, ...tagsOf(Tags) } };
    await ask(context, 'CreateAccessEntry', input).catch((error: unknown) => {
      const found = error instanceof HandlerFailure && error.code === 'ResourceInUseException';
      if (!found || !context.resumed) throw error;
    });
    for (const policy of (Array.isArray(AccessPolicies) ? AccessPolicies : []) as readonly Json[])
      await ask(context, 'AssociateAccessPolicy', { ...entry, ...(camel(policy) as object) });
    return { attributes: { AccessEntryArn: (await described()).accessEntry.accessEntryArn } };
  },
  remove: async (properties, _, context) => {
    const entry = { clusterName: properties.ClusterName!, principalArn: properties.PrincipalArn! };
    await ask(context, 'DeleteAccessEntry', entry).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  },
};

const findAssociation = async (
  context: ResourceContext,
  properties: JsonObject,
): Promise<PodIdentityAssociation | undefined> => {
  const { associations } = await ask<{ associations: PodIdentityAssociation[] }>(
    context,
    'ListPodIdentityAssociations',
    {
      clusterName: properties.ClusterName,
      namespace: properties.Namespace,
      serviceAccount: properties.ServiceAccount,
    },
  );
  return associations[0];
};

const podIdentity: ResourceType = {
  required: ['ClusterName', 'Namespace', 'RoleArn', 'ServiceAccount'],
  attributes: ['AssociationArn', 'AssociationId'],
  physicalId: (properties) =>
    ['ClusterName', 'Namespace', 'ServiceAccount'].map((name) => textOf(properties[name])).join('|'),
  create: async (properties, _, context) => {
    const { Tags, ...rest } = properties;
    const { association } = await ask<{ association: PodIdentityAssociation }>(
      context,
      'CreatePodIdentityAssociation',
      {
        ...(camel(rest) as object),
        tags: { ...context.stack.tags, ...tagsOf(Tags) },
        clientRequestToken: uuidOf(context),
      },
    );
    return {
      attributes: {
        AssociationArn: association.associationArn!,
        AssociationId: association.associationId!,
      },
    };
  },
  remove: async (properties, _, context) => {
    const clusterName = properties.ClusterName!;
    const found = await findAssociation(context, properties).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found) await ask(context, 'DeletePodIdentityAssociation', { clusterName, associationId: found.associationId });
  },
};

/** EKS's resources, which act on the EKS beside this CloudFormation. */
export const clusterTypes: Readonly<Record<string, ResourceType>> = {
  'AWS::EKS::Cluster': cluster,
  'AWS::EKS::AccessEntry': accessEntry,
  'AWS::EKS::PodIdentityAssociation': podIdentity,
};
