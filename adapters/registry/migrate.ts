import type { Sql } from '../postgres/sql.ts';
import { migration001 } from './migrations/001-registry.ts';
import { migration002 } from './migrations/002-backups.ts';
import { migration003 } from './migrations/003-restores.ts';
import { migration004 } from './migrations/004-ends.ts';
import { migration005 } from './migrations/005-approvals.ts';
import { migration006 } from './migrations/006-servers.ts';
import { migration007 } from './migrations/007-drills.ts';
import { migration009 } from './migrations/009-clones.ts';
import { migration010 } from './migrations/010-clusters.ts';
import { migration011 } from './migrations/011-answers.ts';
import { migration012 } from './migrations/012-plan-changes.ts';
import { migration013 } from './migrations/013-tier-moves.ts';
import { migration014 } from './migrations/014-objects.ts';
import { migration015 } from './migrations/015-domains.ts';
import { migration016 } from './migrations/016-restored-objects.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** In the order in which they run. One that has run anywhere is never changed again. */
export const migrations: readonly Migration[] = [
  migration001,
  migration002,
  migration003,
  migration004,
  migration005,
  migration006,
  migration007,
  migration009,
  migration010,
  migration011,
  migration012,
  migration013,
  migration014,
  migration015,
  migration016,
];

/**
 * Brings the registry's schema up to date; answers the names of the migrations that ran. Of many callers at once one
 * migrates and the others wait. All of them commit together: a crash leaves the old schema whole.
 * Throws when the database knows a migration that this release does not: it belongs to a newer one.
 */
export const migrateRegistry = async (sql: Sql, list: readonly Migration[] = migrations): Promise<string[]> => {
  const ran: string[] = [];
  await sql.transaction(async (within) => {
    await within.query('SELECT pg_advisory_xact_lock(7002, 0)');
    await within.query(
      'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())',
    );
    const known = new Set(
      (await within.query<{ name: string }>('SELECT name FROM migrations')).map(({ name }) => name),
    );
    const strange = [...known].filter((name) => !list.some((migration) => migration.name === name));
    if (strange.length > 0)
      throw new Error(`registry has migrations ${strange.join(', ')} of a newer release; deploy that release or later`);
    for (const { name, sql: text } of list) {
      if (known.has(name)) continue;
      await within.query(text);
      await within.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
      ran.push(name);
    }
  });
  return ran;
};
