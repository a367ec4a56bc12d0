/**
 * Where a tenant's data must stay, and wishes for another plan. Of the wishes of one tenant that wait for their turn there is one:
 * a later one takes the place of an earlier one.
 */
export const migration012 = {
  name: '012-plan-changes',
  sql: `
ALTER TABLE tenants ADD COLUMN residency text;

CREATE TABLE plan_changes (
  operation_id text PRIMARY KEY,
  tenant_id text NOT NULL,
  -- waiting: for its turn; running: its turn has come; the others are final.
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'completed', 'superseded', 'failed')),
  wish jsonb NOT NULL,
  -- The wish that took its place.
  superseded_by text,
  -- What was decided, and what the tenant was before.
  decision jsonb,
  previous jsonb,
  requested_by text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  CHECK ((status = 'superseded') = (superseded_by IS NOT NULL)),
  CHECK ((ended_at IS NULL) = (status IN ('waiting', 'running')))
);
CREATE UNIQUE INDEX plan_changes_waiting ON plan_changes (tenant_id) WHERE status = 'waiting';
CREATE UNIQUE INDEX plan_changes_running ON plan_changes (tenant_id) WHERE status = 'running';
CREATE INDEX plan_changes_by_tenant ON plan_changes (tenant_id, created_at DESC);
`,
} as const;
