import { join } from 'node:path';
import { openDatabase } from '../database.ts';
import type { Instance } from './instance.ts';
import type { ParameterValues } from './parameters.ts';

/** Times are milliseconds since 1970. */
export interface Snapshot {
  readonly id: string;
  readonly instance: string;
  readonly type: 'manual' | 'automated';
  readonly status: 'creating' | 'available' | 'failed';
  readonly startedAt: number;
  /** When the copy was whole: what recovery may aim at begins here. */
  readonly consistentAt?: number;
  /** First WAL file that a restore needs. */
  readonly firstWal?: string;
  /** The instance as it was. */
  readonly of: Instance;
  readonly tags: Readonly<Record<string, string>>;
}

export interface ParameterGroup {
  readonly name: string;
  readonly family: string;
  readonly description: string;
  readonly values: ParameterValues;
  /** How each value is to be applied. */
  readonly methods: ParameterValues;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Collection<Item> {
  get(key: string): Item | undefined;
  all(): Item[];
  put(key: string, item: Item): Item;
  /** Changes what is there; undefined when it is gone. */
  update(key: string, change: Partial<Item>): Item | undefined;
  remove(key: string): void;
}

export interface RdsStore {
  readonly instances: Collection<Instance>;
  readonly snapshots: Collection<Snapshot>;
  readonly groups: Collection<ParameterGroup>;
  close(): void;
}

const tables = ['instances', 'snapshots', 'parameter_groups'] as const;

/** `rds.sqlite`: a row per instance, snapshot and parameter group, each with its JSON. */
export const openRdsStore = (directory: string): RdsStore => {
  const schema = tables.map(
    (table) => `CREATE TABLE IF NOT EXISTS ${table} (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;`,
  );
  const database = openDatabase(join(directory, 'rds.sqlite'), schema.join('\n'));
  const collection = <Item>(table: (typeof tables)[number]): Collection<Item> => {
    const select = database.prepare(`SELECT body FROM ${table} WHERE name = ?`);
    const selectAll = database.prepare(`SELECT body FROM ${table} ORDER BY name`);
    const write = database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`);
    const erase = database.prepare(`DELETE FROM ${table} WHERE name = ?`);
    const parse = (row: unknown): Item => JSON.parse((row as { body: string }).body) as Item;
    const get = (key: string): Item | undefined => {
      const row = select.get(key);
      return row === undefined ? undefined : parse(row);
    };
    const put = (key: string, item: Item): Item => {
      write.run(key, JSON.stringify(item));
      return item;
    };
    return {
      get,
      put,
      all: () => selectAll.all().map(parse),
      update: (key, change) => {
        const found = get(key);
        return found && put(key, { ...found, ...change });
      },
      remove: (key) => void erase.run(key),
    };
  };
  return {
    instances: collection('instances'),
    snapshots: collection('snapshots'),
    groups: collection('parameter_groups'),
    close: () => {
      if (database.isOpen) database.close();
    },
  };
};
