import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { TenancyFailure } from '../../app-kit/failure.ts';
import { openPools } from '../../app-kit/pools.ts';
import { createRouter, type Route } from '../../app-kit/route.ts';
import type { Logins } from '../../app-kit/secrets.ts';
import { runInTenant, type TenantSql } from '../../app-kit/transaction.ts';

/** Where the chat's tenant is served; `flip` is what a move calls. */
export interface RouteBoard {
  /** A board that asks the registry answers later. */
  read(): Route | Promise<Route>;
  flip(place: Pick<Route, 'host' | 'port' | 'database'>): Promise<void>;
  /** How often the route was switched. */
  readonly flips: () => number;
}

export const openBoard = (tenantId: string, place: Pick<Route, 'host' | 'port' | 'database'>): RouteBoard => {
  let route: Route = { tenantId, state: 'active', ...place, secretId: 'app' };
  let flips = 0;
  return {
    read: () => route,
    flip: async ({ host, port, database }) => {
      route = { ...route, host, port, database };
      flips += 1;
    },
    flips: () => flips,
  };
};

export interface LoadOptions {
  readonly board: Pick<RouteBoard, 'read'>;
  /** The app's login, the same everywhere; or where each place's own is kept. */
  readonly app: { readonly username: string; readonly password: string } | Logins;
  readonly writers?: number;
  /** Milliseconds between two operations of one writer. */
  readonly pause?: number;
  /** How long one operation is tried, in milliseconds: longer than any crash or announced freeze that a test lets happen. */
  readonly deadline?: number;
}

export interface Ack {
  readonly op: string;
  /** performance.now() when the app heard that the operation is stored. */
  readonly at: number;
}

export interface Load {
  /** What all its operations begin with: one tenant may see many loads. */
  readonly label: string;
  readonly acks: readonly Ack[];
  /** Operations whose COMMIT lost its connection: stored or not, nobody was told. */
  readonly unknown: readonly string[];
  /** Operations that were given up; nothing of them was stored. */
  readonly refused: readonly { readonly op: string; readonly reason: string }[];
  /** Resolves when so many more operations are acknowledged. */
  more(operations: number): Promise<void>;
  stop(): Promise<void>;
}

/** One operation: an insert, an insert that refers to it, an update, now and then a delete. Its id stands in the rows. */
const operate = async (sql: TenantSql, op: string, writer: number, seq: number): Promise<void> => {
  const [message] = await sql.query<{ id: string }>(
    `INSERT INTO messages (tenant_id, stream_id, sender_id, body)
     SELECT u.tenant_id, s.id, u.id, $1 FROM users u, streams s WHERE u.email = $2 AND s.name = 'general' RETURNING id`,
    [op, `w${writer}@load.example`],
  );
  await sql.query(
    `INSERT INTO reactions (tenant_id, message_id, user_id, emoji)
     SELECT tenant_id, $1, id, 'tada' FROM users WHERE email = $2`,
    [message?.id, `w${writer}@load.example`],
  );
  await sql.query('UPDATE users SET full_name = $1 WHERE email = $2', [String(seq), `w${writer}@load.example`]);
  if (seq % 5 === 0)
    await sql.query('DELETE FROM reactions WHERE message_id = $1 AND emoji = $2', [message?.id, 'tada']);
};

/** Makes the writers' own users; the tenant must be open. */
export const prepareWriters = async (client: pg.ClientBase, tenantId: string, writers: number): Promise<void> => {
  await client.query('BEGIN');
  await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
  await client.query(
    `INSERT INTO users (tenant_id, email, full_name)
     SELECT $1, 'w' || i || '@load.example', '-1' FROM generate_series(0, $2::int - 1) i
     ON CONFLICT (tenant_id, email) DO UPDATE SET full_name = excluded.full_name`,
    [tenantId, writers],
  );
  await client.query('COMMIT');
};

/**
 * Writes as the sample app's own code does: app-kit's pools, its router and its transaction, which asks for the route again
 * at TN001. Writers are by turns READ COMMITTED and REPEATABLE READ. An acknowledged operation must be found exactly once
 * afterwards (`checkOperations`).
 */
export const startWriters = ({ board, app, writers = 4, pause = 2, deadline = 60_000 }: LoadOptions): Load => {
  const acks: Ack[] = [];
  const unknown: string[] = [];
  const refused: { op: string; reason: string }[] = [];
  const pools = openPools('login' in app ? app : { login: async () => app, forget: () => undefined });
  const source = { byHost: async () => board.read(), byTenant: async () => board.read() };
  const router = createRouter(source);
  let running = true;
  const label = `op ${randomBytes(3).toString('hex')}`;
  const write = async (writer: number): Promise<void> => {
    let route = await board.read();
    const isolation = writer % 2 === 0 ? 'read committed' : 'repeatable read';
    for (let seq = 0; running; seq += 1) {
      const op = `${label} ${writer}-${seq}`;
      try {
        await runInTenant({ pools, router }, route, (sql) => operate(sql, op, writer, seq), { isolation, deadline });
        acks.push({ op, at: performance.now() });
      } catch (error) {
        if (error instanceof TenancyFailure && error.name === 'OutcomeUnknown') unknown.push(op);
        else refused.push({ op, reason: error instanceof Error ? error.message : String(error) });
      }
      route = await Promise.resolve(board.read()).catch(() => route);
      await delay(pause);
    }
  };
  const all = Array.from({ length: writers }, (_, writer) => write(writer));
  return {
    label,
    acks,
    unknown,
    refused,
    more: async (operations) => {
      const wanted = acks.length + operations;
      const end = performance.now() + 30_000;
      while (acks.length < wanted) {
        if (performance.now() > end)
          throw new Error(
            `only ${acks.length} of ${wanted} operations were acknowledged within 30 s; refused: ${JSON.stringify(refused.slice(-3))}`,
          );
        await delay(5);
      }
    },
    stop: async () => {
      running = false;
      await Promise.all(all);
      await pools.close();
    },
  };
};

/** The longest time without any acknowledgement that overlaps the given span: what a user of the tenant waited. */
export const longestGap = (acks: readonly Ack[], from: number, to: number): number => {
  const times = acks.map(({ at }) => at).sort((a, b) => a - b);
  let longest = 0;
  for (let i = 1; i < times.length; i += 1) {
    const [a, b] = [times[i - 1]!, times[i]!];
    if (b >= from && a <= to) longest = Math.max(longest, b - a);
  }
  return longest;
};

export interface Balance {
  readonly acked: number;
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
  /** Stored operations that nobody acknowledged and nobody left in doubt. */
  readonly unasked: readonly string[];
}

/** Compares what was acknowledged with what the database has; `client` sees past row-level security. */
export const checkOperations = async (
  client: pg.ClientBase,
  tenantId: string,
  load: Pick<Load, 'label' | 'acks' | 'unknown'>,
): Promise<Balance> => {
  const { rows } = await client.query<{ op: string; count: number }>(
    `SELECT body AS op, count(*)::int AS count FROM public.messages WHERE tenant_id = $1 AND body LIKE $2 GROUP BY body`,
    [tenantId, `${load.label} %`],
  );
  const stored = new Map(rows.map(({ op, count }) => [op, count]));
  const acked = new Set(load.acks.map(({ op }) => op));
  const unknown = new Set(load.unknown);
  // The update of the same transaction: a writer's row has at least its last acknowledged number.
  const users = await client.query<{ email: string; seq: string }>(
    `SELECT email, full_name AS seq FROM public.users WHERE tenant_id = $1 AND email LIKE 'w%@load.example'`,
    [tenantId],
  );
  const behind = users.rows.flatMap(({ email, seq }) => {
    const writer = /^w(\d+)@/.exec(email)?.[1];
    const last = Math.max(
      -1,
      ...load.acks
        .filter(({ op }) => op.startsWith(`${load.label} ${writer}-`))
        .map(({ op }) => Number(op.split('-')[1])),
    );
    return Number(seq) < last ? [`update of ${email}: ${seq} < ${last}`] : [];
  });
  return {
    acked: acked.size,
    lost: [...[...acked].filter((op) => !stored.has(op)), ...behind],
    duplicated: rows.filter(({ count }) => count > 1).map(({ op }) => op),
    unasked: [...stored.keys()].filter((op) => !acked.has(op) && !unknown.has(op)),
  };
};
