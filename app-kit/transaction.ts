import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { isConnectionLost, sqlState, TenancyFailure } from './failure.ts';
import type { Pools } from './pools.ts';
import type { Route, Router } from './route.ts';

/** What the work of one transaction may do. Rows of every query are this tenant's. */
export interface TenantSql {
  readonly tenantId: string;
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface TransactionOptions {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
  /** Milliseconds in which attempts may begin, 10,000 unless told: a move fences a tenant for about 50 ms, a swap for seconds. */
  readonly deadline?: number;
}

/** What one attempt came to, when it did not come to a result. */
type Obstacle = { readonly remedy: 're-resolve' | 'repeat' | 'log in anew'; readonly error: unknown };

const classify = (error: unknown): Obstacle['remedy'] | undefined => {
  const code = sqlState(error);
  // TN001: the tenant is fenced or has moved. 3D000: its old database is gone. 57P0x and sockets: its server is.
  if (code === 'TN001' || code === '3D000' || isConnectionLost(error)) return 're-resolve';
  // Serialisation failure and deadlock. The fence shows as 40001 to transactions that are older than itself.
  if (code === '40001' || code === '40P01') return 'repeat';
  if (code === '28P01' || code === '28000') return 'log in anew';
  return undefined;
};

/** `tenant acme is moved here`, as `tenantry.enter` and the fence say it; a database that was dropped after a move says 3D000. */
const hasLeft = (error: unknown): boolean =>
  sqlState(error) === '3D000' ||
  (sqlState(error) === 'TN001' && error instanceof Error && / is (moved|unknown) here$/.test(error.message));

const begin = ({ isolation, readOnly }: TransactionOptions): string =>
  `BEGIN ISOLATION LEVEL ${(isolation ?? 'read committed').toUpperCase()}${readOnly ? ' READ ONLY' : ''}`;

/**
 * Gives the client back only after DISCARD ALL: session settings, temporary tables, prepared statements, session locks and LISTEN of
 * one tenant must not reach the next. The caller does not wait for it.
 */
const giveBack = async (client: pg.PoolClient): Promise<void> => {
  try {
    await client.query('DISCARD ALL');
    client.release();
  } catch {
    client.release(true);
  }
};

const attempt = async <Result>(
  client: pg.PoolClient,
  tenantId: string,
  work: (sql: TenantSql) => Promise<Result>,
  options: TransactionOptions,
): Promise<{ result: Result } | Obstacle> => {
  let open = true;
  const sql: TenantSql = {
    tenantId,
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      // Against slips, not against attackers: who lets tenants write SQL needs a login per tenant (docs/app-contract.md).
      if (/app\.tenant_id/i.test(text)) throw new Error('The tenant of a transaction is set by withTenant alone.');
      // A query that outlives its transaction would run on a connection that serves another tenant by then.
      if (!open) throw new Error('This transaction has ended; await every query inside the work of withTenant.');
      return (await client.query<Row & Record<string, unknown>>(text, [...values])).rows;
    },
  };
  try {
    await client.query(begin(options));
    // TN001 where the tenant has moved away: a reader whose route is old must not see rows of before the move.
    await client.query('SELECT tenantry.enter($1)', [tenantId]);
    const result = await work(sql);
    open = false;
    try {
      await client.query('COMMIT');
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      client.release(true);
      throw new TenancyFailure(
        'OutcomeUnknown',
        `The connection of tenant ${tenantId} broke during COMMIT: the change may have been stored. Look before you repeat it.`,
        { cause: error },
      );
    }
    void giveBack(client);
    return { result };
  } catch (error) {
    open = false;
    if (error instanceof TenancyFailure && error.name === 'OutcomeUnknown') throw error;
    if (isConnectionLost(error)) client.release(true);
    else
      await client.query('ROLLBACK').then(
        () => void giveBack(client),
        () => client.release(true),
      );
    const remedy = classify(error);
    if (!remedy) throw error;
    return { remedy, error };
  }
};

const connect = async (pools: Pools, route: Route): Promise<pg.PoolClient | Obstacle> => {
  try {
    return await pools.connect(route);
  } catch (error) {
    const remedy = classify(error);
    if (!remedy) throw error;
    return { remedy, error };
  }
};

/**
 * Runs `work` in one transaction as the tenant of `route` and answers its result. Work is repeated, on a fresh transaction and where
 * needed at the tenant's new place, when the tenant was fenced (TN001), on serialisation failures and when the connection broke
 * before COMMIT: it must have no effect outside the database. Throws what work throws, or TenancyFailure: TenantUnavailable when
 * the deadline passed (nothing was written), TenantMoved when an own app's tenant lives elsewhere now, OutcomeUnknown when the
 * connection broke during COMMIT, TenantNotFound.
 */
export const runInTenant = async <Result>(
  parts: { pools: Pools; router: Router },
  route: Route,
  work: (sql: TenantSql) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> => {
  const end = performance.now() + (options.deadline ?? 10_000);
  let place = route;
  for (let pause = 10; ; pause = Math.min(pause * 2, 250)) {
    if (place.state === 'suspended') {
      throw new TenancyFailure('TenantSuspended', `Tenant ${place.tenantId} is suspended.`, { retryAfter: 60 });
    }
    const client = await connect(parts.pools, place);
    const outcome = 'remedy' in client ? client : await attempt(client, place.tenantId, work, options);
    if ('result' in outcome) return outcome.result;
    if (place.fixed && hasLeft(outcome.error)) {
      const message = `Tenant ${place.tenantId} has moved away from the database of this app.`;
      throw new TenancyFailure('TenantMoved', message, { cause: outcome.error, retryAfter: 1, moved: place.tenantId });
    }
    const wait = pause / 2 + Math.random() * (pause / 2);
    if (performance.now() + wait > end) {
      const reason = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
      throw new TenancyFailure(
        'TenantUnavailable',
        `Tenant ${place.tenantId} cannot be written or reached now: ${reason}`,
        {
          cause: outcome.error,
          retryAfter: 1,
        },
      );
    }
    await delay(wait);
    if (outcome.remedy === 'log in anew') parts.pools.forget(place);
    if (outcome.remedy !== 'repeat') place = await parts.router.refresh(place.tenantId);
  }
};
