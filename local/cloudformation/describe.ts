import type {
  Stack,
  StackEvent,
  StackResource,
  StackResourceSummary,
  StackSummary,
} from '@aws-sdk/client-cloudformation';
import type { EventRecord, ResourceRecord, StackRecord } from './store.ts';
import { readTemplate } from './template.ts';

const date = (time: number | undefined): Date | undefined => (time === undefined ? undefined : new Date(time));

export const describeStack = (stack: StackRecord): Stack => {
  const template = readTemplate(stack.template);
  return {
    StackId: stack.id,
    StackName: stack.name,
    Description: template.Description,
    Parameters: Object.entries(stack.parameters).map(([name, value]) => ({
      ParameterKey: name,
      ParameterValue: String(template.Parameters[name]?.NoEcho) === 'true' ? '****' : value,
    })),
    CreationTime: new Date(stack.createdAt),
    DeletionTime: date(stack.deletedAt),
    RollbackConfiguration: {},
    StackStatus: stack.status as Stack['StackStatus'],
    StackStatusReason: stack.reason,
    DisableRollback: stack.onFailure === 'DO_NOTHING',
    NotificationARNs: [],
    Capabilities: [...stack.capabilities] as Stack['Capabilities'],
    Outputs: stack.outputs.map(({ key, value, export: name }) => ({
      OutputKey: key,
      OutputValue: value,
      Description: template.Outputs[key]?.Description,
      ExportName: name,
    })),
    RoleARN: stack.roleArn,
    Tags: Object.entries(stack.tags).map(([Key, Value]) => ({ Key, Value })),
    EnableTerminationProtection: stack.protected,
    DriftInformation: { StackDriftStatus: 'NOT_CHECKED' },
  };
};

export const summariseStack = (stack: StackRecord): StackSummary => ({
  StackId: stack.id,
  StackName: stack.name,
  TemplateDescription: readTemplate(stack.template).Description,
  CreationTime: new Date(stack.createdAt),
  DeletionTime: date(stack.deletedAt),
  StackStatus: stack.status as Stack['StackStatus'],
  StackStatusReason: stack.reason,
  DriftInformation: { StackDriftStatus: 'NOT_CHECKED' },
});

export const describeEvent = (stack: StackRecord, event: EventRecord): StackEvent => ({
  StackId: stack.id,
  EventId: event.id,
  StackName: stack.name,
  LogicalResourceId: event.resource,
  PhysicalResourceId: event.physicalId ?? '',
  ResourceType: event.type,
  Timestamp: new Date(event.at),
  ResourceStatus: event.status as StackEvent['ResourceStatus'],
  ResourceStatusReason: event.reason,
  ResourceProperties: event.properties === undefined ? undefined : JSON.stringify(event.properties),
  ClientRequestToken: event.token,
});

/** CloudFormation tells of a resource once it has begun with it. */
export const isTold = ({ status }: ResourceRecord): boolean => status !== 'PENDING';

export const summariseResource = (resource: ResourceRecord): StackResourceSummary => ({
  LogicalResourceId: resource.id,
  PhysicalResourceId: resource.physicalId,
  ResourceType: resource.type,
  LastUpdatedTimestamp: new Date(resource.changedAt),
  ResourceStatus: resource.status as StackResource['ResourceStatus'],
  ResourceStatusReason: resource.reason,
  DriftInformation: { StackResourceDriftStatus: 'NOT_CHECKED' },
});

export const describeResource = (stack: StackRecord, resource: ResourceRecord): StackResource => {
  const { LastUpdatedTimestamp, ...summary } = summariseResource(resource);
  return { ...summary, StackId: stack.id, StackName: stack.name, Timestamp: LastUpdatedTimestamp };
};
