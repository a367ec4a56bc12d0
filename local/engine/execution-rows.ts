import type { DatabaseSync } from 'node:sqlite';
import type { ExecutionStatus } from './run.ts';

export interface ExecutionRow {
  readonly key: number;
  readonly arn: string;
  readonly machine_arn: string;
  readonly machine_name: string;
  readonly name: string;
  readonly definition: number;
  readonly role_arn: string;
  readonly status: ExecutionStatus;
  readonly input: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly cause: string | null;
  readonly started_at: number;
  readonly stopped_at: number | null;
  readonly deadline: number | null;
  readonly redrives: number;
  readonly redriven_at: number | null;
  readonly map_run: string | null;
  readonly item_count: number | null;
}

export type NewExecution = Pick<
  ExecutionRow,
  | 'arn'
  | 'machine_arn'
  | 'machine_name'
  | 'name'
  | 'definition'
  | 'role_arn'
  | 'input'
  | 'started_at'
  | 'deadline'
  | 'map_run'
  | 'item_count'
>;

export interface Ending {
  readonly status: Exclude<ExecutionStatus, 'RUNNING'>;
  readonly output?: string;
  readonly error?: string;
  readonly cause?: string;
}

/** Newest first, from before `before`; `status` and `redriven` filter as ListExecutions does. */
export interface ExecutionQuery {
  readonly machineArn?: string;
  readonly mapRun?: string;
  readonly status?: string;
  readonly redriven?: boolean;
  readonly before: number;
  readonly limit: number;
}

export interface ExecutionRows {
  insert(row: NewExecution): number;
  byArn(arn: string): ExecutionRow | undefined;
  byKey(key: number): ExecutionRow;
  open(): ExecutionRow[];
  end(key: number, ending: Ending, at: number): void;
  reopen(key: number, at: number, deadline: number | null): void;
  list(query: ExecutionQuery): ExecutionRow[];
  hasOpen(machineArn: string): boolean;
  lastEvent(key: number): number;
}

export const openExecutionRows = (database: DatabaseSync): ExecutionRows => {
  const insert = database.prepare(
    `INSERT INTO executions(arn, machine_arn, machine_name, name, definition, role_arn, status, input, started_at, deadline, map_run, item_count)
     VALUES(?,?,?,?,?,?,'RUNNING',?,?,?,?,?)`,
  );
  const byArn = database.prepare('SELECT * FROM executions WHERE arn = ?');
  const byKey = database.prepare('SELECT * FROM executions WHERE key = ?');
  const open = database.prepare(`SELECT * FROM executions WHERE status = 'RUNNING' ORDER BY key`);
  const end = database.prepare(
    'UPDATE executions SET status = ?, output = ?, error = ?, cause = ?, stopped_at = ? WHERE key = ?',
  );
  const reopen = database.prepare(
    `UPDATE executions SET status = 'RUNNING', output = NULL, error = NULL, cause = NULL, stopped_at = NULL,
       redrives = redrives + 1, redriven_at = ?, deadline = ? WHERE key = ?`,
  );
  const hasOpen = database.prepare(`SELECT 1 FROM executions WHERE machine_arn = ? AND status = 'RUNNING' LIMIT 1`);
  const lastEvent = database.prepare('SELECT coalesce(max(id), 0) AS id FROM events WHERE execution = ?');
  const pages = new Map<string, ReturnType<DatabaseSync['prepare']>>();

  return {
    insert: (row) =>
      Number(
        insert.run(
          row.arn,
          row.machine_arn,
          row.machine_name,
          row.name,
          row.definition,
          row.role_arn,
          row.input,
          row.started_at,
          row.deadline,
          row.map_run,
          row.item_count,
        ).lastInsertRowid,
      ),
    byArn: (arn) => byArn.get(arn) as unknown as ExecutionRow | undefined,
    byKey: (key) => byKey.get(key) as unknown as ExecutionRow,
    open: () => open.all() as unknown as ExecutionRow[],
    end: (key, ending, at) => {
      end.run(ending.status, ending.output ?? null, ending.error ?? null, ending.cause ?? null, at, key);
    },
    reopen: (key, at, deadline) => {
      reopen.run(at, deadline, key);
    },
    list: ({ machineArn, mapRun, status, redriven, before, limit }) => {
      const conditions = ['key < ?'];
      const values: (string | number)[] = [before];
      const add = (condition: string, value?: string): void => {
        conditions.push(condition);
        if (value !== undefined) values.push(value);
      };
      if (machineArn !== undefined) add('machine_arn = ? AND map_run IS NULL', machineArn);
      if (mapRun !== undefined) add('map_run = ?', mapRun);
      if (status !== undefined) add('status = ?', status);
      if (redriven !== undefined) add(redriven ? 'redrives > 0' : 'redrives = 0');
      const text = `SELECT * FROM executions WHERE ${conditions.join(' AND ')} ORDER BY key DESC LIMIT ?`;
      const statement = pages.get(text) ?? database.prepare(text);
      pages.set(text, statement);
      return statement.all(...values, limit) as unknown as ExecutionRow[];
    },
    hasOpen: (machineArn) => hasOpen.get(machineArn) !== undefined,
    lastEvent: (key) => Number((lastEvent.get(key) as { id: number }).id),
  };
};
