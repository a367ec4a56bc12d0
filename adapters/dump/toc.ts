import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { type Toc, tocKeyOf, tocSchema } from '../../domain/archive.ts';
import { leavesOf } from '../../domain/scope.ts';
import type { Objects } from '../archive/objects.ts';
import { readColumns } from '../catalog/read-columns.ts';
import { readScope } from '../catalog/read-scope.ts';
import type { Credentials } from '../secrets.ts';
import { findClientPrograms, runProgram } from './client-programs.ts';

export interface TocSource {
  readonly host: string;
  readonly port: number;
  /** Template database of the fingerprint; it has the schema and no row. */
  readonly database: string;
  readonly login: Credentials;
  /** Opens a client on that database; undefined where it does not exist. */
  readonly connect: () => Promise<Client | undefined>;
  readonly signal?: AbortSignal | undefined;
}

/** TLS settings reach pg_dump by the same variables that pg reads. */
const tlsVariables = ['PGSSLMODE', 'PGSSLROOTCERT'] as const;

/**
 * The database goes by PGDATABASE: as an argument a name is a connection string, and `dbname=other` reaches another
 * database (research/reliability 3.2). The password is in the environment of the child alone.
 */
const connection = ({ host, port, database, login }: TocSource): Record<string, string> => ({
  PGHOST: host,
  PGPORT: String(port),
  PGDATABASE: database,
  PGUSER: login.username,
  PGPASSWORD: login.password,
  PGCONNECT_TIMEOUT: '5',
  ...Object.fromEntries(tlsVariables.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
});

/** `3365; 0 16406 TABLE DATA public activity owner`: names are matched whole, because they may hold spaces. */
const dumpIdIn = (list: string, path: string): number | undefined => {
  const dot = path.indexOf('.');
  const wanted = ` TABLE DATA ${path.slice(0, dot)} ${path.slice(dot + 1)} `;
  const lines = list.split('\n').filter((line) => line.includes(wanted));
  const id = /^(\d+); /.exec(lines[0] ?? '')?.[1];
  return lines.length === 1 && id !== undefined ? Number(id) : undefined;
};

const readEntries = async (client: Client, list: string): Promise<Toc['entries'] | undefined> => {
  const scope = await readScope(client);
  const columns = await readColumns(client, [...scope.tables.flatMap(leavesOf), ...scope.reference]);
  const entries: Toc['entries'] = {};
  for (const [path, ofPath] of columns) {
    const dumpId = dumpIdIn(list, path);
    if (dumpId === undefined) return undefined;
    entries[path] = { dumpId, columns: ofPath.map(({ name }) => name) };
  }
  return entries;
};

/** The entry that an earlier backup of that schema version left; undefined where there is none. */
export const readToc = async (objects: Objects, fingerprint: string): Promise<Toc | undefined> => {
  const text = await objects.text(tocKeyOf(fingerprint));
  return text === undefined ? undefined : tocSchema.parse(JSON.parse(text));
};

/**
 * Grants are left out: they name roles that the server of a pg_restore need not have. Owners cannot be left out of an
 * archive, so a stock pg_restore is called with --no-owner.
 */
const dumpArguments = ['--format=directory', '--no-privileges', '--no-sync', '--no-password', '--compress=1'];

const writeToc = async (objects: Objects, fingerprint: string, source: TocSource): Promise<Toc | undefined> => {
  const client = await source.connect();
  if (!client) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-toc-'));
  try {
    const version = await client.query<{ number: string }>(`SELECT current_setting('server_version_num') AS number`);
    const programs = await findClientPrograms(Math.floor(Number(version.rows[0]?.number) / 10_000));
    if (!programs) return undefined;
    const dump = join(directory, 'dump');
    await runProgram(programs.dump, [...dumpArguments, `--file=${dump}`], connection(source), source.signal);
    const entries = await readEntries(client, await runProgram(programs.restore, ['--list', dump], {}, source.signal));
    if (!entries) return undefined;
    const content = await readFile(join(dump, 'toc.dat'));
    const key = `schemas/${fingerprint}/${randomBytes(4).toString('hex')}/toc.dat`;
    await objects.put(key, content);
    // Two first backups of a schema, perhaps with two versions of pg_dump, number their tables differently: one of them counts.
    if (await objects.putNew(tocKeyOf(fingerprint), JSON.stringify({ key, entries }), 'application/json'))
      return { key, entries };
    await objects.remove(key);
    return readToc(objects, fingerprint);
  } finally {
    await client.end().catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
  }
};

/**
 * toc.dat of a schema version: from the bucket, or made by pg_dump of the template database, once. Undefined where the
 * template or a fitting pg_dump is missing; archives are then whole but cannot be read by a stock pg_restore.
 */
export const ensureToc = async (objects: Objects, fingerprint: string, source: TocSource): Promise<Toc | undefined> => {
  return (await readToc(objects, fingerprint)) ?? writeToc(objects, fingerprint, source);
};
