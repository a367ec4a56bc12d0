import type { ClientBase } from 'pg';
import { largestLambdaStep } from '../../domain/step-route.ts';

/**
 * Share of a tenant in each table by the planner's statistics: its frequency where it is one of the most common values (100 by
 * default, so every tenant above one per cent is), else an equal part of what those leave. A table without statistics
 * counts whole.
 */
const shareSql = `
SELECT coalesce(sum(pg_table_size(c.oid) * coalesce(share.of_tenant, 1)), 0) AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'tenant_id' AND NOT s.inherited
LEFT JOIN LATERAL (
  SELECT coalesce(
    (SELECT m.frequency FROM unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS m (value, frequency) WHERE m.value = $1),
    (1 - coalesce((SELECT sum(frequency) FROM unnest(s.most_common_freqs) frequency), 0))
      / greatest(1, CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 1) ELSE s.n_distinct END
        - coalesce(array_length(s.most_common_freqs, 1), 0))) AS of_tenant
  WHERE s.n_distinct IS NOT NULL) share ON true
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE 'tn\\_%' AND n.nspname <> 'information_schema'`;

/**
 * About the bytes that a dump of the tenant reads; at least not far below them. In a small database its whole size, which costs
 * one question; of a tenant among others in a large one, its share by statistics.
 */
export const estimateTenant = async (
  client: ClientBase,
  tenantId: string,
  isolation: 'pooled' | 'database' | 'server',
): Promise<number> => {
  const whole = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  const size = Number(whole.rows[0]?.bytes);
  if (isolation !== 'pooled' || size <= largestLambdaStep) return size;
  const { rows } = await client.query<{ bytes: string }>(shareSql, [tenantId]);
  return Math.min(size, Number(rows[0]?.bytes));
};
