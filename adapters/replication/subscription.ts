import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { ident, literal } from '../postgres/identifier.ts';
import { isMadeMeanwhile, sqlState } from '../postgres/sql.ts';
import { type Conninfo, conninfoText } from './side.ts';

export interface SubscriptionRequest {
  readonly name: string;
  readonly publisher: Conninfo;
  /** Whether the rows that are there now are copied, or only what changes from here on. */
  readonly copyData: boolean;
}

export interface Subscription {
  readonly oid: number;
  readonly enabled: boolean;
}

export const findSubscription = async (client: ClientBase, name: string): Promise<Subscription | undefined> => {
  const { rows } = await client.query<Subscription>(
    `SELECT oid, subenabled AS enabled FROM pg_subscription
     WHERE subname = $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [name],
  );
  return rows[0];
};

/** The statement holds the password; a login that may keep it out of the server's log does. */
const quiet = async (client: ClientBase): Promise<void> => {
  await client.query('SAVEPOINT quiet');
  try {
    await client.query(`SET LOCAL log_statement = 'none'; SET LOCAL log_min_error_statement = 'panic'`);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    await client.query('ROLLBACK TO SAVEPOINT quiet');
  }
};

export const subscriptionSql = ({ name, publisher, copyData }: SubscriptionRequest): string =>
  `CREATE SUBSCRIPTION ${ident(name)} CONNECTION ${literal(conninfoText(publisher))} PUBLICATION ${ident(name)}
   WITH (create_slot = false, enabled = false, slot_name = ${literal(name)}, copy_data = ${copyData}, streaming = on)`;

/** Runs `work` in a transaction whose statements stay out of the server's log where that is allowed. */
export const quietly = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> => {
  await client.query('BEGIN');
  try {
    await quiet(client);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
};

/**
 * Makes the subscription, disabled, unless it is there. The slot exists already: a subscription that makes its own slot on
 * the same server waits for its own transaction for ever.
 */
export const createSubscription = async (client: ClientBase, request: SubscriptionRequest): Promise<Subscription> => {
  const found = await findSubscription(client, request.name);
  if (found) return found;
  try {
    await quietly(client, () => client.query(subscriptionSql(request)));
  } catch (error) {
    if (!isMadeMeanwhile(error)) throw error;
  }
  const made = await findSubscription(client, request.name);
  if (!made) throw new Error(`subscription ${request.name} went away right after it was made`);
  return made;
};

export const enableSubscription = async (client: ClientBase, name: string): Promise<void> => {
  await client.query(`ALTER SUBSCRIPTION ${ident(name)} ENABLE`);
};

/** Workers that are told to end do so at their next look, which is a second away at most. */
const stopAttempts = 400;

/**
 * Disables the subscription and ends its workers. Answers a pattern of the names of the slots that its initial copy may have on
 * the publisher; undefined when there is no such subscription.
 */
export const stopSubscription = async (client: ClientBase, name: string): Promise<string | undefined> => {
  const found = await findSubscription(client, name);
  if (!found) return undefined;
  try {
    await client.query(`ALTER SUBSCRIPTION ${ident(name)} DISABLE`);
  } catch (error) {
    // 42704: another attempt dropped it meanwhile.
    if (sqlState(error) !== '42704') throw error;
  }
  for (let attempt = 1; attempt <= stopAttempts; attempt += 1) {
    const { rowCount } = await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE subid = $1 AND pid IS NOT NULL',
      [found.oid],
    );
    if (!rowCount) break;
    await delay(25);
  }
  const { rows } = await client.query<{ system: string }>(
    'SELECT system_identifier::text AS system FROM pg_control_system()',
  );
  return `^pg_${found.oid}_sync_[0-9]+_${rows[0]?.system}$`;
};

/** Milliseconds for one attempt to drop. */
const dropMillis = 10_000;

/**
 * Drops a subscription that was stopped, without asking the publisher for its slot, which was dropped there or is out of reach.
 * The slots of its initial copy must be gone first: the drop waits for one that is being made, and on the same server that one
 * waits for the drop, for ever. 57014 after 10 s.
 */
export const dropSubscription = async (client: ClientBase, name: string): Promise<void> => {
  if (!(await findSubscription(client, name))) return;
  await client.query(`SET statement_timeout = ${dropMillis}`);
  try {
    await client.query(`ALTER SUBSCRIPTION ${ident(name)} SET (slot_name = NONE)`);
    await client.query(`DROP SUBSCRIPTION ${ident(name)}`);
  } catch (error) {
    if (sqlState(error) !== '42704') throw error;
  } finally {
    await client.query(`SET statement_timeout = '15min'`).catch(() => undefined);
  }
};

/**
 * Lets the subscription begin at `lsn` of the publisher and runs it. The slot may stand earlier, and after a crash of the
 * publisher it goes back to where it was at the last checkpoint (pg_replication_slot_advance is not durable); the origin's
 * progress is written ahead like every change, so nothing from before `lsn` is ever applied.
 */
export const startAt = async (client: ClientBase, { oid }: Subscription, name: string, lsn: string): Promise<void> => {
  const origin = `pg_${oid}`;
  await client.query(
    `SELECT pg_replication_origin_advance($1, $2::pg_lsn)
     WHERE coalesce(pg_replication_origin_progress($1, false) < $2::pg_lsn, true)`,
    [origin, lsn],
  );
  await enableSubscription(client, name);
};
