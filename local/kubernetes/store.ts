import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../database.ts';
import { type GroupCommit, groupCommit } from '../queues/group-commit.ts';
import { type ClusterObjects, openClusterObjects } from './cluster-objects.ts';

const schema = `
CREATE TABLE IF NOT EXISTS clusters (
  name TEXT PRIMARY KEY,
  resource_version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
  cluster TEXT NOT NULL,
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (cluster, kind, namespace, name)
) WITHOUT ROWID;
`;

export interface ObjectStore {
  names(): readonly string[];
  get(cluster: string): ClusterObjects | undefined;
  /** Repeat: nothing but the cluster that is there. */
  create(cluster: string): ClusterObjects;
  /** Ends the watches of the cluster and removes its objects. */
  remove(cluster: string): void;
  close(): void;
}

const readNames = (database: DatabaseSync): string[] =>
  database
    .prepare('SELECT name FROM clusters ORDER BY name')
    .all()
    .map((row) => String(row.name));

/** `kubernetes.sqlite`: a row per object. All objects are in memory too; the file is read at the start alone. */
export const openObjectStore = (directory: string): ObjectStore => {
  const database = openDatabase(join(directory, 'kubernetes.sqlite'), schema);
  const writer: GroupCommit = groupCommit(database);
  const clusters = new Map(
    readNames(database).map((name) => [name, openClusterObjects({ database, writer, cluster: name })]),
  );
  const insert = database.prepare('INSERT OR IGNORE INTO clusters VALUES (?, 1)');
  const erase = ['objects WHERE cluster', 'clusters WHERE name'].map((where) =>
    database.prepare(`DELETE FROM ${where} = ?`),
  );
  /** Durable when the call ends, also in the middle of a turn of the writer: a savepoint would not be. */
  const now = (work: () => void): void => {
    if (database.isTransaction) {
      // The shared transaction commits at the end of this turn of the loop.
      void writer.write(work);
      return;
    }
    database.exec('BEGIN IMMEDIATE');
    try {
      work();
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    names: () => [...clusters.keys()].sort(),
    get: (name) => clusters.get(name),
    create: (name) => {
      const found = clusters.get(name);
      if (found) return found;
      now(() => insert.run(name));
      const opened = openClusterObjects({ database, writer, cluster: name });
      clusters.set(name, opened);
      return opened;
    },
    remove: (name) => {
      const found = clusters.get(name);
      if (!found) return;
      clusters.delete(name);
      found.end();
      now(() => {
        for (const statement of erase) statement.run(name);
      });
    },
    close: () => {
      for (const cluster of clusters.values()) cluster.end();
      writer.close();
      if (database.isOpen) database.close();
    },
  };
};
