import type { DatabaseSync } from 'node:sqlite';
import { StateFailure } from './failure.ts';

/** Step Functions quota "Maximum event history size": an execution that reaches it fails and cannot go on. */
export const eventLimit = 25_000;

export interface EventRow {
  readonly id: number;
  readonly previous: number;
  readonly type: string;
  readonly at: number;
  readonly details: string | null;
  readonly data: string | null;
}

/** The execution as the history knows it: `events` is the id of its last event. */
interface Chronicle {
  readonly key: number;
  events: number;
}

/** How to read a page: `after` is the last id seen, in the direction of reading. */
export interface PageOfEvents {
  readonly limit: number;
  readonly reverse: boolean;
  readonly after?: number;
}

export interface History {
  /**
   * Adds one event and answers its id. `data` is the JSON text of the input, output or parameters and is stored as it is.
   * Throws States.Runtime when only the one place is left that the end of the execution needs.
   */
  append(execution: Chronicle, type: string, previous: number, details?: object, data?: string): number;
  read(key: number, page: PageOfEvents): EventRow[];
  dataOf(key: number, id: number): string;
}

const endings = /^Execution(?:Succeeded|Failed|Aborted|TimedOut|Redriven)$/;

export const openHistory = (database: DatabaseSync): History => {
  const insert = database.prepare('INSERT INTO events VALUES(?,?,?,?,?,?,?)');
  const forward = database.prepare('SELECT * FROM events WHERE execution = ? AND id > ? ORDER BY id LIMIT ?');
  const backward = database.prepare('SELECT * FROM events WHERE execution = ? AND id < ? ORDER BY id DESC LIMIT ?');
  const data = database.prepare('SELECT data FROM events WHERE execution = ? AND id = ?');
  return {
    append: (execution, type, previous, details, payload) => {
      if (execution.events >= eventLimit - 1 && !endings.test(type)) {
        throw new StateFailure(
          'States.Runtime',
          `The execution reached the maximum number of history events (${eventLimit}).`,
        );
      }
      const id = execution.events + 1;
      const text = details ? JSON.stringify(details) : null;
      insert.run(execution.key, id, previous, type, Date.now(), text, payload ?? null);
      execution.events = id;
      return id;
    },
    read: (key, { limit, reverse, after }) =>
      (reverse
        ? backward.all(key, after ?? Number.MAX_SAFE_INTEGER, limit)
        : forward.all(key, after ?? 0, limit)) as unknown as EventRow[],
    dataOf: (key, id) => String((data.get(key, id) as { data: string } | undefined)?.data ?? 'null'),
  };
};
