import { join } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { openDatabase } from '../../database.ts';

/** One version of a parameter; the newest is the parameter. */
export interface StoredParameter {
  readonly name: string;
  readonly version: number;
  readonly type: string;
  /** Sealed when the type is SecureString, else UTF-8. */
  readonly value: Uint8Array;
  readonly description: string | null;
  readonly key_id: string | null;
  readonly allowed_pattern: string | null;
  readonly tier: string;
  readonly data_type: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
  readonly modified_by: string;
}

export interface ParameterStore {
  find(name: string, version?: number): StoredParameter | undefined;
  /** Newest versions of all parameters, by name. */
  all(): StoredParameter[];
  add(parameter: StoredParameter): void;
  /** False when there was none. */
  remove(name: string): boolean;
  close(): void;
}

/** AWS keeps 100 versions of a parameter. */
const keptVersions = 100;

const schema = `
  CREATE TABLE IF NOT EXISTS parameters (
    name TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, value BLOB NOT NULL, description TEXT, key_id TEXT,
    allowed_pattern TEXT, tier TEXT NOT NULL, data_type TEXT NOT NULL, modified INTEGER NOT NULL, modified_by TEXT NOT NULL,
    PRIMARY KEY (name, version)
  ) STRICT, WITHOUT ROWID`;

export const openParameterStore = (directory: string): ParameterStore => {
  const database = openDatabase(join(directory, 'ssm.db'), schema);
  const newest = database.prepare('SELECT * FROM parameters WHERE name = ? ORDER BY version DESC LIMIT 1');
  const exact = database.prepare('SELECT * FROM parameters WHERE name = ? AND version = ?');
  const every = database.prepare(
    'SELECT p.* FROM parameters p WHERE version = (SELECT max(version) FROM parameters WHERE name = p.name) ORDER BY name',
  );
  const insert = database.prepare(
    `INSERT INTO parameters VALUES (:name, :version, :type, :value, :description, :key_id, :allowed_pattern, :tier, :data_type, :modified, :modified_by)`,
  );
  const forget = database.prepare('DELETE FROM parameters WHERE name = ? AND version <= ?');
  const remove = database.prepare('DELETE FROM parameters WHERE name = ?');
  return {
    find: (name, version) =>
      (version === undefined ? newest.get(name) : exact.get(name, version)) as unknown as StoredParameter | undefined,
    all: () => every.all() as unknown as StoredParameter[],
    add(parameter) {
      insert.run(parameter as unknown as Record<string, SQLInputValue>);
      forget.run(parameter.name, parameter.version - keptVersions);
    },
    remove: (name) => remove.run(name).changes > 0,
    close: () => {
      if (database.isOpen) database.close();
    },
  };
};
