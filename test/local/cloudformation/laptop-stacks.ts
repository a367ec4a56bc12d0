import {
  CloudFormationClient,
  CreateStackCommand,
  type CreateStackCommandInput,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  type Stack,
  type StackEvent,
} from '@aws-sdk/client-cloudformation';
import { EKSClient, ListClustersCommand } from '@aws-sdk/client-eks';
import { expect, onTestFinished, vi } from 'vitest';
import { type Clusters, startClusters } from '../../../local/clusters.ts';
import type { ControlPlane } from '../../../local/eks/control-plane.ts';
import type { ObjectStore } from '../../../local/ports.ts';
import { type CloudFormationOptions, createCloudFormationService } from '../../../local/services/cloudformation.ts';
import { createEksService } from '../../../local/services/eks.ts';
import { createS3Service } from '../../../local/services/s3.ts';
import { createStsService } from '../../../local/services/sts.ts';
import { recordingPlane } from '../eks/laptop-eks.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

export interface LaptopOptions extends Partial<Omit<CloudFormationOptions, 'eks' | 'objects'>> {
  readonly clusterDelayMillis?: number;
  /** Serves the clusters' Kubernetes, with controllers; without it a recording stands in for it. */
  readonly kubernetes?: boolean;
  /** Of an earlier life. */
  readonly root?: string;
}

/** CloudFormation, EKS and S3 behind one gateway, and unmodified clients. `close` ends a life as a kill does. */
export const openStacks = async (options: LaptopOptions = {}) => {
  const { clusterDelayMillis = 20, root = await temporary('stacks'), kubernetes = false, ...more } = options;
  const { plane, calls } = recordingPlane();
  let served: Clusters | undefined;
  const servedPlane: ControlPlane = {
    get certificateAuthority() {
      return served!.plane.certificateAuthority;
    },
    create: (name) => served!.plane.create(name),
    remove: (name) => served!.plane.remove(name),
    endpoint: (name) => served!.plane.endpoint(name),
  };
  const place = { region, accountId };
  const eks = createEksService({
    ...place,
    directory: `${root}/eks`,
    controlPlanes: kubernetes ? servedPlane : plane,
    createDelayMillis: clusterDelayMillis,
  });
  const said: string[] = [];
  let objects: ObjectStore | undefined;
  const stacks = createCloudFormationService({
    ...place,
    directory: `${root}/cloudformation`,
    eks,
    objects: {
      get: (...at) => objects!.get(...at),
      put: (...at) => objects!.put(...at),
      list: (...at) => objects!.list(...at),
    },
    resourceDelayMillis: 1,
    loadBalancers: async (cluster) => served?.loadBalancers(cluster) ?? [],
    log: (line) => said.push(line),
    ...more,
  });
  const endpoint = await openEndpoint(({ credentials }) => {
    const s3 = createS3Service({
      ...place,
      directory: `${root}/s3`,
      credentials: { lookup: (id) => credentials.find(id) },
    });
    objects = s3.objects;
    return [stacks, eks, s3, createStsService({ accountId, credentials })];
  });
  if (kubernetes)
    served = await startClusters({
      home: root,
      accountId,
      credentials: endpoint.credentials,
      identityOf: (...who) => eks.identityOf(...who),
      images: new Map(),
      log: () => undefined,
    });
  eks.start();
  stacks.start();
  const close = async (): Promise<void> => {
    await endpoint.gateway.close();
    await served?.close();
    served = undefined;
  };
  onTestFinished(async () => {
    await close();
    expect(said).toEqual([]);
  });
  const client = new CloudFormationClient(endpoint.config);
  const clusters = new EKSClient(endpoint.config);
  return { ...endpoint, root, client, clusters, eks, calls, close, objects: () => objects! };
};

export type LaptopStacks = Awaited<ReturnType<typeof openStacks>>;

/** Asks for a stack with a template given as an object. Answers its id. */
export const create = async (
  { client }: LaptopStacks,
  StackName: string,
  template: object,
  more: Partial<CreateStackCommandInput> = {},
): Promise<string> => {
  const { StackId } = await client.send(
    new CreateStackCommand({
      StackName,
      TemplateBody: JSON.stringify(template),
      Capabilities: ['CAPABILITY_IAM'],
      ...more,
    }),
  );
  return StackId!;
};

export const describe = async ({ client }: LaptopStacks, StackName: string): Promise<Stack> =>
  (await client.send(new DescribeStacksCommand({ StackName }))).Stacks![0]!;

/** The stack once it rests. */
export const rested = (laptop: LaptopStacks, id: string): Promise<Stack> =>
  vi.waitFor(
    async () => {
      const stack = await describe(laptop, id);
      if (stack.StackStatus!.endsWith('_IN_PROGRESS')) throw new Error(`${stack.StackName} is ${stack.StackStatus}`);
      return stack;
    },
    { timeout: 20_000, interval: 20 },
  );

/** Every event, oldest first. */
export const eventsOf = async ({ client }: LaptopStacks, StackName: string): Promise<StackEvent[]> => {
  const events: StackEvent[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new DescribeStackEventsCommand({ StackName, ...(NextToken ? { NextToken } : {}) }));
    events.push(...page.StackEvents!);
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return events.reverse();
};

/** Logical id -> status of each resource. */
export const statusesOf = async ({ client }: LaptopStacks, StackName: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await client.send(new DescribeStackResourcesCommand({ StackName }))).StackResources!.map((resource) => [
      resource.LogicalResourceId!,
      resource.ResourceStatus!,
    ]),
  );

export const outputsOf = ({ Outputs = [] }: Stack): Record<string, string> =>
  Object.fromEntries(Outputs.map(({ OutputKey, OutputValue }) => [OutputKey!, OutputValue!]));

export const clustersOf = async ({ clusters }: LaptopStacks): Promise<string[]> =>
  (await clusters.send(new ListClustersCommand({}))).clusters!;
