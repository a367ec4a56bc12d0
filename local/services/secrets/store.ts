import { join } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { openDatabase } from '../../database.ts';

/** Times are milliseconds since 1970. */
export interface StoredSecret {
  readonly arn: string;
  readonly name: string;
  readonly description: string | null;
  readonly key_id: string | null;
  /** JSON list of {Key, Value}. */
  readonly tags: string;
  readonly created: number;
  readonly changed: number;
  readonly accessed: number | null;
  /** When it was marked for deletion, and when that becomes final. */
  readonly deleted: number | null;
  readonly gone: number | null;
}

export interface StoredVersion {
  readonly arn: string;
  readonly id: string;
  readonly binary: number;
  /** Sealed by the vault. */
  readonly value: Uint8Array;
  readonly created: number;
}

export interface StoredStage {
  readonly stage: string;
  readonly id: string;
}

export interface SecretStore {
  all(): StoredSecret[];
  byName(name: string): StoredSecret | undefined;
  byArn(arn: string): StoredSecret | undefined;
  insert(secret: StoredSecret): void;
  update(secret: StoredSecret): void;
  remove(arn: string): void;
  version(arn: string, id: string): StoredVersion | undefined;
  addVersion(version: StoredVersion): void;
  stages(arn: string): StoredStage[];
  /** Attaches a label to a version and takes it from the version that had it. */
  setStage(arn: string, stage: string, id: string): void;
  /** Drops versions without a label beyond the newest hundred, as AWS does. */
  prune(arn: string): void;
  /** One commit for all of it, or none. */
  transaction<T>(work: () => T): T;
  close(): void;
}

const keptVersions = 100;

const schema = `
  CREATE TABLE IF NOT EXISTS secrets (
    arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, key_id TEXT, tags TEXT NOT NULL,
    created INTEGER NOT NULL, changed INTEGER NOT NULL, accessed INTEGER, deleted INTEGER, gone INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS versions (
    arn TEXT NOT NULL REFERENCES secrets ON DELETE CASCADE, id TEXT NOT NULL, binary INTEGER NOT NULL, value BLOB NOT NULL,
    created INTEGER NOT NULL, PRIMARY KEY (arn, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stages (
    arn TEXT NOT NULL, stage TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (arn, stage),
    FOREIGN KEY (arn, id) REFERENCES versions ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;`;

type Row = Record<string, SQLInputValue>;

export const openSecretStore = (directory: string): SecretStore => {
  const database = openDatabase(join(directory, 'secrets.db'), schema);
  const all = database.prepare('SELECT * FROM secrets ORDER BY name');
  const byName = database.prepare('SELECT * FROM secrets WHERE name = ?');
  const byArn = database.prepare('SELECT * FROM secrets WHERE arn = ?');
  const insert = database.prepare(
    'INSERT INTO secrets VALUES (:arn, :name, :description, :key_id, :tags, :created, :changed, :accessed, :deleted, :gone)',
  );
  const update = database.prepare(
    `UPDATE secrets SET name = :name, description = :description, key_id = :key_id, tags = :tags, created = :created,
       changed = :changed, accessed = :accessed, deleted = :deleted, gone = :gone WHERE arn = :arn`,
  );
  const remove = database.prepare('DELETE FROM secrets WHERE arn = ?');
  const version = database.prepare('SELECT * FROM versions WHERE arn = ? AND id = ?');
  const addVersion = database.prepare('INSERT INTO versions VALUES (:arn, :id, :binary, :value, :created)');
  const stages = database.prepare('SELECT stage, id FROM stages WHERE arn = ? ORDER BY stage');
  const setStage = database.prepare('INSERT OR REPLACE INTO stages VALUES (?, ?, ?)');
  const prune = database.prepare(
    `DELETE FROM versions WHERE arn = :arn AND id IN (
       SELECT id FROM versions WHERE arn = :arn AND id NOT IN (SELECT id FROM stages WHERE arn = :arn)
       ORDER BY created DESC LIMIT -1 OFFSET ${keptVersions})`,
  );
  return {
    all: () => all.all() as unknown as StoredSecret[],
    byName: (name) => byName.get(name) as unknown as StoredSecret | undefined,
    byArn: (arn) => byArn.get(arn) as unknown as StoredSecret | undefined,
    insert: (secret) => void insert.run(secret as unknown as Row),
    update: (secret) => void update.run(secret as unknown as Row),
    remove: (arn) => void remove.run(arn),
    version: (arn, id) => version.get(arn, id) as unknown as StoredVersion | undefined,
    addVersion: (added) => void addVersion.run(added as unknown as Row),
    stages: (arn) => stages.all(arn) as unknown as StoredStage[],
    setStage: (arn, stage, id) => void setStage.run(arn, stage, id),
    prune: (arn) => void prune.run({ arn }),
    transaction(work) {
      database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => {
      if (database.isOpen) database.close();
    },
  };
};
