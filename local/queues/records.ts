import { compilePattern, type EventMatcher } from '../events/pattern.ts';
import type { ReceivedMessage } from './waiting.ts';

/** One message as Lambda hands it to a function. Lambda developer guide, "Using Lambda with Amazon SQS". */
export const recordOf = (message: ReceivedMessage, queueArn: string) => ({
  messageId: message.messageId,
  receiptHandle: message.receiptHandle,
  body: message.body,
  attributes: message.attributes,
  messageAttributes: Object.fromEntries(
    Object.entries(message.messageAttributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        ...(StringValue === undefined ? {} : { stringValue: StringValue }),
        ...(BinaryValue === undefined ? {} : { binaryValue: BinaryValue }),
        stringListValues: [],
        binaryListValues: [],
        dataType: DataType,
      },
    ]),
  ),
  md5OfBody: message.md5OfBody,
  ...(message.md5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes: message.md5OfMessageAttributes }),
  eventSource: 'aws:sqs',
  eventSourceARN: queueArn,
  awsRegion: queueArn.split(':')[3] ?? '',
});

export type SqsRecord = ReturnType<typeof recordOf>;

/**
 * Message ids that a function with ReportBatchItemFailures wants to see again. An answer that cannot be read, or names a
 * message that was not in the batch, fails the whole batch; an empty one means all went well. Lambda developer guide.
 */
export const failedItems = (payload: string, sent: readonly string[]): ReadonlySet<string> => {
  const all = new Set(sent);
  let answer: unknown;
  try {
    answer = payload === '' ? null : JSON.parse(payload);
  } catch {
    return all;
  }
  if (answer === null) return new Set();
  const failures = typeof answer === 'object' && 'batchItemFailures' in answer ? answer.batchItemFailures : null;
  if (failures === null || failures === undefined) return typeof answer === 'object' ? new Set() : all;
  if (!Array.isArray(failures)) return all;
  const ids = failures.map((failure: unknown) =>
    failure !== null && typeof failure === 'object' && 'itemIdentifier' in failure ? failure.itemIdentifier : undefined,
  );
  return ids.every((id) => typeof id === 'string' && all.has(id)) ? new Set(ids as string[]) : all;
};

/** FilterCriteria: patterns look at the record, in which a body that is JSON counts as its value. */
export const compileFilters = (patterns: readonly string[]): ((record: SqsRecord) => boolean) => {
  const matchers: EventMatcher[] = patterns.map((pattern) => compilePattern(pattern));
  if (matchers.length === 0) return () => true;
  return (record) => {
    let body: unknown = record.body;
    try {
      body = JSON.parse(record.body);
    } catch {
      // A body that is no JSON is matched as text.
    }
    return matchers.some((matches) => matches({ ...record, body }));
  };
};
