import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../gateway/service.ts';
import { StateFailure } from './failure.ts';
import type { Journal } from './journal.ts';
import { type Scope, within } from './scope.ts';

type Outcome = { readonly output: string } | { readonly error: string; readonly cause?: string };

interface TokenRow {
  readonly execution: number;
  readonly path: string;
  readonly open: number;
  readonly heartbeat: number | null;
  readonly outcome: string | null;
}

/**
 * Task tokens. A token is a row from before the task is started until the task is over, so the token of one life of the engine is
 * taken in the next. The first answer wins.
 */
export interface Tokens {
  /** A new token; inside the write that schedules the task. */
  open(execution: number, path: string): string;
  /** Promise: the JSON text of SendTaskSuccess. Throws what SendTaskFailure sent. */
  outcome(token: string, scope: Scope): Promise<string>;
  /** When the last heartbeat came, or undefined before the first. */
  heartbeatAt(token: string): number | undefined;
  /** The task is over: later answers get TaskTimedOut. */
  close(token: string): void;
  /** As `close`, for every token of an execution that ended. */
  closeAll(execution: number): void;
  /** SendTask*: throw InvalidToken, TaskTimedOut. */
  succeed(token: string, output: string): void;
  fail(token: string, error: string, cause: string | undefined): void;
  beat(token: string): void;
}

const settle = (outcome: Outcome): string => {
  if ('output' in outcome) return outcome.output;
  throw new StateFailure(outcome.error, outcome.cause);
};

export const openTokens = (database: DatabaseSync, journal: Journal): Tokens => {
  const insert = database.prepare('INSERT INTO tokens VALUES(?, ?, ?, 1, NULL, NULL)');
  const select = database.prepare('SELECT * FROM tokens WHERE token = ?');
  const answer = database.prepare('UPDATE tokens SET outcome = ? WHERE token = ?');
  const touch = database.prepare('UPDATE tokens SET heartbeat = ? WHERE token = ?');
  const shut = database.prepare('UPDATE tokens SET open = 0 WHERE token = ?');
  const shutAll = database.prepare('UPDATE tokens SET open = 0 WHERE execution = ? AND open = 1');
  const waiting = new Map<string, () => void>();
  const beats = new Map<string, number>();

  const rowOf = (token: string): TokenRow => {
    const row = select.get(token) as unknown as TokenRow | undefined;
    if (!row) throw new ServiceError('InvalidToken', `Invalid Token: 'Invalid token'`);
    return row;
  };
  const openRow = (token: string): TokenRow => {
    const row = rowOf(token);
    if (row.open === 0 || row.outcome !== null) {
      throw new ServiceError('TaskTimedOut', `Task Timed Out: 'Provided task does not exist anymore'`);
    }
    return row;
  };
  const record = (token: string, outcome: Outcome): void => {
    openRow(token);
    journal.write(() => answer.run(JSON.stringify(outcome), token));
    waiting.get(token)?.();
  };

  return {
    open: (execution, path) => {
      const token = randomBytes(48).toString('base64url');
      insert.run(token, execution, path);
      return token;
    },
    outcome: async (token, scope) => {
      const { outcome } = rowOf(token);
      if (outcome !== null) return settle(JSON.parse(outcome));
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(token, resolve);
      try {
        await within(scope, promise);
        return settle(JSON.parse(rowOf(token).outcome!));
      } finally {
        waiting.delete(token);
      }
    },
    heartbeatAt: (token) => {
      const known = beats.get(token);
      if (known !== undefined) return known;
      return rowOf(token).heartbeat ?? undefined;
    },
    close: (token) => {
      beats.delete(token);
      shut.run(token);
    },
    closeAll: (execution) => {
      shutAll.run(execution);
    },
    succeed: (token, output) => record(token, { output }),
    fail: (token, error, cause) => record(token, cause === undefined ? { error } : { error, cause }),
    beat: (token) => {
      openRow(token);
      const now = Date.now();
      beats.set(token, now);
      journal.write(() => touch.run(now, token));
    },
  };
};
