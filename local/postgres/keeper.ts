import { join, resolve } from 'node:path';
import { type PostgresOptions, type PostgresServer, startPostgres } from '../postgres.ts';
import { servesDirectory } from './postmaster.ts';

/** Milliseconds between two looks at the postmaster. One look reads one small file. */
const every = 200;

/**
 * `startPostgres`, and again on the same port whenever the server dies without having been stopped: what RDS does for its users. `pid`
 * is that of the server which runs now. A start that fails is logged and tried again.
 */
export const keepPostgres = async (options: PostgresOptions): Promise<PostgresServer> => {
  const data = join(resolve(options.directory), 'data');
  let server = await startPostgres(options);
  let starting: Promise<void> | undefined;
  const startAgain = async (): Promise<void> => {
    options.log?.(`PostgreSQL (pid ${server.pid}) died; it is started again on port ${server.port}`);
    try {
      server = await startPostgres({ ...options, port: server.port });
    } catch (error) {
      options.log?.(error instanceof Error ? error.message : String(error));
    }
    starting = undefined;
  };
  const watch = setInterval(() => {
    if (!starting && !servesDirectory(server.pid, data)) starting = startAgain();
  }, every);
  watch.unref();
  return {
    host: server.host,
    port: server.port,
    superuser: server.superuser,
    get pid() {
      return server.pid;
    },
    stop: async () => {
      clearInterval(watch);
      await starting;
      await server.stop();
    },
    kill: (signal) => server.kill(signal),
  };
};
