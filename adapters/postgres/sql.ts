import { createHash } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';

/** What every part of the registry needs of PostgreSQL: the same inside and outside a transaction. */
export interface Sql {
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Runs `work` in one READ COMMITTED transaction; a throw rolls back. Inside a transaction it is a savepoint. */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
}

const run = async <Row extends object>(
  client: Pick<ClientBase, 'query'>,
  text: string,
  values: readonly unknown[] = [],
  name?: string,
): Promise<Row[]> =>
  (await client.query<Row & Record<string, unknown>>({ ...(name ? { name } : {}), text, values: [...values] })).rows;

type NameOf = (text: string, values: readonly unknown[] | undefined) => string | undefined;

const unnamed: NameOf = () => undefined;

/** Texts that one process may prepare: each is kept by every connection that ran it. Later ones are parsed at each call. */
const mostStatements = 300;

/**
 * A name for every text that has parameters: the server parses it once per connection and may keep its plan (PostgreSQL
 * manual, PREPARE). Texts without parameters are rare or change the schema.
 */
const statementNames = (): NameOf => {
  const names = new Map<string, string>();
  return (text, values) => {
    if (!values || values.length === 0) return undefined;
    const known = names.get(text);
    if (known !== undefined || names.size >= mostStatements) return known;
    const name = createHash('sha256').update(text).digest('base64url');
    names.set(text, name);
    return name;
  };
};

const savepoints = (client: ClientBase, depth: number, nameOf: NameOf): Sql => ({
  query: (text, values) => run(client, text, values, nameOf(text, values)),
  transaction: async (work) => {
    const name = `step_${depth}`;
    await client.query(`SAVEPOINT ${name}`);
    try {
      const result = await work(savepoints(client, depth + 1, nameOf));
      await client.query(`RELEASE SAVEPOINT ${name}`);
      return result;
    } catch (error) {
      await client.query(`ROLLBACK TO SAVEPOINT ${name}`);
      throw error;
    }
  },
});

const transact = async <Result>(
  client: ClientBase,
  work: (sql: Sql) => Promise<Result>,
  nameOf: NameOf = unnamed,
): Promise<Result> => {
  await client.query('BEGIN');
  try {
    const result = await work(savepoints(client, 1, nameOf));
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // The connection may be what failed: its own error must not hide the first one.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
};

/** One client as Sql; the caller ends the client and shares it with nobody while a transaction is open. */
export const clientSql = (client: ClientBase): Sql => ({
  query: (text, values) => run(client, text, values),
  transaction: (work) => transact(client, work),
});

const ignore = (): void => undefined;

/**
 * A pool as Sql; its connections keep the statements prepared. A client whose transaction failed on the connection itself
 * is thrown away by pg-pool.
 */
export const poolSql = (pool: Pool): Sql => {
  const nameOf = statementNames();
  return {
    query: (text, values) => run(pool, text, values, nameOf(text, values)),
    transaction: async (work) => {
      const client = await pool.connect();
      // The pool listens only to its idle clients: without this a server that goes away between two statements of the
      // transaction ends the process. The next statement reports it. A client that is thrown away keeps the listener.
      client.on('error', ignore);
      try {
        const result = await transact(client, work, nameOf);
        client.off('error', ignore);
        client.release();
        return result;
      } catch (error) {
        const lost = isConnectionLost(error);
        if (!lost) client.off('error', ignore);
        client.release(lost);
        throw error;
      }
    },
  };
};

/** SQLSTATE of an error from pg, undefined for anything else. */
export const sqlState = (error: unknown): string | undefined => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
};

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const lostMessage =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable/;

/** The connection itself is gone or never came: 57P01-57P05 (server going down or up), class 08, sockets, pg's own time-outs. */
export const isConnectionLost = (error: unknown): boolean => {
  if (error instanceof AggregateError) return error.errors.some(isConnectionLost);
  const code = sqlState(error);
  if (code !== undefined && (/^57P0/.test(code) || /^08/.test(code) || socketCodes.has(code))) return true;
  return error instanceof Error && lostMessage.test(error.message);
};

/** Another session made the object while this one was at it: the catalog's own index refuses the second row. */
const isMadeAtOnce = (error: unknown): boolean =>
  sqlState(error) === '23505' && (error as { schema?: string }).schema === 'pg_catalog';

/** Another session made the object (role, database, slot, publication, subscription) between the question and the order. */
export const isMadeMeanwhile = (error: unknown): boolean =>
  isMadeAtOnce(error) || ['42710', '42P04'].includes(sqlState(error) ?? '');

/** Another session changed or dropped the object while this one was at it; PostgreSQL has no state of its own for it. */
export const isChangedMeanwhile = (error: unknown): boolean =>
  sqlState(error) === 'XX000' && /tuple concurrently/.test((error as Error).message);

/**
 * Connection lost, or the same order does well when it is given again: too many connections, deadlock, serialisation, lock
 * time-out, two sessions at one object.
 */
export const isUnavailable = (error: unknown): boolean =>
  isConnectionLost(error) ||
  isMadeAtOnce(error) ||
  isChangedMeanwhile(error) ||
  ['53300', '40P01', '40001', '55P03'].includes(sqlState(error) ?? '');
