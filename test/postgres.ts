import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../local/postgres.ts';

export interface TestPostgres {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly superuser: { readonly username: string; readonly password: string };
  /** A superuser's connection to the database `postgres`; the test ends it. */
  connect(): Promise<pg.Client>;
  /** Stops the server and removes its directory. */
  stop(): Promise<void>;
}

/**
 * A fresh server in a temporary directory, without fsync: about a second to start, gone after `stop()`. `installed` is the
 * `native` folder of another PostgreSQL package, such as one of another major version.
 */
export const startTestPostgres = async (
  settings: Readonly<Record<string, string>> = {},
  installed?: string,
): Promise<TestPostgres> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-postgres-'));
  const server = await startPostgres({
    directory,
    installed,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '32MB', ...settings },
  });
  const { host, port, superuser } = server;
  return {
    host,
    port,
    superuser,
    connect: async () => {
      const { username: user, password } = superuser;
      const client = new pg.Client({ host, port, user, password, database: 'postgres' });
      // A connection that a test cuts must not end the process.
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    stop: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
};
