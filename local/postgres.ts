import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { type Account, barrier, serverAccount } from './postgres/account.ts';
import { type Binaries, findBinaries } from './postgres/binaries.ts';
import { checkVersion, initialise, readServerFile, writeServerFile } from './postgres/cluster.ts';
import { freePort, isFree, portOwner } from './postgres/port.ts';
import {
  answers,
  endOrphans,
  isAlive,
  readPostmaster,
  servesDirectory,
  stopPostmaster,
  waitUntil,
} from './postgres/postmaster.ts';

export interface PostgresOptions {
  /** Everything of the server lives in here: `data/`, `server.json` (0600: superuser and port), `postgres.log`. */
  readonly directory: string;
  /** Fixed port; without it the port of the last start, else a free one. */
  readonly port?: number;
  readonly log?: (line: string) => void;
  /** Server settings on top of `defaults`, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `native` folder of another PostgreSQL package, such as one of another major version. */
  readonly installed?: string | undefined;
  /** Name that a new server's superuser gets; `postgres` unless told. */
  readonly superuser?: string;
}

export interface PostgresServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  readonly superuser: { readonly username: string; readonly password: string };
  /** Fast shutdown; resolves when the process is gone. Safe to call twice and after a crash. */
  stop(): Promise<void>;
  /** Sends a signal to the postmaster, for crash tests. */
  kill(signal: NodeJS.Signals): void;
}

/** max_connections 200: 4 pooled databases with an app pool of 20, workers and walsenders fit with room to spare. */
const defaults: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // No socket file: its path may not exceed 107 bytes, and a directory of ours may.
  unix_socket_directories: '',
  // In the data directory: of a server that is killed and thrown away a segment of 1 MiB would stay in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  wal_level: 'logical',
  max_connections: '200',
  max_wal_senders: '60',
  max_replication_slots: '60',
  // A move takes a worker for its changes and two for its first copy; ten tenants may move at once.
  max_worker_processes: '60',
  max_logical_replication_workers: '40',
  // A way back that was started a moment ago would wait for its worker for five seconds, the default.
  wal_retrieve_retry_interval: '500ms',
  shared_buffers: '128MB',
  jit: 'off',
  timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

/** After kill -9 of a postmaster its backends hold the shared memory for a moment: 4 to 5 attempts, 1.3 to 1.9 s were measured. */
const startWithin = 15_000;

const prepareDirectory = (directory: string, account: Account | undefined): void => {
  mkdirSync(directory, { recursive: true });
  if (account === undefined) return;
  chmodSync(directory, statSync(directory).mode | 0o011);
  const wall = barrier(directory, account);
  if (wall !== undefined) {
    throw new Error(
      `PostgreSQL cannot run as root and runs as uid ${account.uid} instead, which may not enter ${wall} on the way to ${directory}. ` +
        `Run as an ordinary user, \`chmod o+x ${wall}\`, or choose a data directory elsewhere, such as below /var/tmp.`,
    );
  }
};

interface Attempt {
  readonly pid?: number;
  /** What the server wrote before it died. */
  readonly said: string;
}

/** Spawns one postmaster and resolves when it accepts connections or has died. */
const attempt = async (
  directory: string,
  binaries: Binaries,
  account: Account | undefined,
  settings: Readonly<Record<string, string>>,
): Promise<Attempt> => {
  const data = join(directory, 'data');
  const logFile = join(directory, 'postgres.log');
  // Ten megabytes of old log are kept for reading, not more.
  if (existsSync(logFile) && statSync(logFile).size > 10_000_000) renameSync(logFile, `${logFile}.old`);
  const from = existsSync(logFile) ? statSync(logFile).size : 0;
  const log = openSync(logFile, 'a', 0o600);
  // Detached: Ctrl-C in the terminal must not reach the server before those who still write to it have finished.
  const child = spawn(
    binaries.postgres,
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      ...account,
      cwd: directory,
      detached: true,
      // Commands of the server, such as those that archive its log, need gzip and mv, whatever the user's PATH has.
      env: { PATH: [process.env.PATH, '/usr/bin', '/bin'].filter(Boolean).join(':'), ...binaries.environment },
      stdio: ['ignore', log, log],
    },
  );
  closeSync(log);
  let dead: string | undefined;
  let waiting = true;
  child.once('error', (error) => {
    dead = error.message;
  });
  child.once('exit', () => {
    // Long after the start nobody asks any more, and the log may be gone with its directory.
    if (waiting) dead ??= readFileSync(logFile).subarray(from).toString('utf8');
  });
  child.unref();
  const outcome = await waitUntil<Attempt>(() => {
    if (dead !== undefined) return { said: dead };
    const running = readPostmaster(data);
    return running?.pid === child.pid && running?.status === 'ready' ? { pid: running.pid, said: '' } : undefined;
  }, 60_000);
  waiting = false;
  if (outcome) return outcome;
  await stopPostmaster(child.pid ?? 0, data);
  throw new Error(
    `PostgreSQL of ${data} was not ready within 60 s (crash recovery of a large database?). See ${logFile}.`,
  );
};

const portTaken = (port: number): Error =>
  new Error(`Port ${port} for PostgreSQL is used by ${portOwner(port)}. Stop that process or choose another port.`);

const start = async (
  directory: string,
  binaries: Binaries,
  account: Account | undefined,
  options: PostgresOptions,
): Promise<{ pid: number; port: number; adopted: boolean }> => {
  const data = join(directory, 'data');
  const end = performance.now() + startWithin;
  let remembered = readServerFile(directory)?.port;
  let said = '';
  for (;;) {
    const found = readPostmaster(data);
    if (found && servesDirectory(found.pid, data)) {
      const wanted = options.port === undefined || options.port === found.port;
      if (found.status === 'ready' && wanted && (await answers(found.port)) && servesDirectory(found.pid, data)) {
        return { pid: found.pid, port: found.port, adopted: true };
      }
      if (found.status === 'ready' && !wanted) await stopPostmaster(found.pid, data);
    } else {
      // The number in a stale lock file may belong to a stranger since a reboot; PostgreSQL would then refuse for ever.
      if (found && isAlive(found.pid)) rmSync(join(data, 'postmaster.pid'), { force: true });
      endOrphans(data, end - performance.now() > 5000 ? 'SIGQUIT' : 'SIGKILL');
      const port =
        options.port ?? (remembered !== undefined && (await isFree(remembered)) ? remembered : await freePort());
      if (options.port !== undefined && !(await isFree(port))) throw portTaken(port);
      const made = await attempt(directory, binaries, account, {
        ...defaults,
        ...options.settings,
        port: String(port),
      });
      if (made.pid !== undefined) return { pid: made.pid, port, adopted: false };
      said = made.said.trim();
      if (/could not bind IPv4/.test(said)) remembered = undefined;
      else if (!/lock file "postmaster.pid"|shared memory block/.test(said)) {
        throw new Error(`PostgreSQL of ${data} did not start: ${said || 'it said nothing'}`);
      }
    }
    const left = end - performance.now();
    if (left < 0) {
      throw new Error(
        `PostgreSQL of ${data} did not start within ${startWithin / 1000} s: ${said || `pid ${found?.pid} is ${found?.status}`}`,
      );
    }
    await waitUntil(() => undefined, 50 + Math.random() * 200);
  }
};

/**
 * Starts (and at the first time creates) a PostgreSQL server on 127.0.0.1, password-protected, and resolves when it accepts
 * connections. A running server of the same directory is adopted, so a crash of this process costs nothing. As root the server
 * runs as uid 65534. Throws an Error that names the port and its owner, the unreachable directory, or what the server said.
 */
export const startPostgres = async (options: PostgresOptions): Promise<PostgresServer> => {
  const directory = resolve(options.directory);
  const account = serverAccount();
  prepareDirectory(directory, account);
  const binaries = findBinaries(directory, account, options.installed);
  const data = join(directory, 'data');
  if (!existsSync(data)) {
    const { settings, superuser = 'postgres' } = options;
    await initialise(directory, binaries, account, { durable: settings?.fsync !== 'off', superuser });
  }
  checkVersion(data, binaries);
  const server = readServerFile(directory);
  if (!server)
    throw new Error(
      `${directory} has data but no server.json with the superuser's password. Restore that file or remove the directory.`,
    );
  const { pid, port, adopted } = await start(directory, binaries, account, options);
  if (server.port !== port) writeServerFile(directory, { ...server, port });
  options.log?.(`PostgreSQL ${adopted ? 'found running' : 'started'} on 127.0.0.1:${port} (pid ${pid}, ${data})`);
  return {
    host: '127.0.0.1',
    port,
    pid,
    superuser: { username: server.username, password: server.password },
    stop: () => stopPostmaster(pid, data),
    kill: (signal) => {
      process.kill(pid, signal);
    },
  };
};

/**
 * The directory for everything that Tenantry keeps on this machine: `<project>/.tenantry`, or `/var/tmp/tenantry-<hash>`
 * when root runs a clone that the server's account cannot reach (below `/root` with mode 700).
 */
export const reachableHome = (projectRoot: string): string => {
  const root = resolve(projectRoot);
  if (barrier(root, serverAccount()) === undefined) return join(root, '.tenantry');
  return `/var/tmp/tenantry-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
};
