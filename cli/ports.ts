import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { CommandFailure, exitCodes } from './exit-codes.ts';

const listening = '0A';

/** Inode of the socket that listens on the port; /proc/net/tcp has ports in hexadecimal. Linux only. */
const inodeOf = (port: number): string | undefined => {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readFileSync(file, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) && fields[3] === listening) return fields[9];
    }
  return undefined;
};

const holds = (pid: string, inode: string): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
  } catch {
    return false; // it ended meanwhile, or it belongs to another user
  }
};

/** ` by process 812 (node)` where the system tells. */
const holderOf = (port: number): string => {
  try {
    const inode = inodeOf(port);
    const pid = inode && readdirSync('/proc').find((name) => /^\d+$/.test(name) && holds(name, inode));
    const [program = ''] = pid ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') : [];
    return pid ? ` by process ${pid} (${basename(program)})` : '';
  } catch {
    return '';
  }
};

/** Resolves when nothing listens on the port. Throws CommandFailure conflict, naming the process that does, with the fix. */
export const requireFreePort = async (port: number): Promise<void> => {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ port, host: '127.0.0.1' }, () => probe.close(() => resolve(undefined)));
  });
  if (!error) return;
  const why =
    error.code === 'EADDRINUSE' ? `is used${holderOf(port)}` : `cannot be used (${error.code ?? error.message})`;
  throw new CommandFailure(
    exitCodes.conflict,
    `port ${port} ${why}; choose another one: npx tenantry up --port ${port < 65_000 ? port + 1 : 4566}`,
  );
};
