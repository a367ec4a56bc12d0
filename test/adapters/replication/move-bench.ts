import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { expect } from 'vitest';
import { readColumns } from '../../../adapters/catalog/read-columns.ts';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import { digestLeaf, exactText } from '../../../adapters/dump/digest.ts';
import { identPath } from '../../../adapters/postgres/identifier.ts';
import { copyProgress, openCopy } from '../../../adapters/replication/copy.ts';
import { type CutOverRequest, cutOver } from '../../../adapters/replication/cut-over.ts';
import { openWayBack } from '../../../adapters/replication/way-back.ts';
import { findBroken } from '../../../adapters/restore/references.ts';
import type { Move } from '../../../domain/move.ts';
import { leavesOf, tableName } from '../../../domain/scope.ts';
import {
  type Load,
  type LoadOptions,
  openBoard,
  prepareWriters,
  type RouteBoard,
  startWriters,
} from '../../load/writers.ts';
import { credentials } from '../pool/chat-pool.ts';
import type { TestDatabase } from './servers.ts';

export const newMove = (tenantId: string, fence = 10): Move => ({
  id: `m-${randomBytes(6).toString('hex')}`,
  tenantId,
  fence,
});

export interface Ends {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
}

export const sidesOf = ({ source, target }: Ends) => ({ source: source.side, target: target.side });

export const until = async (what: string, check: () => Promise<boolean>, millis = 30_000): Promise<void> => {
  const end = performance.now() + millis;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${millis} ms`);
    await delay(25);
  }
};

/** Copy opened and caught up, way back prepared: ready to cut over. Every step is repeated, as a machine may. */
export const makeReady = async (ends: Ends, move: Move): Promise<void> => {
  const request = { ...sidesOf(ends), move };
  await openCopy(request);
  await openCopy(request);
  await until('the copy has every table', async () => {
    const { ready, total } = await copyProgress(request);
    return ready === total;
  });
  await openWayBack(request);
  await openWayBack(request);
};

export const flipTo = (board: RouteBoard, { host, port, name }: TestDatabase) => ({
  flip: () => board.flip({ host, port, database: name }),
});

export const cutOverTo = (ends: Ends, move: Move, board: RouteBoard, extra: Partial<CutOverRequest> = {}) =>
  cutOver({ ...sidesOf(ends), move, ...flipTo(board, ends.target), ...extra });

export interface UnderLoad {
  readonly board: RouteBoard;
  readonly load: Load;
}

export const writeOn = async (
  { name, host, port, login }: TestDatabase,
  tenantId: string,
  options: Partial<LoadOptions> = {},
): Promise<UnderLoad> => {
  const provision = await login('provision');
  await prepareWriters(provision, tenantId, options.writers ?? 4);
  await provision.end();
  const board = openBoard(tenantId, { host, port, database: name });
  return { board, load: startWriters({ board, app: credentials.app, ...options }) };
};

/** Every table and leaf of a tenant as one comparable value. */
export const fingerprint = async ({ side }: TestDatabase, tenantId: string): Promise<Record<string, string>> => {
  const client = await side.connect();
  try {
    const { tables } = await readScope(client);
    const columns = await readColumns(client, tables.flatMap(leavesOf));
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${exactText}`);
    const found: Record<string, string> = {};
    for (const path of tables.flatMap(leavesOf)) {
      const [one] = await digestLeaf(client, { path, columns: columns.get(path) ?? [] }, [tenantId], 'text-v1');
      if (one) found[path] = `${one.rows} ${one.digest}`;
    }
    return found;
  } finally {
    await client.end();
  }
};

const leftoversSql = `
SELECT 'slot ' || slot_name AS name FROM pg_replication_slots
UNION ALL SELECT 'publication ' || pubname FROM pg_publication
UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ '^tn_'`;

/** Slots, publications, subscriptions, origins and staging schemas of a server as seen from one of its databases. */
export const leftovers = async ({ look }: TestDatabase): Promise<string[]> =>
  (await look<{ name: string }>(leftoversSql)).map(({ name }) => name);

export const stateOf = async ({ look }: TestDatabase, tenantId: string): Promise<string | undefined> =>
  (await look<{ state: string }>('SELECT state FROM tenantry.tenants WHERE tenant_id = $1', [tenantId]))[0]?.state;

/** Exactly one of the two serves the tenant. */
export const expectOneActive = async ({ source, target }: Ends, tenantId: string): Promise<TestDatabase> => {
  const states = [await stateOf(source, tenantId), await stateOf(target, tenantId)];
  expect(states.filter((state) => state === 'open' || state === 'fenced')).toHaveLength(1);
  return states[0] === 'open' || states[0] === 'fenced' ? source : target;
};

/** Foreign keys hold, and every sequence is above the largest number of its column. */
export const expectSound = async ({ side }: TestDatabase, tenantId: string): Promise<void> => {
  const client: pg.Client = await side.connect();
  try {
    const scope = await readScope(client);
    const all = scope.tables.map(tableName);
    const broken = await findBroken(client, {
      scope,
      tenantId,
      restored: all,
      gaining: all,
      losing: all,
      relation: identPath,
    });
    expect(broken).toEqual([]);
    for (const table of scope.tables)
      for (const [sequence, column] of Object.entries(table.sequences)) {
        const { rows } = await client.query<{ top: string | null; last: string | null }>(
          `SELECT (SELECT max("${column}") FROM ${identPath(tableName(table))}) AS top, pg_sequence_last_value($1::regclass) AS last`,
          [identPath(sequence)],
        );
        expect(Number(rows[0]?.last ?? 0)).toBeGreaterThanOrEqual(Number(rows[0]?.top ?? 0));
      }
  } finally {
    await client.end();
  }
};
