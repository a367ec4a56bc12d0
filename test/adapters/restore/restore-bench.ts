import { createHash, randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { readScope } from '../../../adapters/catalog/read-scope.ts';
import { digestSql, exactText } from '../../../adapters/dump/digest.ts';
import { identPath } from '../../../adapters/postgres/identifier.ts';
import { compareRestore } from '../../../adapters/restore/compare.ts';
import { restoreSetUpSql } from '../../../adapters/restore/effects.ts';
import { type RestoreWork, restoreIdOf, restoreSchemas } from '../../../adapters/restore/layout.ts';
import { type Staged, stageRestore } from '../../../adapters/restore/stage.ts';
import { type Swapped, swapRestore } from '../../../adapters/restore/swap.ts';
import { undoRestore } from '../../../adapters/restore/undo.ts';
import type { ArchiveMember, Manifest } from '../../../domain/archive.ts';
import { tableDrift } from '../../../domain/restore-drift.ts';
import type { RestoreReport, SwapResult } from '../../../domain/restore-report.ts';
import type { RowsRequest } from '../../../domain/rows.ts';
import { copiedColumns, leavesOf, type Scope, tableName } from '../../../domain/scope.ts';
import { chatMigrations, credentials, openTestPool, type TestPool } from '../pool/chat-pool.ts';

/** What the chat lacks: types without `=`, an identity that is always generated, a table with one column beside its key. */
const gadgets = `
CREATE TABLE gadgets (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  spec json,
  place point,
  price numeric,
  tags text[],
  seen tstzrange,
  PRIMARY KEY (tenant_id, id)
);
CREATE TABLE labels (tenant_id text NOT NULL, code text NOT NULL, PRIMARY KEY (tenant_id, code));`;

export interface Taken {
  readonly manifest: Manifest;
  readonly texts: ReadonlyMap<string, Buffer>;
  open(member: ArchiveMember): Readable;
}

export interface Restoring {
  /** As the registry would keep it. */
  readonly work: RestoreWork;
  readonly staged: Staged;
  readonly report: RestoreReport;
}

export interface Asked {
  readonly tables?: readonly string[];
  readonly rows?: RowsRequest;
  readonly operation?: string;
}

export interface Bench {
  readonly pool: TestPool;
  /** The login that steps use: bound by row-level security. */
  readonly restorer: pg.Client;
  readonly scope: () => Promise<Scope>;
  /** Runs statements as the app of one tenant. */
  as(tenantId: string, work: (app: pg.Client) => Promise<unknown>): Promise<void>;
  take(tenantId: string): Promise<Taken>;
  begin(tenantId: string, taken: Taken, asked?: Asked): Promise<Restoring>;
  swap(restoring: Restoring, options?: { operation?: string; fence?: number; client?: pg.Client }): Promise<Swapped>;
  undo(restoring: Restoring, options?: { operation?: string; force?: boolean }): Promise<SwapResult>;
  /** Rows and an MD5 of the sorted rows by table: coded apart from the digests of the product on purpose. */
  fingerprints(tenantId: string): Promise<Record<string, string>>;
  /** A neighbour that writes all the time; `stop` answers how many writes were acknowledged and how many of them are there. */
  writeAs(tenantId: string): Promise<{ stop(): Promise<{ acknowledged: number; found: number; errors: string[] }> }>;
  /** Resolves once a connection waits for a lock of that kind: `relation`, `advisory`. */
  awaitWaiting(locktype: string): Promise<void>;
  /** Resolves once a connection is copying into the staging schema of a restore. */
  awaitStaging(restoreId: string): Promise<void>;
  stop(): Promise<void>;
}

const collect = async (stream: Readable): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

export const openBench = async (): Promise<Bench> => {
  const pool = await openTestPool([...(await chatMigrations()), { version: '002-gadgets.sql', sql: gadgets }]);
  await pool.master.query(restoreSetUpSql(credentials.restore.username));
  const restorer = await pool.connect('restore');
  const app = await pool.connect('app');
  const watcher = await pool.connect('migrate');
  const scope = (): Promise<Scope> => readScope(pool.master);

  const inTenant = async (client: pg.Client, tenantId: string, work: (app: pg.Client) => Promise<unknown>) => {
    await client.query('BEGIN');
    try {
      await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  };

  const take = async (tenantId: string): Promise<Taken> => {
    const read = await scope();
    const texts = new Map<string, Buffer>();
    const members: ArchiveMember[] = [];
    for (const table of read.tables) {
      const columns = copiedColumns(table).map((column) => column.name);
      const quoted = columns.map((column) => `"${column}"`).join(', ');
      for (const leaf of leavesOf(table)) {
        const rows = `SELECT ${quoted} FROM ONLY ${identPath(leaf)} WHERE tenant_id = '${tenantId}'`;
        await pool.master.query(`BEGIN; ${exactText}`);
        const counted = await pool.master.query<{ rows: number; digest: string }>(
          `SELECT count(*)::int AS rows, ${digestSql(copiedColumns(table), 'record-v2')} AS digest FROM (${rows}) x`,
        );
        await pool.master.query('COMMIT');
        const { rows: count, digest } = counted.rows[0]!;
        if (count === 0) continue;
        const through = new PassThrough();
        const [text] = await Promise.all([
          collect(through),
          pipeline(pool.master.query(copyTo(`COPY (${rows}) TO STDOUT`)), through),
        ]);
        texts.set(leaf, text);
        members.push({
          table: leaf,
          root: tableName(table),
          columns,
          rows: count,
          digest,
          algorithm: 'record-v2',
          dumpId: members.length + 1,
          object: 'rows',
          offset: 0,
          length: text.length,
          sha256: createHash('sha256').update(text).digest('hex'),
          bytes: text.length,
        });
      }
    }
    const manifest: Manifest = {
      format: 'tenantry-archive/1',
      tenantId,
      backupId: `b-${randomUUID().slice(0, 12)}`,
      operation: 'back-up',
      kind: 'manual',
      takenAt: new Date().toISOString(),
      snapshotLsn: '0/0',
      postgresVersion: '15.18',
      isolation: 'pooled',
      schema: { fingerprint: read.fingerprint, lines: [...read.lines] },
      tables: read.tables.map((table) => ({ table: tableName(table), rows: 0, digest: '0' })),
      members,
      sequencesNote: '',
    };
    return { manifest, texts, open: (member) => Readable.from([texts.get(member.table)!]) };
  };

  let operations = 0;
  const begin = async (tenantId: string, taken: Taken, asked: Asked = {}): Promise<Restoring> => {
    const id = restoreIdOf(asked.operation ?? `restore-${++operations}`);
    const { staging, undo } = restoreSchemas(id);
    const chosen = asked.rows ? [asked.rows.table] : (asked.tables ?? taken.manifest.tables.map(({ table }) => table));
    const now = await scope();
    const planned: RestoreWork = {
      id,
      tenantId,
      backupId: taken.manifest.backupId,
      tables: chosen,
      rows: asked.rows ?? null,
      stagingSchema: staging,
      undoSchema: undo,
      staged: null,
      drift: now.tables
        .filter((table) => chosen.includes(tableName(table)))
        .map((table) => tableDrift(taken.manifest, table, now.lines)),
    };
    const staged = await stageRestore(restorer, {
      restore: planned,
      manifest: taken.manifest,
      openMember: taken.open,
      readScope,
    });
    const work = { ...planned, staged: staged.tables };
    const compared = await compareRestore(restorer, work, readScope);
    return {
      work,
      staged,
      report: { ...compared, warnings: [], comparedAt: new Date().toISOString(), comparedAgain: false },
    };
  };

  const fingerprints = async (tenantId: string): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const table of (await scope()).tables) {
      const { rows } = await pool.master.query<{ rows: string; md5: string }>(
        `SELECT count(*) AS rows, md5(string_agg(x::text, E'\\n' ORDER BY x::text COLLATE "C")) AS md5
         FROM (SELECT * FROM ${identPath(tableName(table))} WHERE tenant_id = $1) x`,
        [tenantId],
      );
      found[tableName(table)] = `${rows[0]?.rows} ${rows[0]?.md5}`;
    }
    return found;
  };

  const writeAs: Bench['writeAs'] = async (tenantId) => {
    const writer = await pool.connect('app');
    const run = randomUUID();
    let going = true;
    let acknowledged = 0;
    const errors: string[] = [];
    const writing = (async () => {
      while (going) {
        try {
          await inTenant(writer, tenantId, (client) =>
            client.query(`INSERT INTO labels (tenant_id, code) VALUES ($1, $2)`, [tenantId, `${run} ${acknowledged}`]),
          );
          acknowledged += 1;
        } catch (error) {
          errors.push(String(error));
        }
      }
    })();
    return {
      stop: async () => {
        going = false;
        await writing;
        const { rows } = await pool.master.query<{ found: number }>(
          `SELECT count(*)::int AS found FROM labels WHERE tenant_id = $1 AND code LIKE $2`,
          [tenantId, `${run} %`],
        );
        return { acknowledged, found: rows[0]!.found, errors };
      },
    };
  };

  return {
    pool,
    restorer,
    scope,
    as: (tenantId, work) => inTenant(app, tenantId, work),
    take,
    begin,
    swap: ({ work, report }, { operation = `swap-${work.id}`, fence = 5, client = restorer } = {}) =>
      swapRestore(client, { restore: { ...work, report }, operation, fence, readScope, now: () => new Date() }),
    undo: ({ work }, { operation = `undo-${work.id}`, force = false } = {}) =>
      undoRestore(restorer, { restore: work, operation, fence: 5, force, readScope }),
    fingerprints,
    writeAs,
    awaitWaiting: async (locktype) => {
      for (;;) {
        const { rowCount } = await watcher.query('SELECT FROM pg_locks WHERE NOT granted AND locktype = $1', [
          locktype,
        ]);
        if (rowCount) return;
      }
    },
    awaitStaging: async (restoreId) => {
      const schema = restoreSchemas(restoreId).staging;
      for (;;) {
        const { rowCount } = await watcher.query(
          `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' AND query LIKE $1`,
          [`%${schema}%users%`],
        );
        if (rowCount) return;
      }
    },
    stop: () => pool.stop(),
  };
};

/** Gives a tenant rows in every table: replies, reactions, attachments, invited users, gadgets. */
export const fillTenant = async (bench: Bench, tenantId: string): Promise<void> => {
  await bench.pool.addTenant(tenantId, 20);
  await bench.as(tenantId, async (app) => {
    await app.query(`
      INSERT INTO users (tenant_id, email, full_name, invited_by)
        SELECT '${tenantId}', 'user' || i || '@${tenantId}.example', 'User ' || i, (SELECT min(id) FROM users) FROM generate_series(1, 5) i;
      INSERT INTO subscriptions (tenant_id, stream_id, user_id) SELECT tenant_id, (SELECT min(id) FROM streams), id FROM users;
      INSERT INTO messages (tenant_id, stream_id, sender_id, reply_to, body)
        SELECT tenant_id, stream_id, sender_id, id, 'Re: ' || body FROM messages ORDER BY id LIMIT 5;
      INSERT INTO reactions (tenant_id, message_id, user_id, emoji)
        SELECT tenant_id, id, sender_id, 'heart' FROM messages ORDER BY id LIMIT 8;
      INSERT INTO attachments (tenant_id, message_id, file_name, content)
        SELECT tenant_id, id, 'file' || id, decode(md5(id::text), 'hex') || '\\x00ff'::bytea FROM messages ORDER BY id LIMIT 4;
      INSERT INTO gadgets (tenant_id, spec, place, price, tags, seen)
        SELECT '${tenantId}', '{"b": 1,  "a": 2}', point(i, -i), 1.50 * i, ARRAY['x', NULL, 'y"z'], tstzrange(now(), NULL) FROM generate_series(1, 5) i;
      INSERT INTO labels VALUES ('${tenantId}', 'red'), ('${tenantId}', 'blue');
    `);
  });
};
