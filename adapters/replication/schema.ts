import type { ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import type { Scope } from '../../domain/scope.ts';
import { readScope } from '../catalog/read-scope.ts';

/** Lines of a difference that an operator reads; the rest is counted. */
const shownLines = 20;

/** Since PostgreSQL 17 a partition has the identity of its root, which inserts go through; before, it had none. */
const comparable = ({ tables, lines }: Scope): string[] => {
  const leaves = tables.flatMap((table) => table.leaves.map((leaf) => `column ${leaf}.`));
  return lines.map((line) =>
    leaves.some((leaf) => line.startsWith(leaf)) ? line.replace(/ identity (always|by default)/, '') : line,
  );
};

/** What one schema has and the other lacks, in the lines of the fingerprint; empty when they are the same. */
export const schemaDifferences = (source: Scope, target: Scope): string[] => {
  const [mine, theirs] = [comparable(source), comparable(target)];
  const [have, want] = [new Set(theirs), new Set(mine)];
  const lines = [
    ...mine.filter((line) => !have.has(line)).map((line) => `only the source has ${line}`),
    ...theirs.filter((line) => !want.has(line)).map((line) => `only the target has ${line}`),
  ];
  return lines.length > shownLines
    ? [...lines.slice(0, shownLines), `and ${lines.length - shownLines} more lines`]
    : lines;
};

/**
 * Keeps set-ups, which hold the same lock alone, out of both databases until the sessions end, and refuses schemas that have
 * grown apart during the copy: replication carries no DDL, so a new column or partition would be missing on one side.
 * FenceTimeout while a set-up is under way, MoveRefused with the differing lines.
 */
export const freezeSchemas = async (
  { source, target }: { readonly source: ClientBase; readonly target: ClientBase },
  tenantId: string,
): Promise<Scope> => {
  for (const client of [source, target]) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock_shared(7003, 1) AS locked');
    if (!rows[0]?.locked)
      throw new StepFailure(
        'FenceTimeout',
        `a set-up of a database of tenant ${tenantId} is under way; it is tried again`,
      );
  }
  const scope = await readScope(source);
  const lines = schemaDifferences(scope, await readScope(target));
  if (lines.length > 0)
    throw new StepFailure(
      'MoveRefused',
      `the schemas of tenant ${tenantId} have grown apart: ${lines.join('; ')}; run set-up, then repeat the step`,
    );
  return scope;
};
