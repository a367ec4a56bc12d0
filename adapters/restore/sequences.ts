import type { ClientBase } from 'pg';
import { ident, identPath } from '../postgres/identifier.ts';
import type { RestoredTable } from './layout.ts';

/** Values that are drawn one by one; above it the sequence is set, which nobody can have overtaken in a millisecond. */
const drawnAtMost = 100_000;

/**
 * Raises every sequence of the tables above the tenant's own values, so that the next insert finds a free one. Never
 * lowers it: other tenants draw from it at this moment, and `setval` to a value read a moment ago could rewind it past
 * theirs. Small gaps are therefore closed with nextval, which only goes up; a setval remains for gaps of more than
 * 100,000, which other tenants would have to draw between two statements to be hurt.
 */
export const raiseSequences = async (
  client: ClientBase,
  tenantId: string,
  tables: readonly Pick<RestoredTable, 'table' | 'live'>[],
): Promise<void> => {
  for (const { table, live } of tables) {
    for (const [sequence, column] of Object.entries(table.sequences)) {
      const name = identPath(sequence);
      const { rows } = await client.query<{ gap: string; top: string }>(
        `SELECT m.top::text, ceil((m.top - CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - p.seqincrement END)::numeric / p.seqincrement)::text AS gap
         FROM (SELECT max(${ident(column)})::bigint AS top FROM ${live} WHERE tenant_id = $1) m, ${name} s, pg_sequence p
         WHERE p.seqrelid = $2::regclass AND p.seqincrement > 0 AND m.top IS NOT NULL AND m.top <= p.seqmax`,
        [tenantId, name],
      );
      const gap = Number(rows[0]?.gap ?? 0);
      if (gap <= 0) continue;
      if (gap > drawnAtMost) await client.query('SELECT setval($1::regclass, $2::bigint)', [name, rows[0]?.top]);
      else await client.query('SELECT count(nextval($1::regclass)) FROM generate_series(1, $2::bigint)', [name, gap]);
    }
  }
};
