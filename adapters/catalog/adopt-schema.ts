import type { ClientBase } from 'pg';
import type { AdoptionRequest } from '../../domain/adoption/facts.ts';
import { planAdoption } from '../../domain/adoption.ts';
import { checkSchemaRule, type SchemaFinding } from '../../domain/schema-rule.ts';
import { adoptionSql } from './adoption-sql.ts';
import { proveAdoption } from './prove-adoption.ts';
import { readAdoptionFacts } from './read-adoption.ts';
import { readSchemaFacts } from './read-facts.ts';
import { readScope } from './read-scope.ts';

export type SchemaAdoption =
  | { readonly outcome: 'refused'; readonly refusals: readonly SchemaFinding[] }
  | { readonly outcome: 'adopted'; readonly shared: readonly string[] }
  | {
      readonly outcome: 'planned';
      readonly sql: string;
      /** `schema.table` of the tables that get tenant_id, as they are filled. */
      readonly filled: readonly string[];
      readonly shared: readonly string[];
    };

export interface SchemaLint {
  readonly findings: readonly SchemaFinding[];
  /** `schema.table` of the tenant tables. */
  readonly tables: readonly string[];
  /** Tables that all tenants share. */
  readonly shared: readonly string[];
  readonly fingerprint: string;
}

/** Reads in one snapshot that cannot write; rows that row-level security hides are an error, not a gap. */
const reading = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> => {
  await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off; SET LOCAL lock_timeout = '5s'`,
  );
  try {
    return await work();
  } finally {
    // The connection may be what failed: its own error must not hide the first one.
    await client.query('ROLLBACK').catch(() => undefined);
  }
};

/** What keeps tenants of this database's schema from being separated, each with its fix. Opens a transaction of its own. */
export const lintSchema = (client: ClientBase): Promise<SchemaLint> =>
  reading(client, async () => {
    const scope = await readScope(client);
    const findings = checkSchemaRule(scope, await readSchemaFacts(client));
    const nobodys: SchemaFinding[] =
      scope.tables.length === 0 && scope.reference.length > 0
        ? [
            {
              object: scope.reference.join(', '),
              breaks: 'no table has tenant_id: every tenant would share every row',
              fix: 'npx tenantry schema adopt --tenant-root <schema.table> writes the migration',
            },
          ]
        : [];
    return {
      findings: [...nobodys, ...findings],
      tables: scope.tables.map(({ schema, name }) => `${schema}.${name}`),
      shared: scope.reference,
      fingerprint: scope.fingerprint,
    };
  });

/**
 * The migration that makes this database's schema keep the rule, or why it cannot be made. Nothing is written: catalog and
 * rows are read in a transaction of its own. Findings that no migration mends (SECURITY DEFINER) refuse it as well.
 * Throws StepFailure InvalidStepInput when the request names what is not there.
 */
export const adoptSchema = (client: ClientBase, request: AdoptionRequest): Promise<SchemaAdoption> =>
  reading(client, async () => {
    const adoption = planAdoption(await readAdoptionFacts(client), request);
    const { definers } = await readSchemaFacts(client);
    const lasting = checkSchemaRule(
      { tables: [], reference: [], fingerprint: '', lines: [] },
      {
        uniqueIndexes: [],
        references: [],
        views: [],
        foreignTables: [],
        openPolicies: [],
        inherited: [],
        unlogged: [],
        largeObjects: 0,
        definers,
      },
    );
    if (adoption.outcome === 'refused') return { outcome: 'refused', refusals: [...adoption.refusals, ...lasting] };
    const proved = adoption.outcome === 'planned' ? await proveAdoption(client, adoption.plan) : [];
    const refusals = [...proved, ...lasting];
    if (refusals.length > 0) return { outcome: 'refused', refusals };
    if (adoption.outcome === 'adopted') return adoption;
    const { plan } = adoption;
    return { outcome: 'planned', sql: adoptionSql(plan), filled: plan.filled, shared: plan.shared };
  });
