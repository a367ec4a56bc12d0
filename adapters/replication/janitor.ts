import type pg from 'pg';
import { channelPattern, moveOfChannel } from './names.ts';
import { dropPublication } from './publication.ts';
import { endSessions, type MoveSide, openSession } from './side.ts';
import { dropSlots } from './slot.ts';
import { dropSubscription, stopSubscription } from './subscription.ts';

export interface Leftover {
  readonly kind: 'subscription' | 'slot' | 'publication';
  readonly name: string;
  /** Undefined for a slot of an initial copy, whose name tells its subscription only. */
  readonly moveId: string | undefined;
  /** `host:port/database`. */
  readonly database: string;
}

export interface RetainedSlot {
  readonly name: string;
  readonly moveId: string | undefined;
  readonly database: string;
  readonly active: boolean;
  /** Bytes of log that the server keeps for it: what to alarm on, before the disk is full. */
  readonly bytes: number;
}

export interface Cleaned {
  readonly removed: readonly Leftover[];
  /** Slots of moves that live on. */
  readonly retained: readonly RetainedSlot[];
  /** `host:port/database: reason` of sides that did not answer; the next run comes to them again. */
  readonly unreachable: readonly string[];
}

interface Opened {
  readonly client: pg.Client;
  readonly database: string;
}

const placeOf = ({ conninfo: { host, port, database } }: MoveSide): string => `${host}:${port}/${database}`;

/** Moves that began or changed just now: the list of living ones may be older than they are. */
const youngSql = `
SELECT move_id AS id FROM tenantry.moves
WHERE phase NOT IN ('finished', 'abandoned') AND changed_at > clock_timestamp() - $1 * interval '1 millisecond'`;

const here = '(SELECT oid FROM pg_database WHERE datname = current_database())';

const names = async (client: pg.Client, text: string): Promise<string[]> =>
  (await client.query<{ name: string }>(text, [channelPattern])).rows.map(({ name }) => name);

/** Subscriptions of moves that are not alive, stopped, with the pattern of the slots of their initial copies. */
const stopDead = async ({ client }: Opened, live: ReadonlySet<string>): Promise<{ name: string; copies: string }[]> => {
  const found = await names(
    client,
    `SELECT subname AS name FROM pg_subscription WHERE subname ~ $1 AND subdbid = ${here}`,
  );
  const stopped: { name: string; copies: string }[] = [];
  for (const name of found) {
    const moveId = moveOfChannel(name);
    if (moveId !== undefined && live.has(moveId)) continue;
    const copies = await stopSubscription(client, name);
    if (copies) stopped.push({ name, copies });
  }
  return stopped;
};

const slotsSql = `
SELECT slot_name AS name, active, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS bytes
FROM pg_replication_slots WHERE database = current_database() AND slot_name ~ $1 ORDER BY slot_name`;

const removeSlots = async (
  { client, database }: Opened,
  live: ReadonlySet<string>,
): Promise<{ removed: Leftover[]; retained: RetainedSlot[] }> => {
  const { rows } = await client.query<{ name: string; active: boolean; bytes: string }>(slotsSql, [channelPattern]);
  const removed: Leftover[] = [];
  const retained: RetainedSlot[] = [];
  for (const { name, active, bytes } of rows) {
    const moveId = moveOfChannel(name);
    if (moveId !== undefined && live.has(moveId))
      retained.push({ name, moveId, database, active, bytes: Number(bytes) });
    else {
      await dropSlots(client, `^${name}$`);
      removed.push({ kind: 'slot', name, moveId, database });
    }
  }
  return { removed, retained };
};

/** Slots of initial copies whose subscription is gone from a server that this run has looked at. */
const removeCopySlots = async ({ client, database }: Opened, known: ReadonlyMap<string, ReadonlySet<string>>) => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT slot_name AS name FROM pg_replication_slots
     WHERE database = current_database() AND NOT active AND slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$'`,
  );
  const removed: Leftover[] = [];
  for (const { name } of rows) {
    const [, subscription, , , system] = name.split('_');
    const living = known.get(system ?? '');
    if (!living || living.has(subscription ?? '')) continue;
    await dropSlots(client, `^${name}$`);
    removed.push({ kind: 'slot', name, moveId: undefined, database });
  }
  return removed;
};

/** System identifier of a server and the subscriptions of all its databases. */
const readSubscriptions = async (client: pg.Client): Promise<readonly [string, ReadonlySet<string>]> => {
  const { rows } = await client.query<{ system: string; oids: string[] }>(
    `SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
       coalesce((SELECT array_agg(oid::text) FROM pg_subscription), '{}') AS oids`,
  );
  return [rows[0]?.system ?? '', new Set(rows[0]?.oids)];
};

const removePublications = async ({ client, database }: Opened, live: ReadonlySet<string>): Promise<Leftover[]> => {
  const removed: Leftover[] = [];
  for (const name of await names(client, 'SELECT pubname AS name FROM pg_publication WHERE pubname ~ $1')) {
    const moveId = moveOfChannel(name);
    if (moveId !== undefined && live.has(moveId)) continue;
    await dropPublication(client, name);
    removed.push({ kind: 'publication', name, moveId, database });
  }
  return removed;
};

/** Records of moves that are over; late attempts of one no longer come after a month. */
const forgetOld = (client: pg.Client): Promise<unknown> =>
  client.query(
    `DELETE FROM tenantry.moves WHERE phase IN ('finished', 'abandoned') AND changed_at < clock_timestamp() - interval '30 days'`,
  );

/**
 * Removes what moves that are not alive have left in these databases: subscriptions are stopped, slots dropped, which hold the
 * log of a whole server, then subscriptions, without asking publishers that may be gone, and publications. Rows are left alone: `abandonMove` and `finishMove`
 * know whose they are. A move younger than `graceMs` (15 minutes unless told) counts as alive, whatever the list says.
 */
export const janitor = async (
  sides: readonly MoveSide[],
  liveMoveIds: readonly string[],
  { graceMs = 900_000 }: { readonly graceMs?: number } = {},
): Promise<Cleaned> => {
  const opened: Opened[] = [];
  const unreachable: string[] = [];
  const removed: Leftover[] = [];
  const retained: RetainedSlot[] = [];
  const failed = (database: string) => (error: unknown) => {
    unreachable.push(`${database}: ${error instanceof Error ? error.message : String(error)}`);
  };
  try {
    for (const side of sides) {
      const database = placeOf(side);
      await openSession(side).then((client) => void opened.push({ client, database }), failed(database));
    }
    const live = new Set(liveMoveIds);
    const systems = new Map<string, ReadonlySet<string>>();
    const each = async (work: (side: Opened) => Promise<void>): Promise<void> => {
      for (const side of opened) await work(side).catch(failed(side.database));
    };
    await each(async ({ client }) => {
      for (const { id } of (await client.query<{ id: string }>(youngSql, [graceMs])).rows) live.add(id);
    });
    const stopped = new Map<Opened, readonly { name: string; copies: string }[]>();
    await each(async (side) => void stopped.set(side, await stopDead(side, live)));
    await each(async ({ client }) => {
      for (const { copies } of [...stopped.values()].flat()) await dropSlots(client, copies);
    });
    await each(async (side) => {
      const slots = await removeSlots(side, live);
      removed.push(...slots.removed);
      retained.push(...slots.retained);
    });
    await each(async (side) => {
      for (const { name } of stopped.get(side) ?? []) {
        await dropSubscription(side.client, name);
        removed.push({ kind: 'subscription', name, moveId: moveOfChannel(name), database: side.database });
      }
    });
    await each(async ({ client }) => void systems.set(...(await readSubscriptions(client))));
    await each(async (side) => void removed.push(...(await removeCopySlots(side, systems))));
    await each(async (side) => void removed.push(...(await removePublications(side, live))));
    await each(async ({ client }) => void (await forgetOld(client)));
    return { removed, retained, unreachable: [...new Set(unreachable)] };
  } finally {
    await endSessions(opened.map(({ client }) => client));
  }
};
