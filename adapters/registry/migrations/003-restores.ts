/** Restores: what was asked, how far it is, what it found and what it did. No foreign keys: records outlive their tenant. */
export const migration003 = {
  name: '003-restores',
  sql: `
CREATE TABLE restores (
  id text PRIMARY KEY CHECK (id ~ '^r-[0-9a-f]{12}$'),
  tenant_id text NOT NULL,
  -- The operation in charge now; opened_by differs from it once a staged copy was opened again.
  operation_id text NOT NULL,
  opened_by text NOT NULL,
  backup_id text NOT NULL,
  taken_at timestamptz NOT NULL,
  as_of timestamptz,
  missing_seconds integer NOT NULL,
  tables jsonb NOT NULL,
  rows jsonb,
  into_place text NOT NULL CHECK (into_place IN ('copy', 'in-place')),
  approval boolean NOT NULL,
  dry_run boolean NOT NULL,
  status text NOT NULL DEFAULT 'planned' CHECK (status IN
    ('planned', 'staged', 'compared', 'awaiting-approval', 'swapped', 'previewed', 'undone', 'discarded', 'failed')),
  staging_schema text NOT NULL,
  undo_schema text NOT NULL,
  -- Rows and digest of every staging table: unlogged tables are empty after a server crash, and nobody else would notice.
  staged jsonb,
  plan jsonb NOT NULL DEFAULT '{}',
  report jsonb,
  result jsonb,
  undo jsonb,
  undo_until timestamptz,
  reason text,
  requested_by text,
  failure text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  staged_at timestamptz,
  compared_at timestamptz,
  swapped_at timestamptz,
  undone_at timestamptz,
  ended_at timestamptz,
  CHECK (status NOT IN ('swapped', 'undone') OR (result IS NOT NULL AND undo_until IS NOT NULL)),
  CHECK (status NOT IN ('compared', 'awaiting-approval', 'swapped') OR report IS NOT NULL)
);
CREATE INDEX restores_by_tenant ON restores (tenant_id, created_at DESC);
CREATE INDEX restores_by_operation ON restores (operation_id);
CREATE INDEX restores_with_undo ON restores (undo_until) WHERE status = 'swapped';
`,
} as const;
