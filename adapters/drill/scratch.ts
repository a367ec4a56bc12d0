import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { appSchema } from '../catalog/app-schemas.ts';
import { ident } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

/** Advisory lock class of scratch databases, in the database of `owner`: held for as long as somebody works in one. */
const scratchClass = 7031;
const prefix = 'tn_drill_';

export interface ScratchRequest {
  /** May create databases and owns the template; connected to a database that all drills of the server share. */
  readonly owner: Client;
  readonly template: string;
  /** Login that restores there: it may read, add and delete rows, and nothing else. */
  readonly restorer: string;
  readonly connectOwner: (database: string) => Promise<Client>;
  readonly connectRestorer: (database: string) => Promise<Client>;
}

const drop = async (owner: Client, database: string): Promise<void> => {
  await owner.query(`DROP DATABASE IF EXISTS ${ident(database)} WITH (FORCE)`);
};

/**
 * Drops the scratch databases that nobody works in any more: a killed function drops its connection and with it the lock, but
 * not the database. Answers their names. Safe to repeat and to run beside drills, on a connection that no drill has: a session
 * is never kept out by its own lock.
 */
export const sweepScratch = async (owner: Client): Promise<string[]> => {
  const { rows } = await owner.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
    [prefix],
  );
  const swept: string[] = [];
  for (const { name } of rows) {
    const lock = await owner.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1, hashtext($2)) AS free', [
      scratchClass,
      name,
    ]);
    if (!lock.rows[0]?.free) continue;
    try {
      await drop(owner, name);
      swept.push(name);
    } finally {
      await owner.query('SELECT pg_advisory_unlock($1, hashtext($2))', [scratchClass, name]);
    }
  }
  return swept;
};

/** 55006: somebody reads the template at this moment, for example pg_dump for its toc.dat; that takes less than a second. */
const createFrom = async (owner: Client, database: string, template: string): Promise<void> => {
  for (let attempt = 1; ; attempt += 1)
    try {
      await owner.query(`CREATE DATABASE ${ident(database)} TEMPLATE ${ident(template)}`);
      return;
    } catch (error) {
      if (sqlState(error) !== '55006') throw error;
      if (attempt === 10)
        throw new StepFailure('DatabaseUnavailable', `template ${template} is in use by others; try again`, {
          cause: error,
        });
      await delay(200 * attempt);
    }
};

const grant = async ({ connectOwner, restorer, owner }: ScratchRequest, database: string): Promise<void> => {
  const role = ident(restorer);
  await owner.query(
    `REVOKE ALL ON DATABASE ${ident(database)} FROM PUBLIC; GRANT CONNECT ON DATABASE ${ident(database)} TO ${role}`,
  );
  const client = await connectOwner(database);
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE ${appSchema('nspname')}`,
    );
    for (const schema of rows.map(({ name }) => ident(name)))
      await client.query(
        `GRANT USAGE ON SCHEMA ${schema} TO ${role}; GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
      );
  } finally {
    await client.end().catch(() => undefined);
  }
};

/**
 * Runs `work` in a database of its own with the empty schema of the template, logged in as the restorer, and drops the
 * database whatever happened. Undefined where the template does not exist. What a killed attempt left is swept first.
 */
export const inScratch = async <Result>(
  request: ScratchRequest,
  work: (client: Client) => Promise<Result>,
): Promise<Result | undefined> => {
  const { owner, template, connectRestorer } = request;
  await sweepScratch(owner);
  const known = await owner.query('SELECT FROM pg_database WHERE datname = $1', [template]);
  if (known.rowCount === 0) return undefined;
  const database = `${prefix}${randomBytes(6).toString('hex')}`;
  await owner.query('SELECT pg_advisory_lock($1, hashtext($2))', [scratchClass, database]);
  try {
    await createFrom(owner, database, template);
    await grant(request, database);
    const client = await connectRestorer(database);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  } finally {
    // A connection that is lost gives the lock back, and the next drill sweeps.
    await drop(owner, database).catch(() => undefined);
    await owner.query('SELECT pg_advisory_unlock($1, hashtext($2))', [scratchClass, database]).catch(() => undefined);
  }
};
