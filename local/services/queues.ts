import * as client from '@aws-sdk/client-sqs';
import type { SchemaService } from '../gateway/service.ts';
import { batchOperations } from '../queues/batches.ts';
import { messageOperations } from '../queues/message-operations.ts';
import { queueOperations } from '../queues/queue-operations.ts';
import { openQueueStore, type QueueStore, type QueueStoreOptions } from '../queues/store.ts';

export interface QueuesService extends SchemaService {
  /** The same queues in process: `store.sender` is the QueueSender port. */
  readonly store: QueueStore;
}

/**
 * Amazon SQS on one SQLite file: standard and FIFO queues, dead letters and their redrive. A queue's URL is
 * `<endpoint>/<account>/<name>`; SDK clients send to the host in it, so it is made from the address of each call.
 */
export const createQueuesService = (options: QueueStoreOptions): QueuesService => {
  const store = openQueueStore(options);
  return {
    kind: 'schema',
    signingName: 'sqs',
    protocol: 'awsJson1_0',
    client,
    operations: {
      ...queueOperations(store, options.accountId),
      ...messageOperations(store),
      ...batchOperations(store),
    },
    store,
    close: () => store.close(),
  };
};
