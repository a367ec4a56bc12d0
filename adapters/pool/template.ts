import pg from 'pg';
import type { Scope } from '../../domain/scope.ts';
import { appSchema } from '../catalog/app-schemas.ts';
import { readScope } from '../catalog/read-scope.ts';
import { ident, identPath } from '../postgres/identifier.ts';
import type { AppMigration } from './migrations.ts';

/** Name of the database that holds the empty schema of that fingerprint. */
export const templateDatabase = (fingerprint: string): string => `tn_template_${fingerprint.slice(0, 12)}`;

export interface TemplateRequest {
  readonly scope: Scope;
  readonly migrations: readonly AppMigration[];
  /** Login that runs pg_dump on the template. */
  readonly backup: string;
}

const connectLike = async (client: pg.Client, database: string): Promise<pg.Client> => {
  const { host, port, user, password, ssl } = client;
  const other = new pg.Client({ host, port, user, password: password ?? undefined, ssl, database });
  other.on('error', () => undefined);
  await other.connect();
  return other;
};

const partitionsSql = `
SELECT c.oid::regclass::text AS path, i.inhparent::regclass::text AS parent, pg_get_expr(c.relpartbound, c.oid) AS bound,
  CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END AS by
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p') AND ${appSchema('n.nspname')} ORDER BY c.oid`;

interface Partition {
  readonly path: string;
  readonly parent: string;
  readonly bound: string;
  readonly by: string;
}

/** Partitions that a job of the app made in the pool after its migrations: the usual reason why a pool has more than those. */
const copyPartitions = async (pool: pg.Client, template: pg.Client): Promise<void> => {
  const read = async (client: pg.Client): Promise<Partition[]> => {
    await client.query(`SET search_path TO ''`);
    try {
      return (await client.query<Partition>(partitionsSql)).rows;
    } finally {
      await client.query('RESET search_path');
    }
  };
  const known = new Set((await read(template)).map(({ path }) => path));
  // regclass text with an empty path is qualified and quoted by the server.
  for (const { path, parent, bound, by } of (await read(pool)).filter((one) => !known.has(one.path)))
    await template.query(`CREATE TABLE ${path} PARTITION OF ${parent} ${bound}${by}`);
};

const fill = async (pool: pg.Client, template: pg.Client, { scope, migrations, backup }: TemplateRequest) => {
  for (const { sql } of migrations) await template.query(sql);
  let made = await readScope(template);
  if (made.fingerprint !== scope.fingerprint) {
    await copyPartitions(pool, template);
    made = await readScope(template);
  }
  const role = ident(backup);
  const schemas = new Set([
    ...made.tables.map((table) => table.schema),
    ...made.reference.map((name) => name.split('.')[0]!),
  ]);
  for (const schema of schemas) {
    const name = ident(schema);
    await template.query(`
      GRANT USAGE ON SCHEMA ${name} TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${name} TO ${role}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${name} TO ${role}`);
  }
  // An archive carries the reference rows of its own snapshot; those that migrations brought along must not come twice.
  if (made.reference.length > 0) await template.query(`TRUNCATE ${made.reference.map(identPath).join(', ')} CASCADE`);
  return made;
};

/** Lines of `pool` that its migrations do not make (+), and lines that they make and the pool lacks (-). */
const difference = (pool: Scope, made: Scope): string[] => {
  const [have, want] = [new Set(pool.lines), new Set(made.lines)];
  return [
    ...pool.lines.filter((line) => !want.has(line)).map((line) => `+ ${line}`),
    ...made.lines.filter((line) => !have.has(line)).map((line) => `- ${line}`),
  ];
};

/**
 * Makes the template database of the pool's schema where there is none: an empty database with the app's schema and nothing
 * of Tenantry's. It is built under another name and renamed when it is whole, so one that exists is complete.
 */
export const writeTemplate = async (
  pool: pg.Client,
  request: TemplateRequest,
): Promise<{ template: string | undefined; drift: string[] }> => {
  const template = templateDatabase(request.scope.fingerprint);
  const existing = await pool.query('SELECT FROM pg_database WHERE datname = $1', [template]);
  if (existing.rowCount) return { template, drift: [] };
  const draft = `${template}_draft`;
  await pool.query(`DROP DATABASE IF EXISTS ${ident(draft)} WITH (FORCE)`);
  await pool.query(`CREATE DATABASE ${ident(draft)} TEMPLATE template0`);
  const client = await connectLike(pool, draft);
  let made: Scope;
  try {
    made = await fill(pool, client, request);
  } finally {
    await client.end();
  }
  if (made.fingerprint !== request.scope.fingerprint) {
    await pool.query(`DROP DATABASE ${ident(draft)} WITH (FORCE)`);
    return { template: undefined, drift: difference(request.scope, made) };
  }
  await pool.query(
    `REVOKE CONNECT ON DATABASE ${ident(draft)} FROM PUBLIC; GRANT CONNECT ON DATABASE ${ident(draft)} TO ${ident(request.backup)}`,
  );
  await pool.query(`ALTER DATABASE ${ident(draft)} RENAME TO ${ident(template)}`);
  return { template, drift: [] };
};
