/**
 * One row per frame (root, branch, iteration), an append-only history, everything in one file. `definitions` are kept by
 * digest: an execution goes on with the text it was started with whatever happens to its machine. `status_events` is an
 * outbox: a row comes with the change of status that it tells and goes when the bus has it.
 */
export const schema = `
CREATE TABLE IF NOT EXISTS definitions(id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS machines(
  arn TEXT PRIMARY KEY, name TEXT NOT NULL, definition INTEGER NOT NULL REFERENCES definitions, role_arn TEXT NOT NULL,
  status TEXT NOT NULL, revision TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tags(arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(arn, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions(
  key INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, machine_arn TEXT NOT NULL, machine_name TEXT NOT NULL,
  name TEXT NOT NULL, definition INTEGER NOT NULL REFERENCES definitions, role_arn TEXT NOT NULL, status TEXT NOT NULL,
  input TEXT NOT NULL, output TEXT, error TEXT, cause TEXT, started_at INTEGER NOT NULL, stopped_at INTEGER,
  deadline INTEGER, redrives INTEGER NOT NULL DEFAULT 0, redriven_at INTEGER,
  map_run TEXT, item_count INTEGER);
CREATE INDEX IF NOT EXISTS executions_by_machine ON executions(machine_arn, key);
CREATE INDEX IF NOT EXISTS executions_by_map_run ON executions(map_run, status) WHERE map_run IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_open ON executions(key) WHERE status = 'RUNNING';
CREATE TABLE IF NOT EXISTS frames(
  execution INTEGER NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, input TEXT NOT NULL, variables TEXT NOT NULL,
  progress TEXT NOT NULL, previous INTEGER NOT NULL, output TEXT, PRIMARY KEY(execution, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events(
  execution INTEGER NOT NULL, id INTEGER NOT NULL, previous INTEGER NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL,
  details TEXT, data TEXT, PRIMARY KEY(execution, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens(
  token TEXT PRIMARY KEY, execution INTEGER NOT NULL, path TEXT NOT NULL, open INTEGER NOT NULL,
  heartbeat INTEGER, outcome TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS map_runs(
  arn TEXT PRIMARY KEY, execution INTEGER NOT NULL, machine_arn TEXT NOT NULL, status TEXT NOT NULL,
  started_at INTEGER NOT NULL, stopped_at INTEGER, max_concurrency INTEGER NOT NULL, tolerated_count INTEGER NOT NULL,
  tolerated_percentage REAL NOT NULL, items INTEGER NOT NULL, children INTEGER NOT NULL, redrives INTEGER NOT NULL DEFAULT 0,
  redriven_at INTEGER, results_written INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS map_runs_by_execution ON map_runs(execution);
CREATE TABLE IF NOT EXISTS map_items(
  map_run TEXT NOT NULL, item INTEGER NOT NULL, input TEXT NOT NULL, items INTEGER NOT NULL, child TEXT,
  PRIMARY KEY(map_run, item)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS status_events(id INTEGER PRIMARY KEY, event TEXT NOT NULL);
`;
