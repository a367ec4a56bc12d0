import type {
  DescribeStackEventsInput,
  DescribeStackResourceInput,
  DescribeStackResourcesInput,
  DescribeStacksInput,
  GetTemplateInput,
  ListStackResourcesInput,
  ListStacksInput,
  ValidateTemplateInput,
} from '@aws-sdk/client-cloudformation';
import type { Operation } from '../gateway/service.ts';
import { neededCapabilities } from './capabilities.ts';
import { type CloudFormationContext, requireStack } from './context.ts';
import {
  describeEvent,
  describeResource,
  describeStack,
  isTold,
  summariseResource,
  summariseStack,
} from './describe.ts';
import { pageOf } from './paging.ts';
import { invalid } from './refusals.ts';
import type { ResourceRecord, StackRecord } from './store.ts';
import { readTemplate } from './template.ts';
import { templateOf } from './template-source.ts';

const newestFirst = (stacks: readonly StackRecord[]): StackRecord[] =>
  [...stacks].sort((one, other) => other.createdAt - one.createdAt);

const toldResources = ({ store }: CloudFormationContext, stack: StackRecord): ResourceRecord[] =>
  store.resourcesOf(stack.id).filter(isTold);

const requireResource = (context: CloudFormationContext, stack: StackRecord, id: string | undefined) => {
  const found = toldResources(context, stack).find((resource) => resource.id === id);
  if (!found) throw invalid(`Resource ${id} does not exist for stack ${stack.name}`);
  return found;
};

const validate = async (context: CloudFormationContext, input: ValidateTemplateInput) => {
  const template = readTemplate(await templateOf(context, input));
  const capabilities = neededCapabilities(template);
  return {
    Description: template.Description,
    Parameters: Object.entries(template.Parameters).map(([name, { Default, NoEcho, Description }]) => ({
      ParameterKey: name,
      DefaultValue: Default === undefined ? undefined : String(Default),
      NoEcho: String(NoEcho) === 'true',
      Description,
    })),
    Capabilities: capabilities,
    CapabilitiesReason:
      capabilities.length === 0
        ? undefined
        : 'The following resource(s) require capabilities: [AWS::IAM::Role, AWS::IAM::Policy]',
  };
};

export const readingOperations = (context: CloudFormationContext): Record<string, Operation> => {
  const { store } = context;
  return {
    DescribeStacks: ({ StackName, NextToken: token }: DescribeStacksInput) => {
      const live = store.stacks.all().filter(({ status }) => status !== 'DELETE_COMPLETE');
      const stacks = StackName === undefined ? newestFirst(live) : [requireStack(context, StackName)];
      const { items, NextToken } = pageOf(stacks, token);
      return { Stacks: items.map(describeStack), NextToken };
    },
    ListStacks: ({ StackStatusFilter = [], NextToken: token }: ListStacksInput) => {
      const wanted: readonly string[] = StackStatusFilter;
      const stacks = store.stacks.all().filter(({ status }) => wanted.length === 0 || wanted.includes(status));
      const { items, NextToken } = pageOf(newestFirst(stacks), token);
      return { StackSummaries: items.map(summariseStack), NextToken };
    },
    DescribeStackEvents: ({ StackName, NextToken: token }: DescribeStackEventsInput) => {
      const stack = requireStack(context, StackName);
      const { items, NextToken } = pageOf(store.eventsOf(stack.id), token);
      return { StackEvents: items.map((event) => describeEvent(stack, event)), NextToken };
    },
    DescribeStackResources: ({ StackName, LogicalResourceId }: DescribeStackResourcesInput) => {
      const stack = requireStack(context, StackName);
      const resources =
        LogicalResourceId === undefined
          ? toldResources(context, stack)
          : [requireResource(context, stack, LogicalResourceId)];
      return { StackResources: resources.map((resource) => describeResource(stack, resource)) };
    },
    DescribeStackResource: ({ StackName, LogicalResourceId }: DescribeStackResourceInput) => {
      const stack = requireStack(context, StackName);
      const resource = requireResource(context, stack, LogicalResourceId);
      const { Timestamp, ...detail } = describeResource(stack, resource);
      return { StackResourceDetail: { ...detail, LastUpdatedTimestamp: Timestamp } };
    },
    ListStackResources: ({ StackName, NextToken: token }: ListStackResourcesInput) => {
      const stack = requireStack(context, StackName);
      const { items, NextToken } = pageOf(toldResources(context, stack), token);
      return { StackResourceSummaries: items.map(summariseResource), NextToken };
    },
    GetTemplate: ({ StackName }: GetTemplateInput) => ({
      TemplateBody: requireStack(context, StackName).template,
      StagesAvailable: ['Original', 'Processed'],
    }),
    ValidateTemplate: (input: ValidateTemplateInput) => validate(context, input),
  };
};
