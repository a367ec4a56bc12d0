import type { DatabaseSync } from 'node:sqlite';

/** Items of one kind by their key, each kept as JSON in a row of its own. */
export interface Collection<Item> {
  get(key: string): Item | undefined;
  /** Sorted by key. */
  all(): Item[];
  put(key: string, item: Item): Item;
  /** Changes what is there; undefined when it is gone. */
  update(key: string, change: Partial<Item>): Item | undefined;
  remove(key: string): void;
}

/** DDL of a table that `openCollection` reads. */
export const collectionSchema = (table: string): string =>
  `CREATE TABLE IF NOT EXISTS ${table} (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;`;

export const openCollection = <Item>(database: DatabaseSync, table: string): Collection<Item> => {
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
