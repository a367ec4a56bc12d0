import type { Finding } from '../../domain/move.ts';
import { finding, type Look, type Looked } from './look.ts';

interface ServerFacts {
  readonly system: string;
  readonly major: number;
  readonly walLevel: string;
  readonly slots: number;
  readonly senders: number;
  readonly appliers: number;
  readonly workers: number;
  readonly origins: number;
  /** Seconds since the oldest transaction that has written and is open began; null without one. */
  readonly oldest: number | null;
  readonly prepared: number;
  readonly keepSize: string;
}

/** What is free, not what there is. Origins have a setting of their own since PostgreSQL 18. */
const factsSql = `
SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
  current_setting('server_version_num')::int / 10000 AS major, current_setting('wal_level') AS "walLevel",
  current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)::int AS slots,
  current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)::int AS senders,
  current_setting('max_logical_replication_workers')::int
    - (SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%worker')::int AS appliers,
  current_setting('max_worker_processes')::int - (SELECT count(*) FROM pg_stat_activity
    WHERE backend_type LIKE 'logical replication%' OR backend_type = 'parallel worker')::int AS workers,
  coalesce(current_setting('max_active_replication_origins', true), current_setting('max_replication_slots'))::int
    - (SELECT count(*) FROM pg_replication_origin)::int AS origins,
  (SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())::float8 AS oldest,
  (SELECT count(*) FROM pg_prepared_xacts)::int AS prepared,
  current_setting('max_slot_wal_keep_size') AS "keepSize"`;

/** Row filters came with 15. */
const oldestMajor = 15;
/** A copy has one slot, sender, worker and origin of its own and one for each of its two initial copies; the way back adds a slot. */
const perMove = { slots: 4, others: 3 } as const;
const longestWrite = 60;

const capacityFaults = ({ name }: Looked, facts: ServerFacts): string[] =>
  (
    [
      ['max_replication_slots', facts.slots, perMove.slots],
      ['max_wal_senders', facts.senders, perMove.others],
      ['max_logical_replication_workers', facts.appliers, perMove.others],
      ['max_worker_processes', facts.workers, perMove.others],
      ['max_active_replication_origins or max_replication_slots (origins)', facts.origins, perMove.others],
    ] as const
  )
    .filter(([, free, needed]) => free < needed)
    .map(([setting, free, needed]) => `${name}: ${setting} has ${free} left, a move needs ${needed}`);

const diskFaults = ({ estimate, request }: Look): string[] =>
  request.freeBytes !== undefined && request.freeBytes < 3 * estimate.bytes
    ? [
        `the target has ${request.freeBytes} bytes left, the tenant needs about ${3 * estimate.bytes} with its indexes and log`,
      ]
    : [];

const waitFaults = ({ name }: Looked, { oldest, prepared }: ServerFacts, longest: number): string[] => [
  ...(oldest !== null && oldest > longest
    ? [`${name}: a transaction has been writing for ${Math.round(oldest)} s`]
    : []),
  ...(prepared > 0 ? [`${name}: ${prepared} prepared transactions are open`] : []),
];

export const serverFindings = async (look: Look): Promise<Finding[]> => {
  const sides: { side: Looked; facts: ServerFacts }[] = [];
  for (const side of look.sides) {
    const { rows } = await side.client.query<ServerFacts>(factsSql);
    sides.push({ side, facts: rows[0]! });
  }
  // Two databases of one server share what it has: one look at it counts, and both directions must fit.
  const servers = [...new Map(sides.map((one) => [one.facts.system, one])).values()];
  const majors = sides.map(({ side, facts }) => `${side.name} ${facts.major}`).join(', ');
  const keep = servers.map(({ side, facts }) => `${side.name} ${facts.keepSize}`).join(', ');
  return [
    finding(
      'versions',
      'live',
      sides.flatMap(({ side, facts }) =>
        facts.major < oldestMajor ? [`${side.name} is PostgreSQL ${facts.major}, which has no row filters`] : [],
      ),
      { well: `PostgreSQL ${majors}`, fix: `upgrade to PostgreSQL ${oldestMajor} or later` },
    ),
    finding(
      'wal-level',
      'live',
      servers.flatMap(({ side, facts }) =>
        facts.walLevel === 'logical' ? [] : [`${side.name}: wal_level is ${facts.walLevel}`],
      ),
      {
        well: 'wal_level is logical',
        fix: 'set rds.logical_replication = 1, or wal_level = logical, and restart the server',
      },
    ),
    finding(
      'capacity',
      'live',
      servers.flatMap(({ side, facts }) => capacityFaults(side, facts)),
      {
        well: 'slots, walsenders and workers are free',
        fix: 'raise that setting and restart the server, or run the janitor',
      },
    ),
    finding('disk', 'both', diskFaults(look), {
      well: `${request(look)}; max_slot_wal_keep_size: ${keep}`,
      fix: 'give the target more storage',
    }),
    finding(
      'oldest-transaction',
      'live',
      servers.flatMap(({ side, facts }) => waitFaults(side, facts, look.request.longestWrite ?? longestWrite)),
      {
        well: 'no long transaction writes',
        fix: 'end it: a slot is made only after every open write',
      },
    ),
  ];
};

const request = ({ request: { freeBytes } }: Look): string =>
  freeBytes === undefined ? 'free disk is not known' : `the target has ${freeBytes} bytes left`;
