import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Archive } from '../archive/archive.ts';

/** One step of the app's schema; `version` is its file name, applied in the order of the list. */
export interface AppMigration {
  readonly version: string;
  readonly sql: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Migrations that this database has not had yet, in order. SchemaRefused when one that it had reads differently now, or when
 * a new one stands before one that it had: another database would get another schema from the same list.
 */
export const pendingMigrations = async (
  client: ClientBase,
  migrations: readonly AppMigration[],
): Promise<readonly AppMigration[]> => {
  const { rows } = await client.query<{ version: string; sha256: string }>(
    'SELECT version, sha256 FROM tenantry.schema_versions',
  );
  const applied = new Map(rows.map((row) => [row.version, row.sha256]));
  const firstPending = migrations.findIndex(({ version }) => !applied.has(version));
  for (const [place, { version, sql }] of migrations.entries()) {
    const known = applied.get(version);
    if (known !== undefined && known !== sha256(sql))
      throw new StepFailure(
        'SchemaRefused',
        `migration ${version} was changed after it was applied; add a new one instead`,
      );
    if (known !== undefined && firstPending >= 0 && place > firstPending)
      throw new StepFailure(
        'SchemaRefused',
        `migration ${migrations[firstPending]?.version} stands before ${version}, which is applied; give it a later version`,
      );
  }
  return firstPending < 0 ? [] : migrations.slice(firstPending);
};

/** Runs one migration inside the caller's transaction. */
export const applyMigration = async (client: ClientBase, { version, sql }: AppMigration): Promise<void> => {
  // row_security off: an owner that is bound by the policies gets an error instead of an UPDATE of no rows.
  await client.query(`SET LOCAL tenantry.migrating = 'on'; SET LOCAL row_security = off`);
  await client.query(sql);
  await client.query('INSERT INTO tenantry.schema_versions (version, sha256) VALUES ($1, $2)', [version, sha256(sql)]);
  await client.query(`SET LOCAL tenantry.migrating = 'off'; SET LOCAL row_security = on`);
};

/** The app's migrations as they lie under a key prefix of the archive bucket, in the order of their names. Throws when there is none. */
export const storedMigrations = async ({ objects, bucket }: Archive, prefix: string): Promise<AppMigration[]> => {
  const keys: string[] = [];
  for await (const { key } of objects.list(prefix)) if (key.endsWith('.sql')) keys.push(key);
  if (keys.length === 0)
    throw new Error(`schemaPrefix ${prefix} has no .sql object in ${bucket}; upload the app's migrations`);
  const texts = keys.toSorted().map(async (key) => {
    const sql = await objects.text(key);
    if (sql === undefined) throw new Error(`object ${key} went away while it was read; run set-up again`);
    return { version: key.slice(prefix.length), sql };
  });
  return Promise.all(texts);
};
