import type { DatabaseSync } from 'node:sqlite';

export interface MapRunRow {
  readonly arn: string;
  readonly execution: number;
  readonly machine_arn: string;
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  readonly started_at: number;
  readonly stopped_at: number | null;
  readonly max_concurrency: number;
  readonly tolerated_count: number;
  readonly tolerated_percentage: number;
  readonly items: number;
  readonly children: number;
  readonly redrives: number;
  readonly redriven_at: number | null;
  readonly results_written: number;
}

export type NewMapRun = Pick<
  MapRunRow,
  'arn' | 'execution' | 'machine_arn' | 'started_at' | 'max_concurrency' | 'tolerated_count' | 'tolerated_percentage'
>;

export interface MapItemRow {
  readonly item: number;
  readonly input: string;
  readonly items: number;
  /** ARN of the child, once it was started. */
  readonly child: string | null;
}

/** Executions and items of a Map Run by the status of their execution. */
export interface StatusCount {
  readonly status: string;
  readonly executions: number;
  readonly items: number;
}

export interface MapRuns {
  open(run: NewMapRun, inputs: readonly { readonly input: string; readonly items: number }[]): void;
  find(arn: string): MapRunRow | undefined;
  of(execution: number): MapRunRow[];
  items(arn: string): MapItemRow[];
  assign(arn: string, item: number, child: string): void;
  end(arn: string, status: MapRunRow['status'], resultsWritten: number): void;
  reopen(arn: string): void;
  counts(arn: string): StatusCount[];
}

export const openMapRuns = (database: DatabaseSync): MapRuns => {
  const insert = database.prepare(
    `INSERT INTO map_runs(arn, execution, machine_arn, status, started_at, max_concurrency, tolerated_count, tolerated_percentage, items, children)
     VALUES(?,?,?,'RUNNING',?,?,?,?,?,?)`,
  );
  const insertItem = database.prepare('INSERT INTO map_items VALUES(?,?,?,?,NULL)');
  const find = database.prepare('SELECT * FROM map_runs WHERE arn = ?');
  const of = database.prepare('SELECT * FROM map_runs WHERE execution = ? ORDER BY started_at, arn');
  const items = database.prepare('SELECT item, input, items, child FROM map_items WHERE map_run = ? ORDER BY item');
  const assign = database.prepare('UPDATE map_items SET child = ? WHERE map_run = ? AND item = ?');
  const end = database.prepare('UPDATE map_runs SET status = ?, stopped_at = ?, results_written = ? WHERE arn = ?');
  const reopen = database.prepare(
    `UPDATE map_runs SET status = 'RUNNING', stopped_at = NULL, redrives = redrives + 1, redriven_at = ? WHERE arn = ?`,
  );
  const counts = database.prepare(
    `SELECT status, count(*) AS executions, sum(coalesce(item_count, 1)) AS items FROM executions WHERE map_run = ? GROUP BY status`,
  );
  return {
    open: (run, inputs) => {
      const { arn, execution, machine_arn, started_at, max_concurrency, tolerated_count, tolerated_percentage } = run;
      const total = inputs.reduce((sum, input) => sum + input.items, 0);
      insert.run(
        arn,
        execution,
        machine_arn,
        started_at,
        max_concurrency,
        tolerated_count,
        tolerated_percentage,
        total,
        inputs.length,
      );
      for (const [item, { input, items: count }] of inputs.entries()) insertItem.run(arn, item, input, count);
    },
    find: (arn) => find.get(arn) as unknown as MapRunRow | undefined,
    of: (execution) => of.all(execution) as unknown as MapRunRow[],
    items: (arn) => items.all(arn) as unknown as MapItemRow[],
    assign: (arn, item, child) => {
      assign.run(child, arn, item);
    },
    end: (arn, status, resultsWritten) => {
      end.run(status, Date.now(), resultsWritten, arn);
    },
    reopen: (arn) => {
      reopen.run(Date.now(), arn);
    },
    counts: (arn) => counts.all(arn) as unknown as StatusCount[],
  };
};
