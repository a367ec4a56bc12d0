import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { AppMigration } from '../../../adapters/pool/migrations.ts';
import type { PoolCredentials } from '../../../adapters/pool/roles.ts';
import { type PoolState, setUpPool } from '../../../adapters/pool/set-up.ts';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import type { DatabaseRole } from '../../../adapters/postgres/connection.ts';
import { startTestPostgres } from '../../postgres.ts';

export const credentials: PoolCredentials = {
  app: { username: 'tenantry_app', password: 'app-secret' },
  provision: { username: 'tenantry_provision', password: 'provision-secret' },
  backup: { username: 'tenantry_backup', password: 'backup-secret' },
  restore: { username: 'tenantry_restore', password: 'restore-secret' },
  replicate: { username: 'tenantry_replicate', password: 'replicate-secret' },
};

export const chatMigrations = async (): Promise<AppMigration[]> => [
  {
    version: '001-chat.sql',
    sql: await readFile(new URL('../../../sample-app/schema/001-chat.sql', import.meta.url), 'utf8'),
  },
];

export interface TestPool {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly state: PoolState;
  readonly master: pg.Client;
  /** A client of one role, ended by `stop()`. */
  connect(role: DatabaseRole): Promise<pg.Client>;
  /** Prepares the tenant in the chat and gives it some users, messages and activity in every leaf. */
  addTenant(tenantId: string, messages?: number): Promise<void>;
  stop(): Promise<void>;
}

const settings = '-c DateStyle=ISO -c TimeZone=UTC -c extra_float_digits=1 -c jit=off';

/** A server of its own with a pooled database that holds the sample app's schema, or another one. */
export const openTestPool = async (migrations?: readonly AppMigration[]): Promise<TestPool> => {
  const server = await startTestPostgres();
  const clients: pg.Client[] = [];
  const login = async (database: string, user: string, password: string): Promise<pg.Client> => {
    const client = new pg.Client({ host: server.host, port: server.port, database, user, password, options: settings });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await server.stop();
  };
  try {
    const { username, password } = server.superuser;
    const postgres = await login('postgres', username, password);
    await postgres.query('CREATE DATABASE pool');
    const master = await login('pool', username, password);
    const state = await setUpPool(master, { credentials, migrations: migrations ?? (await chatMigrations()) });
    const connect = (role: DatabaseRole): Promise<pg.Client> =>
      role === 'migrate'
        ? login('pool', username, password)
        : login('pool', credentials[role].username, credentials[role].password);
    const provision = await connect('provision');
    const addTenant = async (tenantId: string, messages = 20): Promise<void> => {
      await prepareTenant(provision, { tenantId, profile: { name: tenantId }, fence: 1 });
      await provision.query('BEGIN');
      await provision.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
      await provision.query(
        `INSERT INTO messages (tenant_id, stream_id, sender_id, body)
         SELECT $1, s.id, u.id, 'message ' || i || ' of ' || $1 FROM streams s, users u, generate_series(1, $2::int) i`,
        [tenantId, messages],
      );
      await provision.query(
        `INSERT INTO activity (tenant_id, kind, subject, happened_on)
         SELECT $1, 'login', 'user ' || i, date '2025-06-01' + i * 200 FROM generate_series(1, 6) i`,
        [tenantId],
      );
      await provision.query('COMMIT');
    };
    return { host: server.host, port: server.port, database: 'pool', state, master, connect, addTenant, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
