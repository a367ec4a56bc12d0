/**
 * Clusters, shared and of single tenants, and the places of own apps in them. Of two places of a tenant one may use the rows
 * of the other: a move between tiers alone leaves them where they are.
 */
export const migration010 = {
  name: '010-clusters',
  sql: `
ALTER TABLE cells ADD COLUMN cluster_capacity integer NOT NULL DEFAULT 20 CHECK (cluster_capacity >= 0);

CREATE TABLE clusters (
  id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9-]{0,99}$'),
  cell_id text NOT NULL REFERENCES cells (id),
  -- Whose own it is; NULL for a cluster in which many tenants have namespaces.
  tenant_id text,
  region text NOT NULL,
  stack text,
  outputs jsonb NOT NULL DEFAULT '{}',
  capacity integer NOT NULL CHECK (capacity >= 0),
  open boolean NOT NULL DEFAULT true,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((tenant_id IS NULL) = (stack IS NULL))
);
CREATE INDEX clusters_by_cell ON clusters (cell_id);

ALTER TABLE placements ADD COLUMN cluster_id text REFERENCES clusters (id), ADD COLUMN namespace text,
  ADD CHECK ((tier = 'shared') = (cluster_id IS NULL)), ADD CHECK ((cluster_id IS NULL) = (namespace IS NULL));
CREATE UNIQUE INDEX placements_namespace ON placements (cluster_id, namespace) WHERE cluster_id IS NOT NULL;

ALTER TABLE tenants ADD COLUMN users integer CHECK (users >= 0), ADD COLUMN compliance text[] NOT NULL DEFAULT '{}';
`,
} as const;
