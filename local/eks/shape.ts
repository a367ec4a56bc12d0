import { createHash } from 'node:crypto';
import type { Cluster, CreateClusterRequest, UpdateClusterConfigRequest } from '@aws-sdk/client-eks';
import { type Account, eksArn, invalidParameter, roleOf } from './refusals.ts';
import type { ClusterRecord } from './store.ts';

/** Kubernetes versions that EKS creates; those of the CDK release that the app is built with. */
const versions = ['1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36', '1.37'];
const defaultVersion = '1.36';

/** EKS: 1 to 100 letters, digits, hyphens and underscores, a letter or digit first. */
const namePattern = /^[0-9A-Za-z][\w-]{0,99}$/;

const versionOf = (given: string | undefined): string => {
  if (given === undefined) return defaultVersion;
  if (versions.includes(given)) return given;
  throw invalidParameter(`unsupported Kubernetes version ${given}; here there are ${versions.join(', ')}.`);
};

type AutoMode = Pick<CreateClusterRequest, 'computeConfig' | 'kubernetesNetworkConfig' | 'storageConfig'>;

/** Auto Mode is one thing in three places: EKS takes all of them or none, and node pools with a role for their nodes. */
const checkAutoMode = ({ computeConfig, kubernetesNetworkConfig, storageConfig }: AutoMode): void => {
  const switches = [
    computeConfig?.enabled,
    kubernetesNetworkConfig?.elasticLoadBalancing?.enabled,
    storageConfig?.blockStorage?.enabled,
  ].map((enabled) => enabled ?? false);
  if (new Set(switches).size > 1)
    throw invalidParameter(
      'For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.',
    );
  const pools = computeConfig?.nodePools ?? [];
  if (pools.length > 0 && !computeConfig?.nodeRoleArn)
    throw invalidParameter('When Compute Config nodePools are given, nodeRoleArn must be provided.');
  if (pools.length === 0 && computeConfig?.nodeRoleArn)
    throw invalidParameter('When Compute Config nodeRoleArn is not null or empty, nodePool value(s) must be provided.');
  const unknown = pools.find((pool) => !['general-purpose', 'system'].includes(pool));
  if (unknown !== undefined)
    throw invalidParameter(`Compute Config nodePool ${unknown} is not one of general-purpose, system.`);
};

/** EKS's rule: Auto Mode's nodes join by access entries, so the mode CONFIG_MAP alone does not go with it. */
const checkAuthentication = (input: CreateClusterRequest): void => {
  if (input.computeConfig?.enabled && input.accessConfig?.authenticationMode === 'CONFIG_MAP')
    throw invalidParameter('EKS Auto Mode needs authentication mode API or API_AND_CONFIG_MAP.');
};

const hexOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export const requestDigest = (input: object): string => hexOf(JSON.stringify(input));

const networkOf = (input: CreateClusterRequest): Cluster['resourcesVpcConfig'] => {
  const { subnetIds = [], securityGroupIds = [], ...access } = input.resourcesVpcConfig ?? {};
  if (subnetIds.length < 2)
    throw invalidParameter('Subnets specified must be in at least two different AZs; give two subnetIds or more.');
  const { endpointPublicAccess = true, endpointPrivateAccess = false, publicAccessCidrs } = access;
  if (!endpointPublicAccess && !endpointPrivateAccess)
    throw invalidParameter('Private and public endpoint access cannot both be disabled.');
  return {
    subnetIds,
    securityGroupIds,
    clusterSecurityGroupId: `sg-${hexOf(`${input.name} group`).slice(0, 17)}`,
    endpointPublicAccess,
    endpointPrivateAccess,
    publicAccessCidrs: endpointPublicAccess ? (publicAccessCidrs ?? ['0.0.0.0/0']) : [],
  };
};

/** What EKS will describe of the cluster. Throws InvalidParameterException. */
export const newSettings = (account: Account, input: CreateClusterRequest): Cluster => {
  const { name = '' } = input;
  if (!namePattern.test(name))
    throw invalidParameter(
      `The cluster name "${name}" must have 1 to 100 letters, digits, hyphens and underscores, a letter or digit first.`,
    );
  checkAutoMode(input);
  checkAuthentication(input);
  return {
    name,
    arn: eksArn(account, `cluster/${name}`),
    version: versionOf(input.version),
    platformVersion: 'eks.1',
    roleArn: roleOf('roleArn', input.roleArn),
    resourcesVpcConfig: networkOf(input),
    kubernetesNetworkConfig: {
      serviceIpv4Cidr: '10.100.0.0/16',
      ipFamily: 'ipv4',
      elasticLoadBalancing: { enabled: false },
      ...input.kubernetesNetworkConfig,
    },
    logging: input.logging ?? {},
    identity: {
      oidc: { issuer: `https://oidc.eks.${account.region}.amazonaws.com/id/${hexOf(name).slice(0, 32).toUpperCase()}` },
    },
    clientRequestToken: input.clientRequestToken,
    encryptionConfig: input.encryptionConfig,
    accessConfig: {
      authenticationMode: input.accessConfig?.authenticationMode ?? 'CONFIG_MAP',
      bootstrapClusterCreatorAdminPermissions: input.accessConfig?.bootstrapClusterCreatorAdminPermissions ?? true,
    },
    upgradePolicy: { supportType: input.upgradePolicy?.supportType ?? 'EXTENDED' },
    computeConfig: input.computeConfig,
    storageConfig: input.storageConfig,
    deletionProtection: input.deletionProtection ?? false,
  };
};

export interface SettingsChange {
  readonly type: string;
  readonly params: readonly { readonly type: string; readonly value: string }[];
  readonly settings: Partial<Cluster>;
}

/** EKS changes one thing a call. Throws InvalidParameterException when a call names none or several, or what is not changed here. */
export const planUpdate = ({ settings }: ClusterRecord, input: UpdateClusterConfigRequest): SettingsChange => {
  const { name: _name, clientRequestToken: _token, ...asked } = input;
  const named = Object.keys(asked).filter((key) => asked[key as keyof typeof asked] !== undefined);
  if (named.length !== 1)
    throw invalidParameter(`One kind of change is made a call; this one names ${named.join(', ') || 'none'}.`);
  if (asked.deletionProtection !== undefined)
    return {
      type: 'DeletionProtectionUpdate',
      params: [{ type: 'DeletionProtection', value: String(asked.deletionProtection) }],
      settings: { deletionProtection: asked.deletionProtection },
    };
  if (asked.logging !== undefined)
    return {
      type: 'LoggingUpdate',
      params: [{ type: 'ClusterLogging', value: JSON.stringify(asked.logging) }],
      settings: { logging: asked.logging },
    };
  if (asked.resourcesVpcConfig !== undefined) {
    const { subnetIds: _subnets, ...access } = asked.resourcesVpcConfig;
    return {
      type: 'EndpointAccessUpdate',
      params: Object.entries(access).map(([type, value]) => ({ type, value: String(value) })),
      settings: { resourcesVpcConfig: { ...settings.resourcesVpcConfig, ...access } },
    };
  }
  throw invalidParameter(`${named[0]} of a cluster cannot be changed here; AWS itself can.`);
};
