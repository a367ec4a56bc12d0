import type {
  ChangeMessageVisibilityBatchRequest,
  DeleteMessageBatchRequest,
  SendMessageBatchRequest,
} from '@aws-sdk/client-sqs';
import { type Operation, ServiceError } from '../gateway/service.ts';
import { queueName, wholeNumber } from './addresses.ts';
import { draftOf, sendDraft } from './message-operations.ts';
import { messageSize } from './messages.ts';
import type { QueueStore } from './store.ts';

/** Bytes of all messages of one SendMessageBatch together. SQS API reference. */
const BATCH_BYTES = 1_048_576;

interface Entry {
  Id: string | undefined;
}

const checkEntries = <T extends Entry>(entries: readonly T[] | undefined, action: string): readonly T[] => {
  if (entries === undefined || entries.length === 0)
    throw new ServiceError('EmptyBatchRequest', `There should be at least one ${action}RequestEntry in the request.`);
  if (entries.length > 10)
    throw new ServiceError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are 10. You have sent ${entries.length}.`,
    );
  const ids = new Set<string>();
  for (const { Id = '' } of entries) {
    if (!/^[\w-]{1,80}$/.test(Id))
      throw new ServiceError(
        'InvalidBatchEntryId',
        `Id "${Id}" of a batch entry can only contain alphanumeric characters, hyphens and underscores, 80 at most.`,
      );
    if (ids.has(Id)) throw new ServiceError('BatchEntryIdsNotDistinct', `Id ${Id} repeated.`);
    ids.add(Id);
  }
  return entries;
};

const failed = (Id: string | undefined, error: unknown) => {
  if (!(error instanceof ServiceError)) throw error;
  return { Id, SenderFault: true, Code: error.name, Message: error.message };
};

/** Runs every entry on its own: one that fails is reported, the others are done. All share one commit. */
const each = async <T extends Entry, R extends object>(entries: readonly T[], work: (entry: T) => Promise<R>) => {
  const outcomes = await Promise.all(
    entries.map(async (entry) => {
      try {
        return { ok: { Id: entry.Id, ...(await work(entry)) } };
      } catch (error) {
        return { failed: failed(entry.Id, error) };
      }
    }),
  );
  return {
    Successful: outcomes.flatMap(({ ok }) => (ok === undefined ? [] : [ok])),
    Failed: outcomes.flatMap((outcome) => (outcome.failed === undefined ? [] : [outcome.failed])),
  };
};

export const batchOperations = (store: QueueStore): Record<string, Operation> => ({
  SendMessageBatch: async (input: SendMessageBatchRequest) => {
    const { name } = store.queue(queueName(input.QueueUrl));
    const entries = checkEntries(input.Entries, 'SendMessageBatch');
    const bytes = entries.reduce((sum, entry) => sum + messageSize({ body: entry.MessageBody ?? '' }), 0);
    if (bytes > BATCH_BYTES)
      throw new ServiceError(
        'BatchRequestTooLong',
        `Batch requests cannot be longer than ${BATCH_BYTES} bytes. You have sent ${bytes} bytes.`,
      );
    return each(entries, async (entry) => sendDraft(store, name, draftOf(entry)));
  },
  DeleteMessageBatch: async (input: DeleteMessageBatchRequest) => {
    const { name } = store.queue(queueName(input.QueueUrl));
    return each(checkEntries(input.Entries, 'DeleteMessageBatch'), async ({ ReceiptHandle = '' }) => {
      await store.delete(name, ReceiptHandle);
      return {};
    });
  },
  ChangeMessageVisibilityBatch: async (input: ChangeMessageVisibilityBatchRequest) => {
    const { name } = store.queue(queueName(input.QueueUrl));
    return each(
      checkEntries(input.Entries, 'ChangeMessageVisibilityBatch'),
      async ({ ReceiptHandle = '', VisibilityTimeout }) => {
        const seconds = wholeNumber('VisibilityTimeout', VisibilityTimeout, [0, 43_200]) ?? 0;
        await store.changeVisibility(name, ReceiptHandle, seconds * 1000);
        return {};
      },
    );
  },
});
