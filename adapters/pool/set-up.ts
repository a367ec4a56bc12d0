import type { Client, ClientBase } from 'pg';
import { StepFailure } from '../../domain/errors.ts';
import { checkSchemaRule, explainFindings } from '../../domain/schema-rule.ts';
import type { Scope } from '../../domain/scope.ts';
import { readSchemaFacts } from '../catalog/read-facts.ts';
import { readScope } from '../catalog/read-scope.ts';
import { clientSql, sqlState } from '../postgres/sql.ts';
import { type AppMigration, applyMigration, pendingMigrations } from './migrations.ts';
import { loginsOf, type PoolCredentials, writeLogins } from './roles.ts';
import { tenantrySchema, watchNewTables } from './schema.ts';
import { writeTemplate } from './template.ts';

export interface PoolSetUp {
  readonly credentials: PoolCredentials;
  /** The app's schema, oldest first; every one runs once per database. */
  readonly migrations: readonly AppMigration[];
}

export interface PoolState {
  readonly fingerprint: string;
  /** Versions that this call applied. */
  readonly applied: readonly string[];
  /** Name of the empty database of this schema, from which pg_dump takes toc.dat. */
  readonly template: string | undefined;
  /** Lines by which the pool differs from what its migrations make: such a schema has no template. */
  readonly drift: readonly string[];
  /** Whether the server itself protects new partitions; otherwise only the next set-up does. */
  readonly watched: boolean;
}

const refuseUnsoundSchema = async (client: ClientBase): Promise<Scope> => {
  const scope = await readScope(client);
  const findings = checkSchemaRule(scope, await readSchemaFacts(client));
  if (findings.length > 0)
    throw new StepFailure(
      'SchemaRefused',
      `tenants of this schema cannot be kept apart:\n${explainFindings(findings)}`,
    );
  return scope;
};

/** The event trigger needs a right that a managed server may refuse; everything else works without it. */
const watch = async (client: ClientBase): Promise<boolean> => {
  try {
    await client.query(watchNewTables);
    return true;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    return false;
  }
};

const transaction = <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> =>
  clientSql(client).transaction(work);

/**
 * Makes a database fit to hold many tenants: logins, schema `tenantry`, the app's migrations, row-level security and fence on
 * every tenant table and leaf, grants, and the template database of the schema. Safe to repeat, and the way a new release of
 * the app's schema arrives. SchemaRefused, with every finding and its fix, when the schema rule is broken; the migration
 * that broke it is then rolled back. `master` owns the app's tables and may create roles.
 */
export const setUpPool = async (master: Client, { credentials, migrations }: PoolSetUp): Promise<PoolState> => {
  const logins = loginsOf(credentials);
  await master.query('SELECT pg_advisory_lock(7003, 1)');
  try {
    await writeLogins(master, credentials);
    await transaction(master, () => master.query(tenantrySchema(logins)));
    const watched = await watch(master);
    const pending = await pendingMigrations(master, migrations);
    for (const migration of pending.slice(0, -1)) await transaction(master, () => applyMigration(master, migration));
    const scope = await transaction(master, async () => {
      const last = pending.at(-1);
      if (last) await applyMigration(master, last);
      const sound = await refuseUnsoundSchema(master);
      await master.query('SELECT tenantry.protect_app()');
      return sound;
    });
    const { template, drift } = await writeTemplate(master, { scope, migrations, backup: logins.backup });
    return { fingerprint: scope.fingerprint, applied: pending.map(({ version }) => version), template, drift, watched };
  } finally {
    await master.query('SELECT pg_advisory_unlock(7003, 1)').catch(() => undefined);
  }
};
