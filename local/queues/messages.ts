import { createHash, randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../gateway/service.ts';
import type { StoredAttribute } from './digests.ts';
import { takeMessages } from './receiving.ts';
import type { Queue, QueueRegistry } from './registry.ts';

export interface Draft {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, StoredAttribute>>;
  /** Milliseconds; the queue's own delay where absent. Not allowed per message on a FIFO queue. */
  readonly delay?: number;
  readonly traceHeader?: string;
  readonly groupId?: string;
  readonly deduplicationId?: string;
}

export interface Sent {
  readonly messageId: string;
  /** 20 digits, on FIFO queues only. */
  readonly sequenceNumber?: string;
}

export interface Row {
  seq: number;
  queue: string;
  message_id: string;
  body: string;
  attributes: string;
  trace_header: string | null;
  sent_at: number;
  visible_at: number;
  first_received_at: number | null;
  receive_count: number;
  receipt: string | null;
  source_queue: string | null;
  group_id: string | null;
  deduplication_id: string | null;
}

/** FIFO queues drop a second message with the same deduplication id for five minutes. SQS developer guide. */
const DEDUPLICATION_WINDOW = 5 * 60_000;

/** Characters that XML 1.0 allows, the only ones SQS takes. SQS API reference, SendMessage. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the three control characters are the allowed ones
const allowedText = /^[\u0009\u000A\u000D\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;

export const sequenceNumber = (seq: number): string => String(seq).padStart(20, '0');

/** Bytes that count against MaximumMessageSize: the body and the name, type and value of every attribute. */
export const messageSize = ({ body, attributes = {} }: Draft): number =>
  Object.entries(attributes).reduce(
    (size, [name, { DataType, StringValue = '', BinaryValue = '' }]) =>
      size + Buffer.byteLength(name + DataType + StringValue) + Buffer.byteLength(BinaryValue, 'base64'),
    Buffer.byteLength(body),
  );

const checkDraft = (queue: Queue, draft: Draft): void => {
  const refuse = (name: string, message: string): never => {
    throw new ServiceError(name, message);
  };
  if (draft.body === '') refuse('MissingParameter', 'The request must contain the parameter MessageBody.');
  if (!allowedText.test(draft.body))
    refuse('InvalidMessageContents', 'MessageBody holds characters that SQS does not allow; encode it, as base64 say.');
  const size = messageSize(draft);
  if (size > queue.maximumSize)
    refuse(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${queue.maximumSize} bytes, it has ${size}.`,
    );
  if (!queue.fifo && draft.deduplicationId !== undefined)
    refuse('InvalidParameterValue', 'MessageDeduplicationId is invalid. Reason: only FIFO queues take it.');
  if (!queue.fifo) return;
  if (draft.delay !== undefined)
    refuse('InvalidParameterValue', 'DelaySeconds is invalid. Reason: a FIFO queue has it on the queue only.');
  if (draft.groupId === undefined) refuse('MissingParameter', 'The request must contain the parameter MessageGroupId.');
  if (draft.deduplicationId === undefined && queue.attributes.ContentBasedDeduplication !== 'true')
    refuse(
      'InvalidParameterValue',
      'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    );
};

export interface Messages {
  send(queue: Queue, draft: Draft, now: number): Sent;
  take(queue: Queue, max: number, visibility: number, now: number): { rows: Row[]; deadLettered: Queue[] };
  /** Deletes by receipt handle; an older handle of a message received again deletes nothing, as on AWS. */
  remove(queue: Queue, receiptHandle: string): void;
  changeVisibility(queue: Queue, receiptHandle: string, visibility: number, now: number): void;
  /** Puts a message that is visible in one queue into another; the body, id and time of sending stay. */
  move(row: Row, destination: Queue, source: string | null, now: number): void;
  purge(queue: Queue): void;
  /** Shows every message that somebody received and did not delete. */
  showReceived(queue: Queue, now: number): void;
  /** When the next hidden message of the queue shows itself. */
  nextVisible(queue: Queue, now: number): number | undefined;
  visibleRows(queue: Queue, limit: number, now: number): Row[];
  counts(queue: Queue, now: number): { visible: number; delayed: number; inFlight: number };
}

const receiptPattern = /^(\d{1,15})\.[\w-]{22}$/;

/** The statements over `messages`. All run inside a write of the group commit. */
export const openMessages = (database: DatabaseSync, registry: QueueRegistry): Messages => {
  const insert = database.prepare(
    `INSERT INTO messages (queue, message_id, body, attributes, trace_header, sent_at, visible_at, group_id, deduplication_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const duplicate = database.prepare(
    'SELECT message_id, seq FROM deduplication WHERE queue = ? AND scope = ? AND id = ? AND expires_at > ?',
  );
  const forgetDuplicates = database.prepare('DELETE FROM deduplication WHERE queue = ? AND expires_at <= ?');
  const rememberDuplicate = database.prepare('INSERT OR REPLACE INTO deduplication VALUES (?, ?, ?, ?, ?, ?)');
  const bySeq = database.prepare('SELECT * FROM messages WHERE seq = ? AND queue = ?');
  const removeSeq = database.prepare('DELETE FROM messages WHERE seq = ? AND queue = ? AND receipt = ?');
  const show = database.prepare('UPDATE messages SET visible_at = ? WHERE seq = ?');
  const change = database.prepare(
    `UPDATE messages SET queue = ?, visible_at = ?, receive_count = 0, first_received_at = NULL, receipt = NULL,
     source_queue = ? WHERE seq = ?`,
  );
  const empty = database.prepare('DELETE FROM messages WHERE queue = ?');
  const showReceived = database.prepare(
    'UPDATE messages SET visible_at = ? WHERE queue = ? AND visible_at > ? AND receive_count > 0',
  );
  const next = database.prepare('SELECT min(visible_at) AS at FROM messages WHERE queue = ? AND visible_at > ?');
  const visible = database.prepare('SELECT * FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY seq LIMIT ?');
  const count = database.prepare(
    `SELECT count(*) FILTER (WHERE visible_at <= :now) AS visible,
            count(*) FILTER (WHERE visible_at > :now AND receive_count = 0) AS delayed,
            count(*) FILTER (WHERE visible_at > :now AND receive_count > 0) AS inFlight
     FROM messages WHERE queue = :queue AND sent_at > :oldest`,
  );
  const receiving = takeMessages(database);

  const parseReceipt = (receiptHandle: string): number => {
    const [, seq] = receiptPattern.exec(Buffer.from(receiptHandle, 'base64url').toString('latin1')) ?? [];
    if (seq === undefined)
      throw new ServiceError(
        'ReceiptHandleIsInvalid',
        `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
      );
    return Number(seq);
  };

  const move = (row: Row, destination: Queue, source: string | null, now: number): void => {
    change.run(destination.name, now, source, row.seq);
  };

  return {
    send: (queue, draft, now) => {
      checkDraft(queue, draft);
      const messageId = randomUUID();
      const id = queue.fifo
        ? (draft.deduplicationId ?? createHash('sha256').update(draft.body).digest('hex'))
        : undefined;
      const scope = queue.attributes.DeduplicationScope === 'messageGroup' ? (draft.groupId ?? '') : '';
      if (id !== undefined) {
        forgetDuplicates.run(queue.name, now);
        const earlier = duplicate.get(queue.name, scope, id, now) as { message_id: string; seq: number } | undefined;
        if (earlier !== undefined)
          return { messageId: earlier.message_id, sequenceNumber: sequenceNumber(earlier.seq) };
      }
      const { lastInsertRowid } = insert.run(
        queue.name,
        messageId,
        draft.body,
        JSON.stringify(draft.attributes ?? {}),
        draft.traceHeader ?? null,
        now,
        now + (draft.delay ?? queue.delay),
        draft.groupId ?? null,
        id ?? null,
      );
      const seq = Number(lastInsertRowid);
      if (id === undefined) return { messageId };
      rememberDuplicate.run(queue.name, scope, id, messageId, seq, now + DEDUPLICATION_WINDOW);
      return { messageId, sequenceNumber: sequenceNumber(seq) };
    },
    take: (queue, max, visibility, now) => {
      const target = queue.redrive === undefined ? undefined : registry.findByArn(queue.redrive.deadLetterTargetArn);
      return receiving(queue, { max, visibility, now, deadLetter: target, move });
    },
    remove: (queue, receiptHandle) => {
      removeSeq.run(parseReceipt(receiptHandle), queue.name, receiptHandle);
    },
    changeVisibility: (queue, receiptHandle, visibility, now) => {
      const row = bySeq.get(parseReceipt(receiptHandle), queue.name) as unknown as Row | undefined;
      if (row === undefined)
        throw new ServiceError(
          'InvalidParameterValue',
          `Value ${receiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
        );
      if (row.receipt !== receiptHandle || row.visible_at <= now)
        throw new ServiceError('MessageNotInflight', `The message ${row.message_id} is not in flight.`);
      show.run(now + visibility, row.seq);
    },
    move,
    purge: (queue) => void empty.run(queue.name),
    nextVisible: (queue, now) => (next.get(queue.name, now) as { at: number | null }).at ?? undefined,
    showReceived: (queue, now) => {
      showReceived.run(now, queue.name, now);
    },
    visibleRows: (queue, limit, now) => visible.all(queue.name, now, limit) as unknown as Row[],
    counts: (queue, now) => {
      const row = count.get({ queue: queue.name, now, oldest: now - queue.retention });
      const { visible: shown, delayed, inFlight } = row as { visible: number; delayed: number; inFlight: number };
      return { visible: shown, delayed, inFlight };
    },
  };
};
