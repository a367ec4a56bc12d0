import { join } from 'node:path';
import { type Collection, collectionSchema, openCollection } from '../collection.ts';
import { openDatabase } from '../database.ts';
import type { Json, JsonObject } from './template.ts';

export type OnFailure = 'ROLLBACK' | 'DELETE' | 'DO_NOTHING';

/** Times are milliseconds since 1970. */
export interface StackRecord {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly template: string;
  /** The text of every parameter, defaults among them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  readonly roleArn?: string | undefined;
  readonly onFailure: OnFailure;
  readonly protected: boolean;
  /** Of the operation under way or done last. */
  readonly token?: string | undefined;
  readonly createToken?: string | undefined;
  /** ARN of who asked for the operation under way: resources are made in its name. */
  readonly caller: string;
  /** Resources that a deletion leaves where they are, besides those with a policy. */
  readonly retain: readonly string[];
  readonly createdAt: number;
  readonly deletedAt?: number | undefined;
  readonly outputs: readonly { readonly key: string; readonly value: string; readonly export?: string | undefined }[];
}

export interface ResourceRecord {
  readonly stackId: string;
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  /** Known before the resource is made, so that what a killed life has made is found again. */
  readonly physicalId?: string | undefined;
  readonly properties: JsonObject;
  readonly attributes: Readonly<Record<string, Json>>;
  readonly changedAt: number;
}

export interface EventRecord {
  readonly id: string;
  readonly stackId: string;
  readonly resource: string;
  readonly type: string;
  readonly physicalId?: string | undefined;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly token?: string | undefined;
  readonly properties?: JsonObject | undefined;
  readonly at: number;
}

export interface StackStore {
  readonly stacks: Collection<StackRecord>;
  resource(stackId: string, id: string): ResourceRecord | undefined;
  resourcesOf(stackId: string): ResourceRecord[];
  /** Over all stacks. */
  resourcesOfType(type: string): ResourceRecord[];
  putResource(resource: ResourceRecord): void;
  addEvent(event: EventRecord): void;
  /** Newest first. */
  eventsOf(stackId: string): EventRecord[];
  /** What keeps a VPC from being deleted: names of load balancers of a cluster that is gone, by the VPC. */
  readonly leftovers: Collection<{ readonly names: readonly string[] }>;
  transaction<Result>(work: () => Result): Result;
  close(): void;
}

const schema = `
${collectionSchema('stacks')}
${collectionSchema('leftovers')}
CREATE TABLE IF NOT EXISTS resources (
  stack TEXT, id TEXT, type TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stack, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS resources_type ON resources (type);
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY AUTOINCREMENT, stack TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_stack ON events (stack, number);`;

/** `cloudformation.sqlite`: stacks, their resources, and what happened to them. */
export const openStackStore = (directory: string): StackStore => {
  const database = openDatabase(join(directory, 'cloudformation.sqlite'), schema);
  const selectResource = database.prepare('SELECT body FROM resources WHERE stack = ? AND id = ?');
  const selectResources = database.prepare('SELECT body FROM resources WHERE stack = ? ORDER BY id');
  const selectType = database.prepare('SELECT body FROM resources WHERE type = ? ORDER BY stack, id');
  const writeResource = database.prepare('INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)');
  const writeEvent = database.prepare('INSERT INTO events (stack, body) VALUES (?, ?)');
  const selectEvents = database.prepare('SELECT body FROM events WHERE stack = ? ORDER BY number DESC');
  const parse = <Item>(row: unknown): Item => JSON.parse((row as { body: string }).body) as Item;
  return {
    stacks: openCollection(database, 'stacks'),
    leftovers: openCollection(database, 'leftovers'),
    resource: (stackId, id) => {
      const row = selectResource.get(stackId, id);
      return row === undefined ? undefined : parse<ResourceRecord>(row);
    },
    resourcesOf: (stackId) => selectResources.all(stackId).map(parse<ResourceRecord>),
    resourcesOfType: (type) => selectType.all(type).map(parse<ResourceRecord>),
    putResource: (resource) =>
      void writeResource.run(resource.stackId, resource.id, resource.type, JSON.stringify(resource)),
    addEvent: (event) => void writeEvent.run(event.stackId, JSON.stringify(event)),
    eventsOf: (stackId) => selectEvents.all(stackId).map(parse<EventRecord>),
    transaction: (work) => {
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
