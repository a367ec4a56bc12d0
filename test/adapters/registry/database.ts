import pg from 'pg';
import { poolSql, type Sql } from '../../../adapters/postgres/sql.ts';
import { migrateRegistry } from '../../../adapters/registry/migrate.ts';
import { openRegistry, type Registry } from '../../../adapters/registry/registry.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';

export interface TestRegistry {
  readonly server: TestPostgres;
  readonly sql: Sql;
  readonly registry: Registry;
  /** Adds a cell of the registry's own server, for tests that place tenants and open no database. */
  addCell(id: string, capacity?: number, region?: string): Promise<void>;
  stop(): Promise<void>;
}

/** A registry of its own on a fresh server; `connections` is how many of its callers can be in the database at once. */
export const startTestRegistry = async (connections = 8): Promise<TestRegistry> => {
  const server = await startTestPostgres({ max_connections: '120' });
  const pool = new pg.Pool({
    host: server.host,
    port: server.port,
    user: server.superuser.username,
    password: server.superuser.password,
    database: 'postgres',
    max: connections,
    types: {
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === 20 ? Number : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
    },
  });
  pool.on('error', () => undefined);
  const sql = poolSql(pool);
  await migrateRegistry(sql);
  const registry = openRegistry(sql);
  return {
    server,
    sql,
    registry,
    addCell: (id, capacity = 100, region = 'eu-central-1') =>
      registry.cells.upsert({
        id,
        region,
        capacity,
        host: server.host,
        port: server.port,
        database: id,
        secretPrefix: `tenantry/${id}`,
      }),
    stop: async () => {
      await pool.end();
      await server.stop();
    },
  };
};
