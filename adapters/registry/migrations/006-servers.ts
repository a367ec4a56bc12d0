/**
 * Databases and servers of single tenants. A tenant may have several placements, of which one is active: a move makes the next
 * one beside it, and capacity counts them all. Routes follow the active placement, so a cut-over is one change in one table.
 */
export const migration006 = {
  name: '006-servers',
  sql: `
ALTER TABLE cells ADD COLUMN server_capacity integer NOT NULL DEFAULT 40 CHECK (server_capacity >= 0);

CREATE TABLE servers (
  id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9-]{0,62}$'),
  cell_id text NOT NULL REFERENCES cells (id),
  -- Whose own it is; NULL for a server on which many tenants have their databases.
  tenant_id text,
  host text,
  port integer CHECK (port BETWEEN 1 AND 65535),
  secret_prefix text NOT NULL,
  capacity integer NOT NULL CHECK (capacity >= 0),
  open boolean NOT NULL DEFAULT true,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (tenant_id IS NOT NULL OR (host IS NOT NULL AND port IS NOT NULL)),
  CHECK ((host IS NULL) = (port IS NULL))
);
INSERT INTO servers (id, cell_id, host, port, secret_prefix, capacity) SELECT id, id, host, port, secret_prefix, 500 FROM cells;
CREATE INDEX servers_by_cell ON servers (cell_id);

ALTER TABLE placements ADD COLUMN id text, ADD COLUMN active boolean NOT NULL DEFAULT true,
  ADD COLUMN server_id text REFERENCES servers (id), ADD COLUMN database text, ADD COLUMN app_secret_id text;
UPDATE placements SET id = 'p-' || left(encode(sha256(convert_to(placed_by || '/' || tenant_id, 'UTF8')), 'hex'), 12);
ALTER TABLE placements DROP CONSTRAINT placements_pkey, ADD PRIMARY KEY (id),
  ADD CHECK ((isolation = 'pooled') = (server_id IS NULL)),
  ADD CHECK ((server_id IS NULL) = (database IS NULL) AND (server_id IS NULL) = (app_secret_id IS NULL));
CREATE UNIQUE INDEX placements_active ON placements (tenant_id) WHERE active;
CREATE INDEX placements_by_tenant ON placements (tenant_id);
CREATE INDEX placements_by_server ON placements (server_id) WHERE server_id IS NOT NULL;

-- The columns before secret_id are those of the release before: apps that run while it is replaced go on reading them.
CREATE OR REPLACE VIEW router AS
  SELECT r.host, r.tenant_id, r.kind, r.state, c.id AS cell_id, coalesce(s.host, c.host) AS database_host,
    coalesce(s.port, c.port) AS database_port, coalesce(p.database, c.database) AS database, c.secret_prefix,
    coalesce(p.app_secret_id, c.secret_prefix || '/app') AS secret_id
  FROM routes r JOIN placements p ON p.tenant_id = r.tenant_id AND p.active JOIN cells c ON c.id = p.cell_id
    LEFT JOIN servers s ON s.id = p.server_id;
ALTER TABLE routes DROP COLUMN cell_id;

CREATE TABLE moves (
  id text PRIMARY KEY CHECK (id ~ '^m-[0-9a-f]{12}$'),
  tenant_id text NOT NULL,
  operation_id text NOT NULL UNIQUE,
  source_placement text NOT NULL,
  target_placement text,
  source jsonb NOT NULL,
  target jsonb NOT NULL,
  mode text NOT NULL CHECK (mode IN ('live', 'freeze')),
  phase text NOT NULL DEFAULT 'planned',
  dry_run boolean NOT NULL DEFAULT false,
  preflight jsonb NOT NULL DEFAULT '[]',
  estimate jsonb NOT NULL DEFAULT '{}',
  copy jsonb,
  cut_over jsonb,
  verification jsonb,
  way_back jsonb,
  window_seconds integer NOT NULL,
  window_until timestamptz,
  reason text,
  requested_by text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX moves_by_tenant ON moves (tenant_id, created_at DESC);
-- One move of a tenant at a time, its window included.
CREATE UNIQUE INDEX moves_open ON moves (tenant_id) WHERE ended_at IS NULL;
`,
} as const;
