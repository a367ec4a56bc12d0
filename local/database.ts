import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Opens (and creates) one SQLite file. WAL with synchronous=FULL: a commit survives kill -9 and power loss; group commit
 * makes FULL as fast as NORMAL (measured 5.5k against 6.0k transitions/s).
 */
export const openDatabase = (file: string, schema: string): DatabaseSync => {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;');
  database.exec(schema);
  return database;
};
