/** Tenants and where they are, who works on them, what happened. Times are timestamptz, counters bigint. */
export const migration001 = {
  name: '001-registry',
  sql: `
CREATE TABLE settings (
  name text PRIMARY KEY,
  value jsonb NOT NULL
);

CREATE TABLE cells (
  id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9-]{0,39}$'),
  region text NOT NULL,
  host text NOT NULL,
  port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  database text NOT NULL,
  secret_prefix text NOT NULL,
  capacity integer NOT NULL CHECK (capacity >= 0),
  open boolean NOT NULL DEFAULT true,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
  id text PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('provisioning', 'active', 'suspended', 'deprovisioning', 'deprovisioned', 'failed')),
  plan text NOT NULL,
  tier text CHECK (tier IN ('shared', 'namespace', 'cluster')),
  isolation text CHECK (isolation IN ('pooled', 'database', 'server')),
  region text,
  name text,
  admin_email text,
  admin_name text,
  custom_domain text UNIQUE,
  claimed_by text NOT NULL,
  changed_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  reserved_until timestamptz,
  CHECK (status <> 'deprovisioned' OR (admin_email IS NULL AND admin_name IS NULL AND custom_domain IS NULL AND reserved_until IS NOT NULL))
);

CREATE TABLE placements (
  tenant_id text PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
  cell_id text NOT NULL REFERENCES cells (id),
  tier text NOT NULL,
  isolation text NOT NULL,
  placed_by text NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX placements_by_cell ON placements (cell_id, tenant_id);

-- No foreign key: a fence must outlive the tenant, or a late step of the last owner of a slug would pass for the new one.
CREATE TABLE leases (
  tenant_id text PRIMARY KEY,
  holder text,
  fence bigint NOT NULL CHECK (fence > 0),
  expires_at timestamptz NOT NULL
);
CREATE FUNCTION lease_fence_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.fence < OLD.fence OR (NEW.fence = OLD.fence AND NEW.holder IS NOT NULL AND NEW.holder IS DISTINCT FROM OLD.holder) THEN
    RAISE EXCEPTION 'fence of tenant % must grow: % -> %', OLD.tenant_id, OLD.fence, NEW.fence USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER lease_fence_grows BEFORE UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION lease_fence_grows();

CREATE TABLE operations (
  id text PRIMARY KEY,
  sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  kind text NOT NULL,
  tenant_id text,
  execution_arn text NOT NULL,
  status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'awaiting-approval', 'succeeded', 'failed')),
  input jsonb NOT NULL DEFAULT '{}',
  outcome jsonb,
  reason text,
  failed_step text,
  error text,
  requested_by text,
  parent text,
  approval_token text,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  CHECK ((status IN ('succeeded', 'failed')) = (ended_at IS NOT NULL)),
  CHECK (status <> 'failed' OR reason IS NOT NULL)
);
CREATE INDEX operations_by_tenant ON operations (tenant_id, sequence);
CREATE INDEX operations_open ON operations (sequence) WHERE ended_at IS NULL;
CREATE FUNCTION operation_ends_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'operation % already ended as %', OLD.id, OLD.status USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER operation_ends_once BEFORE UPDATE ON operations FOR EACH ROW
  WHEN (OLD.ended_at IS NOT NULL AND (OLD.status, OLD.ended_at, OLD.reason) IS DISTINCT FROM (NEW.status, NEW.ended_at, NEW.reason)) EXECUTE FUNCTION operation_ends_once();

CREATE TABLE steps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  operation_id text NOT NULL,
  step text NOT NULL,
  attempt integer NOT NULL,
  tenant_id text,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed', 'lost')),
  error text,
  detail text
);
CREATE INDEX steps_by_operation ON steps (operation_id, step, attempt);

CREATE TABLE routes (
  host text PRIMARY KEY CHECK (host = lower(host)),
  tenant_id text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  cell_id text NOT NULL REFERENCES cells (id),
  kind text NOT NULL CHECK (kind IN ('subdomain', 'custom')),
  state text NOT NULL CHECK (state IN ('on', 'off')),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX routes_by_tenant ON routes (tenant_id);
CREATE VIEW router AS
  SELECT r.host, r.tenant_id, r.kind, r.state, c.id AS cell_id, c.host AS database_host, c.port AS database_port, c.database, c.secret_prefix
  FROM routes r JOIN cells c ON c.id = r.cell_id;

-- Numbers are given under a lock, so that a reader who saw number 7 never meets a 6 that was committed later.
CREATE TABLE events (
  sequence bigint PRIMARY KEY,
  id text NOT NULL UNIQUE,
  source text NOT NULL,
  detail_type text NOT NULL,
  tenant_id text,
  operation text,
  detail jsonb NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_by_tenant ON events (tenant_id, sequence);
CREATE SEQUENCE events_sequence OWNED BY events.sequence;
CREATE FUNCTION number_event() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7002, 1);
  NEW.sequence := nextval('public.events_sequence');
  RETURN NEW;
END $$;
CREATE TRIGGER number_event BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION number_event();

-- One row per request, whatever number of times its event was delivered.
CREATE TABLE requests (
  event_id text PRIMARY KEY,
  detail_type text NOT NULL,
  tenant_id text,
  kind text NOT NULL,
  operation text NOT NULL UNIQUE,
  detail jsonb NOT NULL,
  deliveries integer NOT NULL DEFAULT 0,
  first_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz
);

CREATE TABLE audit (
  id bigint PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  action text NOT NULL,
  phase text NOT NULL CHECK (phase IN ('before', 'after')),
  outcome text CHECK (outcome IN ('accepted', 'refused', 'failed')),
  tenant_id text,
  operation text,
  reason text,
  detail jsonb NOT NULL DEFAULT '{}',
  hash text NOT NULL
);
CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  last record;
BEGIN
  PERFORM pg_advisory_xact_lock(7002, 2);
  SELECT id, hash INTO last FROM public.audit ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.hash := public.audit_hash(coalesce(last.hash, ''), NEW);
  RETURN NEW;
END $$;
CREATE FUNCTION audit_hash(previous text, entry audit) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(sha256(convert_to(concat_ws(E'\\x1f', previous, (entry).id, extract(epoch FROM (entry).at), (entry).actor, (entry).action,
    (entry).phase, coalesce((entry).outcome, ''), coalesce((entry).tenant_id, ''), coalesce((entry).operation, ''),
    coalesce((entry).reason, ''), (entry).detail::text), 'UTF8')), 'hex')
$$;
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'audit is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER chain_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION chain_audit();
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
`,
} as const;
