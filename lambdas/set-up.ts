import type { Client } from 'pg';
import * as z from 'zod';
import { type AppMigration, storedMigrations } from '../adapters/pool/migrations.ts';
import { workerLogins } from '../adapters/pool/server-logins.ts';
import { type PoolState, setUpPool } from '../adapters/pool/set-up.ts';
import { readyDatabase, setUpTenantDatabase } from '../adapters/pool/tenant-database.ts';
import { type DatabasePlace, openRegistryConnection, roleSecret } from '../adapters/postgres/connection.ts';
import { ensureDatabase } from '../adapters/postgres/database.ts';
import { clientSql, type Sql } from '../adapters/postgres/sql.ts';
import { openCells } from '../adapters/registry/cells.ts';
import { openClusters } from '../adapters/registry/clusters.ts';
import { writeRegistryLogins } from '../adapters/registry/logins.ts';
import { migrateRegistry } from '../adapters/registry/migrate.ts';
import { openPlacements } from '../adapters/registry/placements.ts';
import { openRoutes } from '../adapters/registry/routes.ts';
import { openServers } from '../adapters/registry/servers.ts';
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
        serverCapacity: z.coerce.number().int().min(0).optional(),
        databaseCapacity: z.coerce.number().int().min(0).optional(),
        clusterCapacity: z.coerce.number().int().min(0).optional(),
      }),
    )
    .min(1),
  /** More servers for tenants' own databases; that of each cell is one already. */
  servers: z
    .array(
      z.object({
        id: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a name such as eu-1-b'),
        cell: z.string().min(1),
        host: z.string().min(1),
        port: z.coerce.number().int().min(1).max(65_535),
        secretPrefix: z.string().min(1),
        capacity: z.coerce.number().int().min(0),
      }),
    )
    .default([]),
  /** Clusters in which tenants have namespaces. */
  clusters: z
    .array(
      z.object({
        id: z.string().regex(/^[a-z][a-z0-9-]{0,99}$/, 'must be the name of an EKS cluster such as tenantry-eu-1'),
        cell: z.string().min(1),
        region: z.string().min(1),
        capacity: z.coerce.number().int().min(0),
      }),
    )
    .default([]),
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

const asMaster = async <Result>(
  world: World,
  place: DatabasePlace,
  work: (master: Client) => Promise<Result>,
): Promise<Result> => {
  const client = await world.databases.connect(place, 'migrate');
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const setUpCell = async (
  world: World,
  place: DatabasePlace,
  migrations: readonly AppMigration[],
): Promise<PoolState> => {
  await ensureDatabase(place, place.database, await world.secrets.credentials(roleSecret(place, 'migrate')));
  const credentials = {
    ...(await workerLogins(world.secrets, place)),
    app: await world.secrets.credentials(roleSecret(place, 'app')),
  };
  return asMaster(world, place, async (client) => {
    const state = await setUpPool(client, { credentials, migrations });
    await clientSql(client).transaction(async (within) => {
      // IF NOT EXISTS does not hold between two set-ups at once: both would create, one would fail.
      await within.query('SELECT pg_advisory_xact_lock(7003, 3)');
      await within.query(restoreSetUpSql(credentials.restore.username));
    });
    return state;
  });
};

/** Brings the tenants' own databases on one server to this release, the one that new ones are copied from first. */
const setUpServer = async (
  world: World,
  registry: Sql,
  server: Omit<DatabasePlace, 'database'> & { readonly id: string },
  migrations: readonly AppMigration[],
): Promise<void> => {
  const credentials = await workerLogins(world.secrets, server);
  const databases = await openPlacements(registry).databasesOn(server.id);
  await ensureDatabase(server, readyDatabase, await world.secrets.credentials(roleSecret(server, 'migrate')));
  for (const database of [readyDatabase, ...databases])
    await asMaster(world, { ...server, database }, (client) =>
      setUpTenantDatabase(client, { credentials, migrations }),
    );
};

/**
 * Brings registry and pools to this release: schema, logins, the app's migrations, then the cells. Safe to repeat and to
 * run while tenants work. A cell is announced to placements only after its pool is ready.
 */
export const setUp = async (event: unknown, world: World): Promise<SetUpResult> => {
  const parsed = inputSchema.safeParse(event);
  if (!parsed.success) throw new Error(`set-up: ${z.prettifyError(parsed.error)}`);
  const input = parsed.data;
  const { cells, schemaPrefix, masterSecretId, routerSecretId, tenantUrl } = input;
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
    const appMigrations = await storedMigrations(world.archive, schemaPrefix);
    const ready: (PoolState & { id: string })[] = [];
    for (const cell of cells) {
      ready.push({ id: cell.id, ...(await setUpCell(world, cell, appMigrations)) });
      await openCells(master).upsert(cell);
    }
    for (const server of input.servers) await openServers(master).upsert(server);
    for (const cluster of input.clusters) await openClusters(master).upsert(cluster);
    for (const { id, host, port, secretPrefix } of await openServers(master).list())
      if (host !== null && port !== null)
        await setUpServer(world, master, { id, host, port, secretPrefix }, appMigrations);
    return { migrations, cells: ready };
  } finally {
    await master.close();
  }
};

export const handler = (event: unknown): Promise<SetUpResult> => setUp(event, worldOfProcess());
