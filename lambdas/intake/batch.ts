import { Logger } from '@aws-lambda-powertools/logger';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';

export const logger = new Logger({ serviceName: 'tenantry' });

/**
 * Takes every message of a batch by itself. One that could not be taken now is reported (ReportBatchItemFailures), stays in
 * the queue and comes again; the others are gone.
 */
export const takeEach = async (event: SQSEvent, take: (body: string) => Promise<void>): Promise<SQSBatchResponse> => {
  const outcomes = await Promise.allSettled(event.Records.map(({ body }) => take(body)));
  const batchItemFailures = outcomes.flatMap((outcome, index) => {
    if (outcome.status === 'fulfilled') return [];
    logger.error('event stays in the queue', { error: outcome.reason as Error });
    return [{ itemIdentifier: event.Records[index]!.messageId }];
  });
  return { batchItemFailures };
};
