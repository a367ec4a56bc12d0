import {
  AlreadyExistsException,
  type CloudFormationClient,
  CloudFormationServiceException,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
  type StackEvent,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import { StepFailure } from '../../domain/errors.ts';
import { refusal } from './failure.ts';

/** How stacks of single tenants are made; `lib/tenant-stack.ts` is the template behind the URL. */
export interface StackSettings {
  readonly templateUrl: string;
  /** What CloudFormation acts as, then and until the stack is deleted. */
  readonly roleArn: string;
  readonly kubernetesVersion: string;
  readonly nodeMinimum: number;
  readonly nodeMaximum: number;
  /** Addresses of which every tenant's VPC gets a /20. */
  readonly networkRange: string;
  /** Role whose sessions administer the clusters: that of the steps. */
  readonly orchestratorRoleArn: string;
  /** Role or user of the people who use kubectl; undefined: nobody. */
  readonly operatorArn: string | undefined;
  /** The shared VPC with which every tenant's is peered; undefined: none is. */
  readonly shared:
    | { readonly vpcId: string; readonly cidr: string; readonly routeTableIds: readonly string[] }
    | undefined;
}

/** `tenant` is whose stack it is; one without that tag, or of another tenant, is never touched. */
export type StackTags = Readonly<Record<string, string>> & { readonly tenant: string };

export interface StackState {
  /** CloudFormation's own word: `CREATE_IN_PROGRESS`, `ROLLBACK_COMPLETE`, ... */
  readonly status: string;
  readonly tenant: string | undefined;
  /** Why the operation under way or done last failed: the first resource that did, with AWS's words. */
  readonly reason: string | undefined;
  readonly outputs: Readonly<Record<string, string>>;
  readonly terminationProtection: boolean;
}

export interface NewStack {
  readonly stack: string;
  /** A call with the token of an earlier one changes nothing. */
  readonly token: string;
  readonly vpcCidr: string;
  readonly tags: StackTags;
}

export interface Stacks {
  create(stack: NewStack): Promise<void>;
  describe(stack: string): Promise<StackState | undefined>;
  protect(stack: string, on: boolean): Promise<void>;
  remove(stack: string): Promise<void>;
}

const parametersOf = (
  settings: Omit<StackSettings, 'templateUrl' | 'roleArn'>,
  { vpcCidr, tags }: NewStack,
): Record<string, string> => {
  const { shared, operatorArn } = settings;
  return {
    TenantId: tags.tenant,
    VpcCidr: vpcCidr,
    KubernetesVersion: settings.kubernetesVersion,
    NodeMinimum: String(settings.nodeMinimum),
    NodeMaximum: String(settings.nodeMaximum),
    OrchestratorRoleArn: settings.orchestratorRoleArn,
    ...(operatorArn === undefined ? {} : { OperatorArn: operatorArn }),
    // The pool and the tenant's own server replicate to each other in a move and on its way back.
    ...(shared === undefined
      ? {}
      : {
          SharedVpcId: shared.vpcId,
          SharedVpcCidr: shared.cidr,
          SharedRouteTableIds: shared.routeTableIds.join(','),
          DatabaseFromSharedVpc: 'true',
        }),
  };
};

const isMissing = (error: unknown): boolean =>
  error instanceof CloudFormationServiceException && /does not exist/.test(error.message);

const failed = /_FAILED$/;

/** Events come newest first; those of the operation under way or done last end where somebody began it. */
const begins = (event: StackEvent): boolean =>
  event.PhysicalResourceId === event.StackId && event.ResourceStatusReason === 'User Initiated';

export const openStacks = (client: CloudFormationClient, settings: () => StackSettings): Stacks => {
  const find = async (StackName: string): Promise<Stack | undefined> => {
    try {
      const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
      const [found] = Stacks ?? [];
      return found?.StackStatus === 'DELETE_COMPLETE' ? undefined : found;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
  const firstFailure = async (StackName: string): Promise<string | undefined> => {
    let first: StackEvent | undefined;
    let NextToken: string | undefined;
    do {
      const page = await client.send(new DescribeStackEventsCommand({ StackName, NextToken }));
      for (const event of page.StackEvents ?? []) {
        const own = event.PhysicalResourceId === event.StackId;
        if (!own && failed.test(event.ResourceStatus ?? '')) first = event;
        if (begins(event)) return reasonOf(first);
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return reasonOf(first);
  };
  return {
    describe: async (name) => {
      const found = await find(name);
      if (!found) return undefined;
      const status = found.StackStatus!;
      const hasFailed = failed.test(status) || status.startsWith('ROLLBACK_');
      return {
        status,
        tenant: found.Tags?.find(({ Key }) => Key === 'tenant')?.Value,
        reason: hasFailed ? ((await firstFailure(found.StackId!)) ?? found.StackStatusReason) : undefined,
        outputs: Object.fromEntries(
          (found.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey!, OutputValue!]),
        ),
        terminationProtection: found.EnableTerminationProtection ?? false,
      };
    },
    create: async (stack) => {
      const { tags, token } = stack;
      const { templateUrl, roleArn, ...chosen } = settings();
      try {
        await client.send(
          new CreateStackCommand({
            StackName: stack.stack,
            TemplateURL: templateUrl,
            RoleARN: roleArn,
            Parameters: Object.entries(parametersOf(chosen, stack)).map(([ParameterKey, ParameterValue]) => ({
              ParameterKey,
              ParameterValue,
            })),
            Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
            Capabilities: ['CAPABILITY_IAM'],
            // With DELETE the stack would be gone, and its name with it, before anybody has read why.
            OnFailure: 'ROLLBACK',
            ClientRequestToken: token,
          }),
        );
      } catch (error) {
        if (!(error instanceof AlreadyExistsException)) throw refusal(`stack ${stack.stack}`, error);
        const owner = (await find(stack.stack))?.Tags?.find(({ Key }) => Key === 'tenant')?.Value;
        if (owner !== tags.tenant)
          throw new StepFailure(
            'StackRefused',
            `stack ${stack.stack} belongs to ${owner ?? 'nobody that Tenantry knows'}, not to tenant ${tags.tenant}; delete or rename it by hand`,
          );
      }
    },
    protect: async (StackName, on) => {
      await client.send(new UpdateTerminationProtectionCommand({ StackName, EnableTerminationProtection: on }));
    },
    remove: async (StackName) => {
      await client.send(new DeleteStackCommand({ StackName }));
    },
  };
};

const reasonOf = (event: StackEvent | undefined): string | undefined =>
  event && `${event.LogicalResourceId} (${event.ResourceType}): ${event.ResourceStatusReason ?? event.ResourceStatus}`;
