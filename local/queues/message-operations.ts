import type {
  ChangeMessageVisibilityRequest,
  DeleteMessageRequest,
  MessageAttributeValue,
  ReceiveMessageRequest,
  SendMessageRequest,
} from '@aws-sdk/client-sqs';
import { type Operation, ServiceError } from '../gateway/service.ts';
import { queueName, wholeNumber } from './addresses.ts';
import { md5, md5OfAttributes, type StoredAttribute } from './digests.ts';
import type { Draft } from './messages.ts';
import type { QueueStore } from './store.ts';
import type { ReceivedMessage } from './waiting.ts';

type Sending = Omit<SendMessageRequest, 'QueueUrl'>;

const storedAttribute = (name: string, value: MessageAttributeValue): StoredAttribute => {
  const { DataType = '', StringValue, BinaryValue } = value;
  const refuse = (reason: string): never => {
    throw new ServiceError('InvalidParameterValue', `The message attribute '${name}' is invalid. Reason: ${reason}`);
  };
  if (!/^[\w.-]{1,256}$/.test(name)) refuse('its name may hold letters, digits, _, - and . only.');
  const [, kind] = /^(String|Number|Binary)(\..+)?$/.exec(DataType) ?? [];
  if (kind === undefined) refuse(`its type '${DataType}' must be String, Number or Binary, with an optional .label.`);
  if (kind === 'Binary') {
    if (BinaryValue === undefined || BinaryValue.length === 0) return refuse('BinaryValue must not be empty.');
    return { DataType, BinaryValue: Buffer.from(BinaryValue).toString('base64') };
  }
  if (!StringValue) return refuse('StringValue must not be empty.');
  if (kind === 'Number' && !Number.isFinite(Number(StringValue))) refuse(`'${StringValue}' is no number.`);
  return { DataType, StringValue };
};

/** What the store keeps of a SendMessage or of one entry of a batch. Throws InvalidParameterValue naming the field. */
export const draftOf = (input: Sending): Draft => {
  const entries = Object.entries(input.MessageAttributes ?? {});
  if (entries.length > 10)
    throw new ServiceError('InvalidParameterValue', `MessageAttributes has ${entries.length} entries, 10 are allowed.`);
  const delay = wholeNumber('DelaySeconds', input.DelaySeconds, [0, 900]);
  const traceHeader = input.MessageSystemAttributes?.AWSTraceHeader?.StringValue;
  return {
    body: input.MessageBody ?? '',
    attributes: Object.fromEntries(entries.map(([name, value]) => [name, storedAttribute(name, value)])),
    ...(delay === undefined ? {} : { delay: delay * 1000 }),
    ...(traceHeader === undefined ? {} : { traceHeader }),
    ...(input.MessageGroupId === undefined ? {} : { groupId: input.MessageGroupId }),
    ...(input.MessageDeduplicationId === undefined ? {} : { deduplicationId: input.MessageDeduplicationId }),
  };
};

/** Sends one draft and answers with the digests that the client compares with its own. */
export const sendDraft = async (store: QueueStore, name: string, draft: Draft) => {
  const { messageId, sequenceNumber } = await store.send(name, draft);
  const trace: Record<string, StoredAttribute> =
    draft.traceHeader === undefined ? {} : { AWSTraceHeader: { DataType: 'String', StringValue: draft.traceHeader } };
  return {
    MessageId: messageId,
    MD5OfMessageBody: md5(draft.body),
    MD5OfMessageAttributes: md5OfAttributes(draft.attributes ?? {}),
    MD5OfMessageSystemAttributes: md5OfAttributes(trace),
    SequenceNumber: sequenceNumber,
  };
};

const isWanted = (wanted: readonly string[], name: string): boolean =>
  wanted.some(
    (pattern) =>
      pattern === 'All' ||
      pattern === '.*' ||
      pattern === name ||
      (pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -2))),
  );

const picked = <T>(all: Readonly<Record<string, T>>, wanted: readonly string[]): Record<string, T> | undefined => {
  const entries = Object.entries(all).filter(([name]) => isWanted(wanted, name));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

const outward = (message: ReceivedMessage, system: readonly string[], wanted: readonly string[]) => {
  const attributes = picked(message.messageAttributes, wanted);
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: message.md5OfBody,
    Attributes: picked(message.attributes, system),
    MessageAttributes:
      attributes &&
      Object.fromEntries(
        Object.entries(attributes).map(([name, { BinaryValue, ...rest }]) => [
          name,
          BinaryValue === undefined ? rest : { ...rest, BinaryValue: Buffer.from(BinaryValue, 'base64') },
        ]),
      ),
    // Over the attributes that are handed out, not over all: the client can only recompute those.
    MD5OfMessageAttributes: attributes && md5OfAttributes(attributes),
  };
};

const milliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;

/** Operations on single messages. */
export const messageOperations = (store: QueueStore): Record<string, Operation> => ({
  SendMessage: async (input: SendMessageRequest) => sendDraft(store, queueName(input.QueueUrl), draftOf(input)),
  ReceiveMessage: async (input: ReceiveMessageRequest, call) => {
    const visibility = milliseconds(wholeNumber('VisibilityTimeout', input.VisibilityTimeout, [0, 43_200]));
    const wait = milliseconds(wholeNumber('WaitTimeSeconds', input.WaitTimeSeconds, [0, 20]));
    const received = await store.receive(queueName(input.QueueUrl), {
      max: wholeNumber('MaxNumberOfMessages', input.MaxNumberOfMessages, [1, 10]) ?? 1,
      signal: call.signal,
      ...(visibility === undefined ? {} : { visibility }),
      ...(wait === undefined ? {} : { wait }),
    });
    const system = [...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])];
    if (received.length === 0) return {};
    return { Messages: received.map((message) => outward(message, system, input.MessageAttributeNames ?? [])) };
  },
  DeleteMessage: async ({ QueueUrl, ReceiptHandle = '' }: DeleteMessageRequest) => {
    await store.delete(queueName(QueueUrl), ReceiptHandle);
    return {};
  },
  ChangeMessageVisibility: async ({
    QueueUrl,
    ReceiptHandle = '',
    VisibilityTimeout,
  }: ChangeMessageVisibilityRequest) => {
    const seconds = wholeNumber('VisibilityTimeout', VisibilityTimeout, [0, 43_200]);
    if (seconds === undefined)
      throw new ServiceError('MissingParameter', 'The request must contain the parameter VisibilityTimeout.');
    await store.changeVisibility(queueName(QueueUrl), ReceiptHandle, seconds * 1000);
    return {};
  },
});
