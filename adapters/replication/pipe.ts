import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyOut } from '../dump/copy-out.ts';

/**
 * Streams the rows of one `COPY ... TO STDOUT` into one `COPY ... FROM STDIN` of another server, at the pace of the slower
 * one and with no copy of the whole anywhere. Answers how many rows went over.
 */
export const pipeCopy = async (
  source: pg.ClientBase,
  out: string,
  target: pg.ClientBase,
  into: string,
): Promise<number> => {
  const sink = target.query(copyFrom(into));
  const done = finished(sink);
  // The sink's own failure is reported by `done`; a copy that waits for its drain must not wait for ever.
  const failed = done.then(
    () => undefined,
    (error: unknown) => Promise.reject(error),
  );
  failed.catch(() => undefined);
  try {
    const [rows = 0] = await copyOut(source, [out], (chunk) =>
      sink.write(chunk) ? undefined : Promise.race([once(sink, 'drain').then(() => undefined), failed]),
    );
    sink.end();
    await done;
    return rows;
  } catch (error) {
    sink.destroy(error instanceof Error ? error : new Error(String(error)));
    await done.catch(() => undefined);
    throw error;
  }
};
