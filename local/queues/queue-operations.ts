import type {
  CancelMessageMoveTaskRequest,
  CreateQueueRequest,
  GetQueueAttributesRequest,
  ListDeadLetterSourceQueuesRequest,
  ListMessageMoveTasksRequest,
  ListQueuesRequest,
  SetQueueAttributesRequest,
  StartMessageMoveTaskRequest,
  TagQueueRequest,
  UntagQueueRequest,
} from '@aws-sdk/client-sqs';
import { type Call, type Operation, ServiceError } from '../gateway/service.ts';
import { queueName, wholeNumber } from './addresses.ts';
import { withDefaults } from './attributes.ts';
import type { Queue } from './registry.ts';
import type { QueueStore } from './store.ts';

const page = <T>(
  all: readonly T[],
  size: number | undefined,
  token: string | undefined,
): { items: T[]; next?: string } => {
  const from = token === undefined ? 0 : Number(Buffer.from(token, 'base64').toString());
  if (!Number.isInteger(from) || from < 0)
    throw new ServiceError('InvalidParameterValue', `NextToken "${token}" is not one that this service gave out.`);
  const items = all.slice(from, from + (size ?? 1000));
  const to = from + items.length;
  // SQS gives a token only to callers that asked for pages.
  return to < all.length && size !== undefined
    ? { items, next: Buffer.from(String(to)).toString('base64') }
    : { items };
};

/** Operations on queues as such: create, find, describe, tag, empty, delete, and the redrive of dead letters. */
export const queueOperations = (store: QueueStore, accountId: string): Record<string, Operation> => {
  const urlOf = (name: string, call: Call): string => `${call.endpoint}/${accountId}/${name}`;

  const describe = (queue: Queue, names: readonly string[]): Record<string, string> => {
    const { visible, delayed, inFlight } = store.counts(queue.name);
    const all: Record<string, string> = {
      QueueArn: queue.arn,
      ApproximateNumberOfMessages: String(visible),
      ApproximateNumberOfMessagesNotVisible: String(inFlight),
      ApproximateNumberOfMessagesDelayed: String(delayed),
      CreatedTimestamp: String(Math.floor(queue.createdAt / 1000)),
      LastModifiedTimestamp: String(Math.floor(queue.modifiedAt / 1000)),
      ...withDefaults(queue.attributes),
    };
    if (names.includes('All')) return all;
    const known = new Set([
      ...Object.keys(all),
      ...['Policy', 'RedrivePolicy', 'RedriveAllowPolicy', 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds'],
      ...['FifoQueue', 'ContentBasedDeduplication', 'DeduplicationScope', 'FifoThroughputLimit'],
    ]);
    const unknown = names.find((name) => !known.has(name));
    if (unknown !== undefined) throw new ServiceError('InvalidAttributeName', `Unknown Attribute ${unknown}.`);
    return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  };

  return {
    CreateQueue: async ({ QueueName, Attributes = {}, tags = {} }: CreateQueueRequest, call) => {
      if (!QueueName) throw new ServiceError('MissingParameter', 'The request must contain the parameter QueueName.');
      const { name } = await store.create(QueueName, Attributes, tags);
      return { QueueUrl: urlOf(name, call) };
    },
    GetQueueUrl: ({ QueueName = '' }: { QueueName?: string }, call) => ({
      QueueUrl: urlOf(store.queue(QueueName).name, call),
    }),
    ListQueues: ({ QueueNamePrefix = '', MaxResults, NextToken }: ListQueuesRequest, call) => {
      const { items, next } = page(
        store.list(QueueNamePrefix),
        wholeNumber('MaxResults', MaxResults, [1, 1000]),
        NextToken,
      );
      return { QueueUrls: items.map(({ name }) => urlOf(name, call)), NextToken: next };
    },
    GetQueueAttributes: ({ QueueUrl, AttributeNames = [] }: GetQueueAttributesRequest) => {
      const queue = store.queue(queueName(QueueUrl));
      return AttributeNames.length === 0 ? {} : { Attributes: describe(queue, AttributeNames) };
    },
    SetQueueAttributes: async ({ QueueUrl, Attributes = {} }: SetQueueAttributesRequest) => {
      await store.change(queueName(QueueUrl), Attributes);
      return {};
    },
    DeleteQueue: async ({ QueueUrl }: { QueueUrl?: string }) => {
      await store.remove(queueName(QueueUrl));
      return {};
    },
    // AWS answers PurgeQueueInProgress for 60 s because its purge goes on that long; this one is over when it answers.
    PurgeQueue: async ({ QueueUrl }: { QueueUrl?: string }) => {
      await store.purge(queueName(QueueUrl));
      return {};
    },
    TagQueue: async ({ QueueUrl, Tags = {} }: TagQueueRequest) => {
      const queue = store.queue(queueName(QueueUrl));
      const tags = { ...queue.tags, ...Tags };
      if (Object.keys(tags).length > 50)
        throw new ServiceError('InvalidParameterValue', `Too many tags on queue ${queue.name}: 50 are allowed.`);
      await store.tag(queue.name, tags);
      return {};
    },
    UntagQueue: async ({ QueueUrl, TagKeys = [] }: UntagQueueRequest) => {
      const queue = store.queue(queueName(QueueUrl));
      const kept = Object.entries(queue.tags).filter(([key]) => !TagKeys.includes(key));
      await store.tag(queue.name, Object.fromEntries(kept));
      return {};
    },
    ListQueueTags: ({ QueueUrl }: { QueueUrl?: string }) => {
      const { tags } = store.queue(queueName(QueueUrl));
      return Object.keys(tags).length === 0 ? {} : { Tags: tags };
    },
    ListDeadLetterSourceQueues: ({ QueueUrl, MaxResults, NextToken }: ListDeadLetterSourceQueuesRequest, call) => {
      const { arn } = store.queue(queueName(QueueUrl));
      const sources = store.list('').filter(({ redrive }) => redrive?.deadLetterTargetArn === arn);
      const { items, next } = page(sources, wholeNumber('MaxResults', MaxResults, [1, 1000]), NextToken);
      return { queueUrls: items.map(({ name }) => urlOf(name, call)), NextToken: next };
    },
    StartMessageMoveTask: async ({
      SourceArn = '',
      DestinationArn,
      MaxNumberOfMessagesPerSecond,
    }: StartMessageMoveTaskRequest) => ({
      TaskHandle: await store.moves.start(SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond),
    }),
    CancelMessageMoveTask: async ({ TaskHandle = '' }: CancelMessageMoveTaskRequest) => ({
      ApproximateNumberOfMessagesMoved: await store.moves.cancel(TaskHandle),
    }),
    ListMessageMoveTasks: ({ SourceArn = '', MaxResults }: ListMessageMoveTasksRequest) => ({
      Results: store.moves.list(SourceArn, wholeNumber('MaxResults', MaxResults, [1, 10]) ?? 1).map((task) => ({
        TaskHandle: task.status === 'RUNNING' ? task.handle : undefined,
        Status: task.status,
        SourceArn: task.source,
        DestinationArn: task.destination ?? undefined,
        MaxNumberOfMessagesPerSecond: task.per_second ?? undefined,
        ApproximateNumberOfMessagesMoved: task.moved,
        ApproximateNumberOfMessagesToMove: task.to_move,
        FailureReason: task.failure ?? undefined,
        StartedTimestamp: task.started_at,
      })),
    }),
  };
};
