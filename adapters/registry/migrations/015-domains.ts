/**
 * Proofs of custom domains. A route of kind `custom` is on only for a domain whose owner has said in DNS that the tenant may have
 * it. Domains that were routed before this are taken as proved: an upgrade must not cut customers off.
 */
export const migration015 = {
  name: '015-domains',
  sql: `
CREATE TABLE domains (
  tenant_id text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  domain text NOT NULL,
  -- What the TXT record has to say; the same for as long as the tenant is there.
  token text NOT NULL CHECK (token ~ '^[0-9a-f]{32}$'),
  brought_at timestamptz NOT NULL DEFAULT now(),
  check_at timestamptz NOT NULL DEFAULT now(),
  checked_at timestamptz,
  refusal text,
  reason text,
  proved_at timestamptz,
  -- Every route leads there and the bus has been told.
  announced_at timestamptz,
  PRIMARY KEY (tenant_id, domain),
  CHECK ((refusal IS NULL) = (reason IS NULL)),
  CHECK (announced_at IS NULL OR proved_at IS NOT NULL)
);
CREATE INDEX domains_due ON domains (check_at) WHERE announced_at IS NULL;

INSERT INTO domains (tenant_id, domain, token, proved_at, announced_at)
SELECT tenant_id, host, replace(gen_random_uuid()::text, '-', ''), updated_at, updated_at FROM routes WHERE kind = 'custom';
`,
} as const;
