import type { ClientBase } from 'pg';
import { exactText } from './digest.ts';

/** One moment of a database that several connections read. */
export interface Snapshot {
  readonly id: string;
  /** ISO 8601 UTC with microseconds. */
  readonly takenAt: string;
  readonly lsn: string;
  readonly postgresVersion: string;
  readonly major: number;
}

const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
const settings = `${exactText}; SET LOCAL row_security = off`;

/** Opens the transaction that keeps the snapshot alive; it must stay open until all readers have joined and are done. */
export const exportSnapshot = async (leader: ClientBase): Promise<Snapshot> => {
  await leader.query(begin);
  await leader.query(settings);
  const { rows } = await leader.query<Omit<Snapshot, 'major'> & { number: string }>(
    `SELECT pg_export_snapshot() AS id,
       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "takenAt",
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn,
       current_setting('server_version') AS "postgresVersion", current_setting('server_version_num') AS number`,
  );
  const [row] = rows;
  if (!row) throw new Error('the server exported no snapshot');
  const { number, ...snapshot } = row;
  return { ...snapshot, major: Math.floor(Number(number) / 10_000) };
};

/** Begins a transaction that sees what the snapshot saw. */
export const joinSnapshot = async (client: ClientBase, { id }: Snapshot): Promise<void> => {
  await client.query(begin);
  await client.query(`SET TRANSACTION SNAPSHOT '${id}'`);
  await client.query(settings);
};
