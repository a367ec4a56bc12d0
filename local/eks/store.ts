import { join } from 'node:path';
import type { Cluster, Update } from '@aws-sdk/client-eks';
import { type Collection, collectionSchema, openCollection } from '../collection.ts';
import { openDatabase } from '../database.ts';

/** Times are milliseconds since 1970. */
export interface ClusterRecord {
  readonly name: string;
  readonly status: 'CREATING' | 'ACTIVE' | 'DELETING';
  /** When CREATING or DELETING ends. */
  readonly due: number;
  readonly createdAt: number;
  readonly token?: string | undefined;
  /** Digest of the request, to tell a repeat from another one with its token. */
  readonly request: string;
  /** What EKS describes apart from status, address and times. */
  readonly settings: Cluster;
  readonly tags: Readonly<Record<string, string>>;
  readonly updates: readonly (Omit<Update, 'createdAt'> & { readonly at: number })[];
}

export interface PolicyRecord {
  readonly arn: string;
  readonly scope: 'cluster' | 'namespace';
  readonly namespaces: readonly string[];
  readonly associatedAt: number;
  readonly modifiedAt: number;
}

export interface EntryRecord {
  readonly cluster: string;
  readonly principalArn: string;
  readonly groups: readonly string[];
  readonly username: string;
  readonly type: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly policies: readonly PolicyRecord[];
}

export interface AssociationRecord {
  readonly cluster: string;
  readonly id: string;
  readonly arn: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly roleArn: string;
  readonly targetRoleArn?: string | undefined;
  readonly disableSessionTags: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly token?: string | undefined;
}

export interface EksStore {
  readonly clusters: Collection<ClusterRecord>;
  /** By `entryKey`. */
  readonly entries: Collection<EntryRecord>;
  /** By id. */
  readonly associations: Collection<AssociationRecord>;
  close(): void;
}

export const entryKey = (cluster: string, principalArn: string): string => `${cluster} ${principalArn}`;

const tables = ['clusters', 'entries', 'associations'] as const;

/** `eks.sqlite`: a row per cluster, access entry and pod identity association. */
export const openEksStore = (directory: string): EksStore => {
  const database = openDatabase(join(directory, 'eks.sqlite'), tables.map(collectionSchema).join('\n'));
  return {
    clusters: openCollection(database, 'clusters'),
    entries: openCollection(database, 'entries'),
    associations: openCollection(database, 'associations'),
    close: () => {
      if (database.isOpen) database.close();
    },
  };
};
