import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { isMadeMeanwhile, sqlState } from '../postgres/sql.ts';

/**
 * Makes the slot unless it is there. PostgreSQL waits for every transaction of the whole server that has written and is
 * still open (3 s were measured behind one, 3 ms once it had ended); after `millis` FenceTimeout comes, and a cancelled
 * creation leaves no slot. The publication must exist before: it is looked up as of the change that is decoded.
 */
export const createSlot = async (client: ClientBase, name: string, millis: number): Promise<void> => {
  const found = await client.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [name]);
  if (found.rowCount) return;
  await client.query(`SELECT set_config('statement_timeout', $1, false)`, [String(millis)]);
  try {
    await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [name]);
  } catch (error) {
    if (sqlState(error) === '57014' || sqlState(error) === '55P03')
      throw new StepFailure(
        'FenceTimeout',
        `slot ${name} waited ${millis} ms for a transaction that writes on its server; end the transaction, or it is tried again`,
        { cause: error },
      );
    if (!isMadeMeanwhile(error)) throw error;
  } finally {
    await client.query(`SET statement_timeout = '15min'`).catch(() => undefined);
  }
};

/** A walsender that is told to end needs a moment; one of a lost network holds the slot until wal_sender_timeout. */
const dropAttempts = 200;

/** Drops the slots of this server that a pattern (POSIX) matches, whoever reads from them. Answers how many. */
export const dropSlots = async (client: ClientBase, pattern: string): Promise<number> => {
  let dropped = 0;
  for (let attempt = 1; ; attempt += 1) {
    const { rows } = await client.query<{ name: string; pid: number | null }>(
      'SELECT slot_name AS name, active_pid AS pid FROM pg_replication_slots WHERE slot_name ~ $1',
      [pattern],
    );
    if (rows.length === 0) return dropped;
    for (const { name, pid } of rows) {
      try {
        if (pid !== null) await client.query('SELECT pg_terminate_backend($1)', [pid]);
        await client.query('SELECT pg_drop_replication_slot($1)', [name]);
        dropped += 1;
      } catch (error) {
        // 55006: still active. 42704: gone meanwhile.
        if (!['55006', '42704'].includes(sqlState(error) ?? '')) throw error;
        if (attempt >= dropAttempts) throw error;
      }
    }
    await delay(25);
  }
};

/** Bytes of WAL that the server keeps for a slot; undefined when there is no such slot. */
export const retainedBytes = async (client: ClientBase, name: string): Promise<number | undefined> => {
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS bytes
     FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  return rows[0] && Number(rows[0].bytes);
};
