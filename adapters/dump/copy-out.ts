import type { Socket } from 'node:net';
import type { ClientBase, Submittable } from 'pg';

/** Takes COPY text; a promise stops the server until it is settled, and its rejection ends the copy with that error. */
export type CopySink = (chunk: Buffer, statement: number) => Promise<void> | undefined;

/**
 * Sees every row before it is gathered; `flush` hands what was gathered before it to the sink, so that no chunk holds rows from
 * both sides of it. A throw ends the copy with that error. The row is a view that is overwritten afterwards.
 */
export type RowWatch = (row: Buffer, statement: number, flush: () => void) => void;

const blockBytes = 256 * 1024;

interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

/** The messages of pg's protocol parser that a COPY TO STDOUT brings; pg calls these on the query at work. */
interface CopyHandlers extends Submittable {
  handleCopyData(message: { chunk: Buffer }): void;
  handleCommandComplete(message: { text: string }): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/**
 * Gathers rows into blocks. The parser hands out views of its own buffer that it overwrites, and one row at a time: copying
 * them into blocks of 256 KiB costs one memcpy and spares the consumer millions of small buffers. Blocks are never written twice.
 */
const blocks = (emit: (chunk: Buffer) => void) => {
  let block = Buffer.alloc(0);
  let start = 0;
  let end = 0;
  const flush = (): void => {
    if (end > start) emit(block.subarray(start, end));
    start = end;
  };
  return {
    add: (row: Buffer): void => {
      if (row.length > block.length - end) {
        flush();
        block = Buffer.allocUnsafeSlow(Math.max(blockBytes, row.length));
        start = 0;
        end = 0;
      }
      block.set(row, end);
      end += row.length;
    },
    flush,
  };
};

/**
 * Runs several `COPY ... TO STDOUT` as one message to the server, so that a tenant of many small tables costs one round trip,
 * and passes their text to `sink`, tagged with the place of its statement in the list. Answers the rows of each statement.
 */
export const copyOut = (
  client: ClientBase,
  statements: readonly string[],
  sink: CopySink,
  watch?: RowWatch,
): Promise<number[]> =>
  new Promise((resolve, reject) => {
    const rows: number[] = [];
    let stream: Socket | undefined;
    let waiting = 0;
    let ended = false;
    let failure: unknown;
    const fail = (error: unknown): void => {
      failure ??= error instanceof Error ? error : new Error(String(error));
    };
    /** Only when the sink is done, too: it may not hear of a drain any more once its stream is ended. */
    const settle = (): void => {
      if (!ended || waiting > 0) return;
      if (failure !== undefined) reject(failure);
      else resolve(rows);
    };
    const end = (): void => {
      ended = true;
      settle();
    };
    const gathered = blocks((chunk) => {
      // After a failure the rest is read and dropped: the connection stays usable.
      if (failure !== undefined) return;
      const busy = sink(chunk, rows.length);
      if (!busy) return;
      waiting += 1;
      stream?.pause();
      busy.catch(fail).finally(() => {
        waiting -= 1;
        if (waiting > 0) return;
        stream?.resume();
        settle();
      });
    });
    const watched = (row: Buffer): void => {
      if (failure !== undefined) return;
      try {
        watch?.(row, rows.length, gathered.flush);
        gathered.add(row);
      } catch (error) {
        fail(error);
      }
    };
    const query: CopyHandlers = {
      submit: (connection: unknown) => {
        ({ stream } = connection as Connection);
        (connection as Connection).query(statements.join(';\n'));
      },
      handleCopyData: watch ? ({ chunk }) => watched(chunk) : ({ chunk }) => gathered.add(chunk),
      handleCommandComplete: ({ text }) => {
        gathered.flush();
        rows.push(Number(/^COPY (\d+)$/.exec(text)?.[1] ?? Number.NaN));
      },
      handleReadyForQuery: end,
      // pg forgets the query after an error, so no handleReadyForQuery follows.
      handleError: (error) => {
        fail(error);
        end();
      },
    };
    client.query(query);
  });
