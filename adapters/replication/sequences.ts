import type { ClientBase } from 'pg';
import { appSchema } from '../catalog/app-schemas.ts';
import { identPath } from '../postgres/identifier.ts';

export interface SequenceValue {
  /** `schema.sequence`. */
  readonly path: string;
  /** Last value that was handed out, as decimal text. */
  readonly last: string;
}

const readSql = `
SELECT path, last FROM (
  SELECT n.nspname || '.' || c.relname AS path, pg_sequence_last_value(c.oid::regclass)::text AS last
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND ${appSchema('n.nspname')}) every WHERE last IS NOT NULL`;

/** Every sequence of the app that has handed out a value, also those that belong to no column. One round trip. */
export const readSequences = async (client: ClientBase): Promise<SequenceValue[]> =>
  (await client.query<SequenceValue>(readSql)).rows;

/** Values that are drawn one by one; above it the sequence is set, which nobody can have overtaken in a millisecond. */
const drawnAtMost = 100_000;

const gapSql = `
SELECT v.name, v.last, want.value::text AS want,
  ceil((want.value - coalesce(pg_sequence_last_value(s.seqrelid::regclass), s.seqstart - s.seqincrement)) / s.seqincrement)::text AS gap
FROM unnest($1::text[], $2::numeric[]) v (name, last)
JOIN pg_sequence s ON s.seqrelid = to_regclass(v.name)
CROSS JOIN LATERAL (SELECT CASE WHEN s.seqincrement > 0 THEN least(v.last + $3 * s.seqincrement, s.seqmax)
  ELSE greatest(v.last + $3 * s.seqincrement, s.seqmin) END AS value) want
WHERE (want.value - coalesce(pg_sequence_last_value(s.seqrelid::regclass), s.seqstart - s.seqincrement)) / s.seqincrement > 0`;

/**
 * Raises every sequence to at least its given value plus `headroom` steps, never lowers one: neighbours draw from it at this
 * moment, and a setval to what was read a moment ago could rewind it past theirs. Small gaps are closed with nextval, which
 * only goes on. With headroom before a fence, nothing is left to draw inside it.
 */
export const raiseSequences = async (
  client: ClientBase,
  values: readonly SequenceValue[],
  headroom: number,
): Promise<void> => {
  if (values.length === 0) return;
  const { rows } = await client.query<{ name: string; want: string; gap: string }>(gapSql, [
    values.map(({ path }) => identPath(path)),
    values.map(({ last }) => last),
    headroom,
  ]);
  for (const { name, want, gap } of rows) {
    if (Number(gap) > drawnAtMost) await client.query('SELECT setval($1::regclass, $2::bigint)', [name, want]);
    else await client.query('SELECT count(nextval($1::regclass)) FROM generate_series(1, $2::bigint)', [name, gap]);
  }
};
