import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What `postmaster.pid` says of the server of one data directory. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: 'starting' | 'ready' | 'stopping' | 'standby';
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** The command line of a process, or an empty text when it is gone. */
const commandLine = (pid: number): string => {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
};

/** True when `pid` is the postmaster of `data`, and not a process that got its number after a crash or a reboot. */
export const servesDirectory = (pid: number, data: string): boolean =>
  isAlive(pid) && commandLine(pid).includes(`-D ${data} `);

/** PostgreSQL manual, Message Formats: SSLRequest. The server answers with one byte, before any login. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * True when a server answers on 127.0.0.1:`port`. That it accepts is no sign: the kernel does so for a postmaster that was killed a
 * moment ago and still has its number.
 */
export const answers = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      done(answer);
    };
    socket.setTimeout(5_000, end(false));
    socket.once('error', end(false));
    socket.once('close', end(false));
    socket.once('data', end(true));
    socket.once('connect', () => socket.write(sslRequest));
  });

/**
 * Ends the backends that a killed postmaster of `data` left behind. They hold the shared memory, and one in the middle of a long
 * statement would do so for hours. Immediate shutdown is safe: the next start recovers from the log. Only Linux tells who they
 * are (they work in the data directory); elsewhere the start waits for them.
 */
export const endOrphans = (data: string, signal: 'SIGQUIT' | 'SIGKILL'): void => {
  if (process.platform !== 'linux') return;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) === data && commandLine(Number(pid)).startsWith('postgres:'))
        process.kill(Number(pid), signal);
    } catch {
      // The process ended while we looked, or is another user's.
    }
  }
};

/** Lines of postmaster.pid: 1 pid, 4 port, 8 status (padded). A file that is still being written has fewer. */
export const readPostmaster = (data: string): Postmaster | undefined => {
  let text: string;
  try {
    text = readFileSync(join(data, 'postmaster.pid'), 'utf8');
  } catch {
    return undefined;
  }
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const status = lines[7]?.trim();
  return {
    pid,
    port: Number(lines[3] ?? 0),
    status: status === 'ready' || status === 'stopping' || status === 'standby' ? status : 'starting',
  };
};

/** Resolves with the first defined answer of `look`, asked with a growing pause (5 to 100 ms); undefined after `ms`. */
export const waitUntil = async <T>(look: () => T | undefined, ms: number): Promise<T | undefined> => {
  const end = performance.now() + ms;
  for (let pause = 5; ; pause = Math.min(pause * 1.5, 100)) {
    const answer = look();
    if (answer !== undefined) return answer;
    if (performance.now() > end) return undefined;
    await delay(pause);
  }
};

/**
 * Stops a postmaster: fast shutdown (SIGINT: sessions are ended, a checkpoint is written), after 10 s immediate shutdown
 * (SIGQUIT), after 5 s more SIGKILL. Resolves when the process is gone; a dead one is fine.
 */
export const stopPostmaster = async (pid: number, data: string): Promise<void> => {
  for (const [signal, patience] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!servesDirectory(pid, data)) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    if (await waitUntil(() => (servesDirectory(pid, data) ? undefined : true), patience)) return;
  }
  throw new Error(`PostgreSQL of ${data} (pid ${pid}) did not stop within 20 s, not even by SIGKILL.`);
};
