import { readSchemaFacts } from '../../adapters/catalog/read-facts.ts';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import type { Route } from '../../app-kit/route.ts';
import type { TenantSql } from '../../app-kit/transaction.ts';
import { checkSchemaRule } from '../../domain/schema-rule.ts';
import { loadChat } from '../../sample-app/load.ts';
import { openTestTenancy, type TestTenancy } from '../app-kit/test-tenancy.ts';

export const tables: readonly string[] = [
  'realms',
  'users',
  'streams',
  'subscriptions',
  'messages',
  'reactions',
  'attachments',
  'audit_trail',
  'activity',
];

/** A pool in which acme tries to reach its neighbour globex. */
export interface Neighbours {
  readonly world: TestTenancy;
  /** A statement as the owner of the database. */
  master(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
  /** One transaction of acme through app-kit. */
  asAcme<Result>(work: (sql: TenantSql) => Promise<Result>): Promise<Result>;
  /** How many rows of others a query shows to acme; the query answers a column tenant_id. */
  foreignRows(text: string): Promise<number>;
  /** What the schema rule says against the database as it is now. */
  findings(): Promise<string[]>;
  /** Plants a leak, looks at it, and takes it away again. */
  planted(plant: string, remove: string, look: () => Promise<void>): Promise<void>;
  /** Over all rows of a tenant, in every table. */
  digestOf(tenantId: string): Promise<string>;
  stop(): Promise<void>;
}

/** Two tenants with a loaded chat each, in a pool that was set up as every pool is. */
export const openNeighbours = async (): Promise<Neighbours> => {
  const world = await openTestTenancy();
  const app = await world.pool.connect('app');
  for (const [seed, tenantId] of ['acme', 'globex'].entries()) {
    await world.addTenant(tenantId, 0);
    await loadChat(app, { tenantId, users: 10, messages: 300, seed });
  }
  const acme: Route = (await world.tenancy.resolveTenant('acme.localhost'))!;
  const master: Neighbours['master'] = (text, values = []) =>
    world.pool.master.query<Record<string, unknown>>(text, values);
  const asAcme: Neighbours['asAcme'] = (work) => world.tenancy.withTenant(acme, work);
  return {
    world,
    master,
    asAcme,
    foreignRows: (text) =>
      asAcme(
        async (sql) =>
          (await sql.query<{ tenant_id: string }>(text)).filter(({ tenant_id }) => tenant_id !== 'acme').length,
      ),
    findings: async () =>
      checkSchemaRule(await readScope(world.pool.master), await readSchemaFacts(world.pool.master)).map(
        ({ object, breaks }) => `${object}: ${breaks}`,
      ),
    planted: async (plant, remove, look) => {
      await master(plant);
      try {
        await look();
      } finally {
        await master(remove);
      }
    },
    digestOf: async (tenantId) => {
      const digests = tables.map(
        (table) => `(SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${table} t WHERE tenant_id = $1)`,
      );
      return String(
        (await master(`SELECT concat_ws('/', ${digests.join(', ')}) AS digest`, [tenantId])).rows[0]!.digest,
      );
    },
    stop: () => world.stop(),
  };
};
