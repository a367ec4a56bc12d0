import type pg from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Move } from '../../domain/move.ts';
import { isConnectionLost, sqlState } from '../postgres/sql.ts';

/** How the other server reaches this database, with the login `replicate`. */
export interface Conninfo {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** libpq's; its default `prefer` when left out. */
  readonly sslmode?: 'disable' | 'require' | 'verify-ca' | 'verify-full' | undefined;
}

/** One of the two databases of a move. */
export interface MoveSide {
  /** A connected client of the login that owns the tables; the move ends it. */
  connect(): Promise<pg.Client>;
  readonly conninfo: Conninfo;
}

export interface MoveSides {
  readonly source: MoveSide;
  readonly target: MoveSide;
}

/**
 * A Lambda lives 15 minutes, and a snapshot that waits for a comparison longer than that would hold back vacuum for nothing; a
 * container task lives longer, and its login comes with that time. Commits are made durable whatever the server's default: the
 * decision of a move is one of them.
 */
const settings = `SELECT set_config(name, greatest(setting::bigint, 900000)::text, false) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout');
SET lock_timeout = '5s'; SET synchronous_commit = 'on'; SET jit = 'off'; SET client_min_messages = 'error'`;

export const openSession = async (side: MoveSide): Promise<pg.Client> => {
  const client = await side.connect();
  // Without a listener a server that goes away between two queries ends the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.query(settings);
  } catch (error) {
    client.end().catch(() => undefined);
    throw error;
  }
  return client;
};

/** Ends sessions whose servers may be gone. */
export const endSessions = async (clients: readonly pg.Client[]): Promise<void> => {
  await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
};

/** An error of a server in the words of the closed table of failures; what is not known stays what it is. */
export const namedFailure = (error: unknown, { tenantId }: Pick<Move, 'tenantId'>): unknown => {
  if (error instanceof StepFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isConnectionLost(error))
    return new StepFailure('DatabaseUnavailable', `a database of tenant ${tenantId}: ${message}`, { cause: error });
  if (['55P03', '40P01', '40001', '57014'].includes(sqlState(error) ?? ''))
    return new StepFailure('FenceTimeout', `tenant ${tenantId}: ${message}; it is tried again`, { cause: error });
  return error;
};

/** Runs `work` with a session on each side, ends both, and names what went wrong. */
export const withSessions = async <Result>(
  sides: MoveSides,
  move: Pick<Move, 'tenantId'>,
  work: (sessions: { readonly source: pg.Client; readonly target: pg.Client }) => Promise<Result>,
): Promise<Result> => {
  const opened: pg.Client[] = [];
  const open = async (side: MoveSide): Promise<pg.Client> => {
    const client = await openSession(side);
    opened.push(client);
    return client;
  };
  try {
    return await work({ source: await open(sides.source), target: await open(sides.target) });
  } catch (error) {
    throw namedFailure(error, move);
  } finally {
    await endSessions(opened);
  }
};

/** libpq connection string. Values are quoted as libpq wants it; `connect_timeout` bounds a drop whose publisher is gone. */
export const conninfoText = ({ host, port, database, username, password, sslmode }: Conninfo): string =>
  Object.entries({ host, port, dbname: database, user: username, password, sslmode, connect_timeout: 5 })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}='${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ');
