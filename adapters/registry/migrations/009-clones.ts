/**
 * Restores into a new tenant, and recoveries of a moment between two archives out of a server's own log. What a recovery made
 * outside the registry, an instance that costs money, is known here until it is gone.
 */
export const migration009 = {
  name: '009-clones',
  sql: `
ALTER TABLE restores
  -- Whose backup it is, where it goes into another tenant than that.
  ADD COLUMN source_tenant_id text,
  DROP CONSTRAINT restores_into_place_check,
  ADD CONSTRAINT restores_into_place_check CHECK (into_place IN ('copy', 'in-place', 'new-tenant')),
  DROP CONSTRAINT restores_status_check,
  ADD CONSTRAINT restores_status_check CHECK (status IN
    ('planned', 'staged', 'compared', 'awaiting-approval', 'swapped', 'previewed', 'cloned', 'undone', 'discarded', 'failed')),
  ADD CONSTRAINT restores_source_check CHECK ((into_place = 'new-tenant') = (source_tenant_id IS NOT NULL)),
  ADD CONSTRAINT restores_cloned_check CHECK (status <> 'cloned' OR (into_place = 'new-tenant' AND result IS NOT NULL));

ALTER TABLE backups
  DROP CONSTRAINT backups_kind_check,
  ADD CONSTRAINT backups_kind_check CHECK (kind IN ('manual', 'scheduled', 'safety', 'final', 'point-in-time'));

CREATE TABLE recoveries (
  operation_id text PRIMARY KEY,
  tenant_id text NOT NULL,
  placement_id text NOT NULL,
  -- The moment that is asked for: the archive holds what was committed then.
  as_of timestamptz NOT NULL,
  source_instance text NOT NULL,
  instance text NOT NULL UNIQUE,
  host text,
  port integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- NULL while the temporary instance may still be there.
  removed_at timestamptz,
  CHECK ((host IS NULL) = (port IS NULL))
);
CREATE INDEX recoveries_to_remove ON recoveries (created_at) WHERE removed_at IS NULL;
`,
} as const;
