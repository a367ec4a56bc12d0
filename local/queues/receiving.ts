import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Row } from './messages.ts';
import type { Queue } from './registry.ts';

interface Taking {
  readonly max: number;
  /** Milliseconds for which the taken messages stay hidden. */
  readonly visibility: number;
  readonly now: number;
  /** Where messages go that were received `maxReceiveCount` times, if the queue has such a place. */
  readonly deadLetter: Queue | undefined;
  move(row: Row, destination: Queue, source: string | null, now: number): void;
}

/** The receipt names the row and cannot be guessed; every receive makes a new one. */
const newReceipt = (seq: number): string =>
  Buffer.from(`${seq}.${randomBytes(16).toString('base64url')}`, 'latin1').toString('base64url');

/**
 * Takes messages for one receive. A message is moved to the dead-letter queue, not handed out, when it was handed out
 * `maxReceiveCount` times already: that is when AWS moves it too. Messages past their retention are dropped on the way.
 * On a FIFO queue a group of which an earlier message is hidden (in flight or delayed) gives nothing: its order would break.
 */
export const takeMessages = (database: DatabaseSync) => {
  const standard = database.prepare(
    'SELECT * FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY visible_at, seq LIMIT ?',
  );
  const fifo = database.prepare(
    `SELECT * FROM messages AS m WHERE queue = :queue AND visible_at <= :now AND NOT EXISTS (
       SELECT 1 FROM messages AS earlier WHERE earlier.queue = m.queue AND earlier.group_id = m.group_id
       AND earlier.seq < m.seq AND earlier.visible_at > :now)
     ORDER BY seq LIMIT :limit`,
  );
  const hide = database.prepare(
    `UPDATE messages SET visible_at = ?, receive_count = receive_count + 1, receipt = ?,
     first_received_at = coalesce(first_received_at, ?) WHERE seq = ? RETURNING *`,
  );
  const expire = database.prepare('DELETE FROM messages WHERE seq = ?');

  const candidates = (queue: Queue, now: number, limit: number): Row[] =>
    (queue.fifo
      ? fifo.all({ queue: queue.name, now, limit })
      : standard.all(queue.name, now, limit)) as unknown as Row[];

  return (queue: Queue, { max, visibility, now, deadLetter, move }: Taking): { rows: Row[]; deadLettered: Queue[] } => {
    const rows: Row[] = [];
    let moved = false;
    while (rows.length < max) {
      const found = candidates(queue, now, max - rows.length);
      if (found.length === 0) break;
      for (const row of found) {
        if (row.sent_at + queue.retention <= now) expire.run(row.seq);
        else if (deadLetter !== undefined && row.receive_count >= (queue.redrive?.maxReceiveCount ?? Infinity)) {
          move(row, deadLetter, queue.arn, now);
          moved = true;
        } else rows.push(hide.get(now + visibility, newReceipt(row.seq), now, row.seq) as unknown as Row);
      }
      // With a visibility of 0 the rows just taken are candidates again: one round is all there is.
      if (visibility === 0) break;
    }
    return { rows, deadLettered: moved && deadLetter !== undefined ? [deadLetter] : [] };
  };
};
