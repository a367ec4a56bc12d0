/**
 * What becomes of an archive after it is sealed: which manifest it is bound to, what its last drill found, whether the law
 * forbids its deletion, when it was deleted. Everything else of a sealed backup stays as it was.
 */
export const migration007 = {
  name: '007-drills',
  sql: `
ALTER TABLE backups
  ADD COLUMN manifest_sha256 text CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  -- On the record whose archive it is; those that point to it (same_as) have the same drill.
  ADD COLUMN drilled_at timestamptz,
  ADD COLUMN drill_operation text,
  ADD COLUMN drill_outcome text CHECK (drill_outcome IN ('passed', 'failed', 'refused')),
  ADD COLUMN drill_reason text,
  ADD COLUMN held_at timestamptz,
  ADD COLUMN held_by text,
  ADD COLUMN hold_reason text,
  ADD COLUMN deleted_at timestamptz,
  ADD COLUMN deleted_by text,
  -- NULL while objects of a deleted backup may still be in the bucket.
  ADD COLUMN removed_at timestamptz,
  ADD CHECK ((drilled_at IS NULL) = (drill_outcome IS NULL) AND (drilled_at IS NULL) = (drill_operation IS NULL)),
  ADD CHECK (drill_outcome IS NULL OR drill_outcome = 'passed' OR drill_reason IS NOT NULL),
  ADD CHECK ((held_at IS NULL) = (hold_reason IS NULL) AND (held_at IS NULL) = (held_by IS NULL)),
  ADD CHECK (held_at IS NULL OR status = 'sealed');
-- Every drill of every archive; the columns above repeat the last one.
CREATE TABLE drills (
  operation_id text NOT NULL,
  backup_id text NOT NULL REFERENCES backups (id),
  tenant_id text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('passed', 'failed', 'refused')),
  reason text,
  drilled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation_id, backup_id),
  CHECK (outcome = 'passed' OR reason IS NOT NULL)
);
CREATE INDEX drills_by_time ON drills (drilled_at);
CREATE INDEX drills_by_tenant ON drills (tenant_id, drilled_at);
CREATE INDEX backups_pointing ON backups (same_as) WHERE same_as IS NOT NULL AND status = 'sealed';
CREATE INDEX backups_drilled ON backups (drilled_at) WHERE drilled_at IS NOT NULL;
CREATE INDEX backups_to_remove ON backups (tenant_id) WHERE status = 'deleted' AND removed_at IS NULL;

CREATE OR REPLACE FUNCTION sealed_backup_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  free text[] := ARRAY['drilled_at', 'drill_operation', 'drill_outcome', 'drill_reason', 'held_at', 'held_by', 'hold_reason'];
BEGIN
  IF NEW.status = 'deleted' THEN
    free := ARRAY['status', 'deleted_at', 'deleted_by'];
    IF OLD.held_at IS NOT NULL THEN
      RAISE EXCEPTION 'backup % is under legal hold since % and cannot be deleted', OLD.id, OLD.held_at
        USING ERRCODE = 'check_violation', HINT = 'Release the hold first.';
    END IF;
    IF EXISTS (SELECT FROM public.backups b WHERE b.same_as = OLD.id AND b.status = 'sealed') THEN
      RAISE EXCEPTION 'backup % is the archive of later backups and cannot be deleted', OLD.id
        USING ERRCODE = 'check_violation', HINT = 'Delete the backups that point to it first.';
    END IF;
  END IF;
  IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
    RAISE EXCEPTION 'backup % is sealed: it can be drilled, held, released and deleted, and not be changed', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
`,
} as const;
