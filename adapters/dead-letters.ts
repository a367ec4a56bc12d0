import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

export interface DeadLetter {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** Why it was refused; messages that SQS itself moved after too many receives have none. */
  readonly reason?: string | undefined;
  readonly detailType?: string | undefined;
  readonly sentAt: Date;
}

export interface DeadLetters {
  /** Puts an event aside with the reason; `detailType` as far as it could be read. */
  send(body: string, reason: string, detailType?: string): Promise<string>;
  /** Takes up to `limit` messages for 30 s; `giveBack` or `remove` every one of them. */
  take(limit: number): Promise<DeadLetter[]>;
  giveBack(letter: DeadLetter): Promise<void>;
  remove(letter: DeadLetter): Promise<void>;
}

const visibilitySeconds = 30;

const letterOf = (message: Message): DeadLetter => ({
  messageId: message.MessageId!,
  receiptHandle: message.ReceiptHandle!,
  body: message.Body ?? '',
  reason: message.MessageAttributes?.reason?.StringValue,
  detailType: message.MessageAttributes?.detailType?.StringValue,
  sentAt: new Date(Number(message.Attributes?.SentTimestamp ?? 0)),
});

/** SQS refuses an attribute value without a character and counts attributes into the 256 KiB of a message. */
const attribute = (text: string): { DataType: 'String'; StringValue: string } => ({
  DataType: 'String',
  StringValue: text.slice(0, 2_000) || '(none)',
});

export const openDeadLetters = (client: SQSClient, queueUrl: string): DeadLetters => ({
  send: async (body, reason, detailType = '(unknown)') => {
    const sent = await client.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: body || '(empty)',
        MessageAttributes: { reason: attribute(reason), detailType: attribute(detailType) },
      }),
    );
    return sent.MessageId!;
  },
  take: async (limit) => {
    const letters = new Map<string, DeadLetter>();
    // A receive answers at most 10 and sometimes fewer than there are; an empty one ends the search.
    while (letters.size < limit) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: Math.min(10, limit - letters.size),
          VisibilityTimeout: visibilitySeconds,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['SentTimestamp'],
        }),
      );
      if (Messages.length === 0) break;
      for (const letter of Messages.map(letterOf)) letters.set(letter.messageId, letter);
    }
    return [...letters.values()];
  },
  giveBack: async ({ receiptHandle }) => {
    await client.send(
      new ChangeMessageVisibilityCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 }),
    );
  },
  remove: async ({ receiptHandle }) => {
    await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle }));
  },
});
