import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../gateway/service.ts';

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** A resource has at most 50 tags (TagResource). */
const tagLimit = 50;

export interface Tags {
  /** Throws TooManyTags. */
  add(arn: string, tags: readonly Tag[]): void;
  remove(arn: string, keys: readonly string[]): void;
  removeAll(arn: string): void;
  of(arn: string): Tag[];
}

export const openTags = (database: DatabaseSync): Tags => {
  const put = database.prepare('INSERT OR REPLACE INTO tags VALUES(?,?,?)');
  const remove = database.prepare('DELETE FROM tags WHERE arn = ? AND key = ?');
  const removeAll = database.prepare('DELETE FROM tags WHERE arn = ?');
  const select = database.prepare('SELECT key, value FROM tags WHERE arn = ? ORDER BY key');
  const of = (arn: string): Tag[] => select.all(arn) as unknown as Tag[];
  return {
    of,
    add: (arn, tags) => {
      const count = new Set([...of(arn), ...tags].map(({ key }) => key)).size;
      if (count > tagLimit) {
        throw new ServiceError('TooManyTags', `'${arn}' would have ${count} tags, ${tagLimit} are allowed`, {
          members: { resourceName: arn },
        });
      }
      for (const { key, value } of tags) put.run(arn, key, value);
    },
    remove: (arn, keys) => {
      for (const key of keys) remove.run(arn, key);
    },
    removeAll: (arn) => {
      removeAll.run(arn);
    },
  };
};
