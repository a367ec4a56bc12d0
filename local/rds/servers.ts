import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { keepPostgres } from '../postgres/keeper.ts';
import { isFree } from '../postgres/port.ts';
import { readPostmaster, stopPostmaster } from '../postgres/postmaster.ts';
import { type PostgresServer, startPostgres } from '../postgres.ts';
import { engineFor } from './engine.ts';
import type { Instance } from './instance.ts';
import { archiveCommand, restoreCommand } from './log-archive.ts';
import { type ParameterValues, staticSettings } from './parameters.ts';
import type { Places } from './places.ts';

/** Our own superuser, as RDS calls its own; the master user is another role. */
const superuser = 'rdsadmin';

export interface ServersOptions {
  readonly places: Places;
  /** Settings of every server, such as `{ fsync: 'off' }`; parameters of a group win over them. */
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
}

/** The PostgreSQL servers behind the instances. */
export interface Servers {
  /** Starts the instance's server (or finds it running) and starts it again whenever it dies. Answers its port. */
  start(instance: Instance, values: ParameterValues, port?: number): Promise<number>;
  /** Lets a server play the log of `source` up to a time, then opens it for writing on a timeline of its own, and stops it. */
  recover(instance: Instance, log: { source: string; at: number }): Promise<void>;
  /** Stops it, whoever started it. Safe when none runs. */
  stop(id: string): Promise<void>;
  stopAll(): Promise<void>;
  /** The port of an instance's server while it runs. */
  port(id: string): number | undefined;
  /** Runs `work` as our superuser. */
  connected<Result>(id: string, database: string, work: (client: pg.Client) => Promise<Result>): Promise<Result>;
  /** Removes the server's files. It must be stopped. */
  erase(id: string): Promise<void>;
}

/** Crash recovery, or playing a day of log, may outlast the 60 s of one start; what has been played is kept. */
const recoveryAttempts = 30;

export const openServers = ({ places, settings, log }: ServersOptions): Servers => {
  const running = new Map<string, PostgresServer>();
  const optionsOf = (instance: Instance, values: ParameterValues) => {
    const archive = places.log(instance.id);
    return {
      directory: places.instance(instance.id),
      superuser,
      installed: engineFor('postgres', instance.engineVersion).installed,
      log: (line: string) => log(`${instance.id}: ${line}`),
      settings: {
        shared_buffers: '64MB',
        ...settings,
        ...staticSettings(values),
        archive_mode: instance.retention === 0 ? 'off' : 'on',
        archive_command: archiveCommand(archive),
      },
    };
  };
  const stop = async (id: string): Promise<void> => {
    const server = running.get(id);
    running.delete(id);
    if (server) return server.stop();
    // A life of the cloud that ended by kill -9 left it running.
    const data = join(places.instance(id), 'data');
    const found = readPostmaster(data);
    if (found) await stopPostmaster(found.pid, data);
  };
  const patiently = async (start: () => Promise<PostgresServer>): Promise<PostgresServer> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await start();
      } catch (error) {
        const unready = error instanceof Error && /was not ready within/.test(error.message);
        if (!unready || attempt === recoveryAttempts) throw error;
      }
    }
  };
  return {
    stop,
    port: (id) => running.get(id)?.port,
    start: async (instance, values, port) => {
      const known = running.get(instance.id);
      if (known) return known.port;
      const wanted = port !== undefined && (await isFree(port)) ? { port } : {};
      const server = await patiently(() => keepPostgres({ ...optionsOf(instance, values), ...wanted }));
      running.set(instance.id, server);
      return server.port;
    },
    recover: async (instance, { source, at }) => {
      const options = optionsOf(instance, {});
      const server = await patiently(() =>
        startPostgres({
          ...options,
          settings: {
            ...options.settings,
            // Ready then means recovered, and parameters of the source larger than ours do not matter.
            hot_standby: 'off',
            restore_command: restoreCommand(places.log(source)),
            // The server reads this before it knows zones by name: even Z is refused.
            recovery_target_time: new Date(at).toISOString().replace('Z', '+00'),
            recovery_target_action: 'promote',
            // A subscription in the copy must not speak up in its original's name before anybody has looked.
            max_logical_replication_workers: '0',
          },
        }),
      );
      await server.stop();
    },
    stopAll: async () => {
      await Promise.all([...running.keys()].map(stop));
    },
    connected: async (id, database, work) => {
      const server = running.get(id);
      if (!server) throw new Error(`the server of ${id} does not run`);
      const client = new pg.Client({
        host: server.host,
        port: server.port,
        user: server.superuser.username,
        password: server.superuser.password,
        database,
        application_name: 'rdsadmin',
        connectionTimeoutMillis: 10_000,
      });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await work(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    erase: async (id) => {
      await rm(places.instance(id), { recursive: true, force: true });
      await rm(places.log(id), { recursive: true, force: true });
    },
  };
};
