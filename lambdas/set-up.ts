import { z } from 'zod';
import type { AppMigration } from '../adapters/pool/migrations.ts';
import { type PoolState, setUpPool } from '../adapters/pool/set-up.ts';
import { type DatabasePlace, openRegistryConnection, roleSecret } from '../adapters/postgres/connection.ts';
import { ensureDatabase } from '../adapters/postgres/database.ts';
import { clientSql } from '../adapters/postgres/sql.ts';
import { openCells } from '../adapters/registry/cells.ts';
import { writeRegistryLogins } from '../adapters/registry/logins.ts';
import { migrateRegistry } from '../adapters/registry/migrate.ts';
import { openRoutes } from '../adapters/registry/routes.ts';
import { restoreSetUpSql } from '../adapters/restore/effects.ts';
import type { World } from '../adapters/world.ts';
import { worldOfProcess } from './step.ts';

const inputSchema = z.object({
  cells: z
    .array(
      z.object({
        id: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a name such as eu-1'),
        region: z.string().min(1),
        host: z.string().min(1),
        port: z.coerce.number().int().min(1).max(65_535),
        database: z.string().min(1),
        secretPrefix: z.string().min(1),
        capacity: z.coerce.number().int().min(0),
      }),
    )
    .min(1),
  /** Key prefix of the app's migrations in the archive bucket, run in the order of their names. */
  schemaPrefix: z.string().min(1),
  /** Login that owns the registry. That of a pool is `<secretPrefix>/migrate`. */
  masterSecretId: z.string().min(1),
  routerSecretId: z.string().min(1).default('tenantry/registry/router'),
  /** Where tenants are reached, `{tenant}` is the id; kept as it is when left out. */
  tenantUrl: z.string().includes('{tenant}').optional(),
});

export type SetUpInput = z.input<typeof inputSchema>;

export interface SetUpResult {
  /** Migrations of the registry that this call ran. */
  readonly migrations: readonly string[];
  readonly cells: readonly (PoolState & { readonly id: string })[];
}

const readMigrations = async (world: World, prefix: string): Promise<AppMigration[]> => {
  const keys: string[] = [];
  for await (const { key } of world.archive.objects.list(prefix)) if (key.endsWith('.sql')) keys.push(key);
  if (keys.length === 0)
    throw new Error(
      `schemaPrefix ${prefix} has no .sql object in ${world.archive.bucket}; upload the app's migrations`,
    );
  const texts = keys.toSorted().map(async (key) => {
    const sql = await world.archive.objects.text(key);
    if (sql === undefined) throw new Error(`object ${key} went away while set-up read it; run set-up again`);
    return { version: key.slice(prefix.length), sql };
  });
  return Promise.all(texts);
};

const setUpCell = async (
  world: World,
  place: DatabasePlace,
  migrations: readonly AppMigration[],
): Promise<PoolState> => {
  const login = (role: 'app' | 'provision' | 'backup' | 'restore') =>
    world.secrets.credentials(roleSecret(place, role));
  const master = await world.secrets.credentials(roleSecret(place, 'migrate'));
  await ensureDatabase(place, place.database, master);
  const credentials = {
    app: await login('app'),
    provision: await login('provision'),
    backup: await login('backup'),
    restore: await login('restore'),
  };
  const client = await world.databases.connect(place, 'migrate');
  try {
    const state = await setUpPool(client, { credentials, migrations });
    await clientSql(client).transaction(async (within) => {
      // IF NOT EXISTS does not hold between two set-ups at once: both would create, one would fail.
      await within.query('SELECT pg_advisory_xact_lock(7003, 3)');
      await within.query(restoreSetUpSql(credentials.restore.username));
    });
    return state;
  } finally {
    await client.end();
  }
};

/**
 * Brings registry and pools to this release: schema, logins, the app's migrations, then the cells. Safe to repeat and to
 * run while tenants work. A cell is announced to placements only after its pool is ready.
 */
export const setUp = async (event: unknown, world: World): Promise<SetUpResult> => {
  const parsed = inputSchema.safeParse(event);
  if (!parsed.success) throw new Error(`set-up: ${z.prettifyError(parsed.error)}`);
  const { cells, schemaPrefix, masterSecretId, routerSecretId, tenantUrl } = parsed.data;
  const { registryPlace, secrets } = world;
  await ensureDatabase(registryPlace, registryPlace.database, await secrets.credentials(masterSecretId));
  const master = openRegistryConnection({ ...registryPlace, secretId: masterSecretId }, secrets);
  try {
    const migrations = await migrateRegistry(master);
    await writeRegistryLogins(master, {
      control: await secrets.credentials(registryPlace.secretId),
      router: await secrets.credentials(routerSecretId),
    });
    if (tenantUrl) await openRoutes(master).setPattern(tenantUrl);
    const appMigrations = await readMigrations(world, schemaPrefix);
    const ready: (PoolState & { id: string })[] = [];
    for (const cell of cells) {
      ready.push({ id: cell.id, ...(await setUpCell(world, cell, appMigrations)) });
      await openCells(master).upsert(cell);
    }
    return { migrations, cells: ready };
  } finally {
    await master.close();
  }
};

export const handler = (event: unknown): Promise<SetUpResult> => setUp(event, worldOfProcess());
