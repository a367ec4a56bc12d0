/** Tables of the queues. `seq` is the order of arrival; `visible_at` hides a message that is delayed or in flight. */
export const queueSchema = `
CREATE TABLE IF NOT EXISTS queues (
  name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL REFERENCES queues(name) ON DELETE CASCADE ON UPDATE RESTRICT,
  message_id TEXT NOT NULL, body TEXT NOT NULL, attributes TEXT NOT NULL, trace_header TEXT,
  sent_at INTEGER NOT NULL, visible_at INTEGER NOT NULL, first_received_at INTEGER, receive_count INTEGER NOT NULL DEFAULT 0,
  receipt TEXT, source_queue TEXT, group_id TEXT, deduplication_id TEXT
);
CREATE INDEX IF NOT EXISTS messages_visible ON messages (queue, visible_at, seq);
CREATE INDEX IF NOT EXISTS messages_group ON messages (queue, group_id, seq) WHERE group_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS deduplication (
  queue TEXT NOT NULL REFERENCES queues(name) ON DELETE CASCADE, scope TEXT NOT NULL, id TEXT NOT NULL,
  message_id TEXT NOT NULL, seq INTEGER NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (queue, scope, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS move_tasks (
  handle TEXT PRIMARY KEY, source TEXT NOT NULL, destination TEXT, per_second INTEGER, status TEXT NOT NULL,
  moved INTEGER NOT NULL DEFAULT 0, to_move INTEGER NOT NULL, failure TEXT, started_at INTEGER NOT NULL
) WITHOUT ROWID;
`;
