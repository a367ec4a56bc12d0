import { join } from 'node:path';
import { type Collection, collectionSchema, openCollection } from '../collection.ts';
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

export interface RdsStore {
  readonly instances: Collection<Instance>;
  readonly snapshots: Collection<Snapshot>;
  readonly groups: Collection<ParameterGroup>;
  close(): void;
}

const tables = ['instances', 'snapshots', 'parameter_groups'] as const;

/** `rds.sqlite`: a row per instance, snapshot and parameter group, each with its JSON. */
export const openRdsStore = (directory: string): RdsStore => {
  const schema = tables.map(collectionSchema).join('\n');
  const database = openDatabase(join(directory, 'rds.sqlite'), schema);
  const collection = <Item>(table: (typeof tables)[number]): Collection<Item> => openCollection(database, table);
  return {
    instances: collection('instances'),
    snapshots: collection('snapshots'),
    groups: collection('parameter_groups'),
    close: () => {
      if (database.isOpen) database.close();
    },
  };
};
