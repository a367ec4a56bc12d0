/** Backups by tenant. A record outlives its objects: what was deleted when stays known. */
export const migration002 = {
  name: '002-backups',
  sql: `
CREATE TABLE backups (
  id text PRIMARY KEY,
  tenant_id text NOT NULL,
  operation_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('manual', 'scheduled', 'safety', 'final')),
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'dumped', 'sealed', 'failed', 'deleted')),
  cell_id text NOT NULL,
  taken_at timestamptz,
  rows bigint,
  bytes bigint,
  schema_fingerprint text,
  digests jsonb,
  same_as text REFERENCES backups (id),
  archive_id text NOT NULL,
  reason text,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sealed_at timestamptz,
  UNIQUE (operation_id, tenant_id),
  CHECK (archive_id = coalesce(same_as, id)),
  CHECK (status NOT IN ('dumped', 'sealed') OR (taken_at IS NOT NULL AND rows IS NOT NULL AND digests IS NOT NULL)),
  CHECK (status <> 'failed' OR reason IS NOT NULL)
);
CREATE INDEX backups_sealed ON backups (tenant_id, taken_at) WHERE status = 'sealed';
CREATE INDEX backups_by_tenant ON backups (tenant_id, opened_at);
CREATE FUNCTION sealed_backup_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.status <> 'deleted' THEN
    RAISE EXCEPTION 'backup % is sealed and can only be deleted', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER sealed_backup_stays BEFORE UPDATE ON backups FOR EACH ROW
  WHEN (OLD.status = 'sealed') EXECUTE FUNCTION sealed_backup_stays();
`,
} as const;
