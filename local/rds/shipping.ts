import { waitUntil } from '../postgres/postmaster.ts';
import { isArchived } from './log-archive.ts';
import type { Places } from './places.ts';
import type { Servers } from './servers.ts';
import type { RdsStore } from './store.ts';

/** Milliseconds. */
export interface ShippingTimes {
  /** The newest commit is restorable so long after it at the latest, as long as somebody writes. RDS: within 5 minutes. */
  readonly busy: number;
  /** The same where nobody writes: each shipment then costs 16 KiB for nothing. */
  readonly idle: number;
  /** An instance that somebody looks at, and that was written to, ships when its last shipment is older. */
  readonly looked: number;
}

export const shippingTimes: ShippingTimes = { busy: 60_000, idle: 300_000, looked: 2_000 };

export interface Shipping {
  /**
   * Writes a heartbeat, closes the current file of the log and waits until it is archived; `restorableUntil` is then the moment
   * before the heartbeat: recovery to it ends at the heartbeat's commit, so it never runs out of log.
   */
  ship(id: string): Promise<void>;
  /** Ships when it is time; `looked` when somebody asks how far the instance can be restored. */
  shipWhenDue(id: string, looked?: boolean): Promise<void>;
  forget(id: string): void;
}

interface Shipped {
  readonly at: number;
  /** Transaction ids given out when the shipment was done; more of them now means that somebody has written. */
  readonly transactions: string;
}

const archiveWithin = 60_000;

export const openShipping = (options: {
  store: RdsStore;
  servers: Servers;
  places: Places;
  times: ShippingTimes;
}): Shipping => {
  const { store, servers, places, times } = options;
  const last = new Map<string, Shipped>();
  const underWay = new Map<string, Promise<void>>();
  const shipNow = (id: string): Promise<void> =>
    servers.connected(id, 'rdsadmin', async (client) => {
      const one = async <Row extends object>(text: string): Promise<Row> =>
        (await client.query<Row & Record<string, unknown>>(text)).rows[0]!;
      const { at } = await one<{ at: Date }>('SELECT clock_timestamp() AS at');
      await client.query(
        `INSERT INTO rds_heartbeat2 VALUES (1, ${at.getTime()}) ON CONFLICT (id) DO UPDATE SET value = excluded.value`,
      );
      const { file, transactions } = await one<{ file: string; transactions: string }>(
        'SELECT pg_walfile_name(pg_switch_wal()) AS file, pg_snapshot_xmax(pg_current_snapshot())::text AS transactions',
      );
      if (!(await waitUntil(() => isArchived(places.log(id), file) || undefined, archiveWithin)))
        throw new Error(`log file ${file} of ${id} was not archived within ${archiveWithin / 1000} s`);
      store.instances.update(id, { restorableUntil: at.getTime() });
      last.set(id, { at: Date.now(), transactions });
    });
  const ship = (id: string): Promise<void> => {
    const known = underWay.get(id);
    if (known) return known;
    const shipping = shipNow(id).finally(() => underWay.delete(id));
    underWay.set(id, shipping);
    return shipping;
  };
  const transactionsOf = (id: string): Promise<string> =>
    servers.connected(id, 'rdsadmin', async (client) => {
      const { rows } = await client.query<{ now: string }>(
        'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS now',
      );
      return rows[0]!.now;
    });
  return {
    // One that is under way may have begun before what the caller wants to have in it.
    ship: async (id) => {
      await underWay.get(id)?.catch(() => undefined);
      await ship(id);
    },
    shipWhenDue: async (id, looked = false) => {
      if (underWay.has(id)) return;
      const shipped = last.get(id);
      const age = shipped ? Date.now() - shipped.at : Number.POSITIVE_INFINITY;
      if (age < (looked ? Math.min(times.looked, times.busy) : times.busy)) return;
      const idle = shipped !== undefined && age < times.idle && (await transactionsOf(id)) === shipped.transactions;
      if (idle && !(looked && age >= times.busy)) return;
      await ship(id);
    },
    forget: (id) => void last.delete(id),
  };
};
