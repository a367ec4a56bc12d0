import { join } from 'node:path';
import type { Task, TaskDefinition } from '@aws-sdk/client-ecs';
import { openDatabase } from '../database.ts';

/** A task as it is kept: what DescribeTasks shows, and by which token it was asked for. */
export interface StoredTask {
  readonly task: Task;
  readonly clientToken?: string | undefined;
}

export interface EcsStore {
  clusters(): string[];
  addCluster(name: string): void;
  /** Keeps the next revision of a family. */
  register(family: string, make: (revision: number) => TaskDefinition): TaskDefinition;
  /** The newest revision of a family, or the one that is named `family:revision`. */
  definition(name: string): TaskDefinition | undefined;
  task(arn: string): StoredTask | undefined;
  taskOf(clientToken: string): StoredTask | undefined;
  save(stored: StoredTask): void;
  tasks(): StoredTask[];
  close(): void;
}

const schema = `
CREATE TABLE IF NOT EXISTS clusters (name TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS definitions (family TEXT, revision INTEGER, body TEXT NOT NULL, PRIMARY KEY (family, revision)) STRICT;
CREATE TABLE IF NOT EXISTS tasks (arn TEXT PRIMARY KEY, token TEXT, body TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_token ON tasks (token) WHERE token IS NOT NULL;
`;

/** Dates go to disk as text and come back as dates: the SDK's encoder wants the latter. */
const revive = (key: string, value: unknown): unknown =>
  typeof value === 'string' && key.endsWith('At') ? new Date(value) : value;

const stored = (row: unknown): StoredTask | undefined => {
  const { body, token } = (row ?? {}) as { body?: string; token?: string | null };
  return body === undefined ? undefined : { task: JSON.parse(body, revive) as Task, clientToken: token ?? undefined };
};

/** Clusters, task definitions and tasks on `node:sqlite`: who waits for a task asks for it again after a restart. */
export const openEcsStore = (directory: string): EcsStore => {
  const database = openDatabase(join(directory, 'ecs.sqlite'), schema);
  const insertCluster = database.prepare('INSERT OR IGNORE INTO clusters VALUES (?)');
  const allClusters = database.prepare('SELECT name FROM clusters ORDER BY name');
  const latest = database.prepare('SELECT body FROM definitions WHERE family = ? ORDER BY revision DESC LIMIT 1');
  const exact = database.prepare('SELECT body FROM definitions WHERE family = ? AND revision = ?');
  const insertDefinition = database.prepare('INSERT INTO definitions VALUES (?, ?, ?)');
  const byArn = database.prepare('SELECT body, token FROM tasks WHERE arn = ?');
  const byToken = database.prepare('SELECT body, token FROM tasks WHERE token = ?');
  const allTasks = database.prepare('SELECT body, token FROM tasks');
  const insertTask = database.prepare('INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)');
  const definition = (name: string): TaskDefinition | undefined => {
    const [, family = '', revision] = /^(?:arn:[^/]*\/)?([^:]+)(?::(\d+))?$/.exec(name) ?? [];
    const row = (revision === undefined ? latest.get(family) : exact.get(family, Number(revision))) as
      | { body: string }
      | undefined;
    return row && (JSON.parse(row.body, revive) as TaskDefinition);
  };
  return {
    clusters: () => (allClusters.all() as { name: string }[]).map(({ name }) => name),
    addCluster: (name) => void insertCluster.run(name),
    register: (family, make) => {
      const made = make((definition(family)?.revision ?? 0) + 1);
      insertDefinition.run(family, made.revision ?? 1, JSON.stringify(made));
      return made;
    },
    definition,
    task: (arn) => stored(byArn.get(arn)),
    taskOf: (token) => stored(byToken.get(token)),
    save: ({ task, clientToken }) => void insertTask.run(task.taskArn ?? '', clientToken ?? null, JSON.stringify(task)),
    tasks: () => allTasks.all().flatMap((row) => stored(row) ?? []),
    close: () => database.close(),
  };
};
