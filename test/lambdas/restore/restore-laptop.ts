import type pg from 'pg';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import type { DatabaseRole } from '../../../adapters/postgres/connection.ts';
import { restoreSetUpSql } from '../../../adapters/restore/effects.ts';
import type { World } from '../../../adapters/world.ts';
import { handler as dumpDatabase } from '../../../lambdas/backup/dump-database.ts';
import { handler as openBackup } from '../../../lambdas/backup/open-backup.ts';
import { handler as sealBackup } from '../../../lambdas/backup/seal-backup.ts';
import { handler as compareRestore } from '../../../lambdas/restore/compare-restore.ts';
import { handler as finishRestore } from '../../../lambdas/restore/finish-restore.ts';
import { handler as planRestore } from '../../../lambdas/restore/plan-restore.ts';
import { handler as stageRestore } from '../../../lambdas/restore/stage-restore.ts';
import { handler as swapRestore } from '../../../lambdas/restore/swap-restore.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { type Laptop, startLaptop } from '../operator-api/laptop.ts';

export interface RestoreLaptop {
  readonly laptop: Laptop;
  readonly world: World;
  /** A tenant with rows in the pool, active in the registry. */
  addTenant(id: string): Promise<void>;
  /** Takes and seals a backup by the real steps; answers its id. */
  backUp(tenantId: string): Promise<string>;
  connect(role: DatabaseRole): Promise<pg.Client>;
  /** Runs statements as the app of that tenant. */
  as(tenantId: string, sql: string): Promise<void>;
  /** Sorted rows of the chat's tables as one text per table. */
  rows(tenantId: string): Promise<Record<string, string>>;
  /** Schemas of restores in the pool. */
  schemas(): Promise<string[]>;
  plan(operation: string, input: object): ReturnType<typeof planRestore.run>;
  /** Plan, stage, compare; answers the plan. */
  prepare(operation: string, input: object): ReturnType<typeof planRestore.run>;
  /** The same with swap and finish. */
  restore(operation: string, input: object): ReturnType<typeof swapRestore.run>;
  stop(): Promise<void>;
}

const tables = ['realms', 'users', 'streams', 'messages', 'reactions', 'attachments', 'audit_trail', 'activity'];

export const startRestoreLaptop = async (): Promise<RestoreLaptop> => {
  const laptop = await startLaptop();
  const { world } = laptop;
  await setUp(laptop.setUpInput, world);
  const cell = (await world.registry.cells.get('eu-1'))!;
  const clients: pg.Client[] = [];
  const connect = async (role: DatabaseRole): Promise<pg.Client> => {
    const client = await world.databases.connect(cell, role);
    clients.push(client);
    return client;
  };
  const master = await connect('migrate');
  await master.query(restoreSetUpSql('tenantry_restore'));
  const app = await connect('app');
  const provision = await connect('provision');
  let operations = 0;

  const as = async (tenantId: string, sql: string): Promise<void> => {
    await app.query(`BEGIN; SELECT set_config('app.tenant_id', '${tenantId}', true)`);
    try {
      await app.query(sql);
      await app.query('COMMIT');
    } catch (error) {
      await app.query('ROLLBACK');
      throw error;
    }
  };
  const plan = (operation: string, input: object) => planRestore.run({ operation, execution: 'arn', ...input }, world);
  const prepare = async (operation: string, input: object) => {
    const planned = await plan(operation, input);
    const about = { operation, restoreId: planned.restoreId, ...(input as { tenantId: string }) };
    if (!planned.staged) await stageRestore.run(about, world);
    await compareRestore.run(about, world);
    return planned;
  };
  return {
    laptop,
    world,
    connect,
    as,
    plan,
    prepare,
    addTenant: async (id) => {
      const operation = `provision-${id}`;
      await world.registry.operations.open({
        id: operation,
        kind: 'provision-tenant',
        tenantId: id,
        executionArn: 'arn',
        input: {},
      });
      await world.registry.tenants.claim({ id, operation, plan: 'starter' });
      await world.registry.placements.place({ tenantId: id, operation, plan: 'starter' });
      const { fence } = await world.registry.leases.hold({ tenantId: id, holder: operation, seconds: 60 });
      await prepareTenant(provision, { tenantId: id, profile: { name: id }, fence });
      await world.registry.tenants.move(id, { from: ['provisioning'], to: 'active', operation });
      await world.registry.operations.succeed(operation);
      await world.registry.leases.release({ tenantId: id, holder: operation });
      await as(
        id,
        `INSERT INTO messages (tenant_id, stream_id, sender_id, body)
           SELECT s.tenant_id, s.id, u.id, 'message ' || i FROM streams s, users u, generate_series(1, 12) i;
         INSERT INTO reactions (tenant_id, message_id, user_id, emoji) SELECT tenant_id, id, sender_id, 'heart' FROM messages ORDER BY id LIMIT 4;
         INSERT INTO activity (tenant_id, kind, subject, happened_on) SELECT '${id}', 'login', i, date '2025-11-01' + i * 50 FROM generate_series(1, 6) i`,
      );
    },
    backUp: async (tenantId) => {
      operations += 1;
      const operation = `back-up-${tenantId}-${operations}`;
      const { cell: place, backups } = await openBackup.run(
        { operation, execution: 'arn', tenantIds: [tenantId] },
        world,
      );
      const { failed } = await dumpDatabase.run({ operation, cell: place, backups }, world);
      await sealBackup.run({ operation, backups, failed, closes: true }, world);
      return backups[0]!.backupId;
    },
    rows: async (tenantId) => {
      const found: Record<string, string> = {};
      for (const table of tables) {
        const { rows } = await master.query<{ text: string }>(
          `SELECT coalesce(string_agg(x::text, E'\\n' ORDER BY x::text COLLATE "C"), '') AS text FROM ${table} x WHERE tenant_id = $1`,
          [tenantId],
        );
        found[table] = rows[0]!.text;
      }
      return found;
    },
    schemas: async () =>
      (
        await master.query<{ name: string }>(
          `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'tn\\_%' ORDER BY 1`,
        )
      ).rows.map(({ name }) => name),
    restore: async (operation, input) => {
      const { restoreId } = await prepare(operation, input);
      const about = { operation, restoreId, ...(input as { tenantId: string }) };
      const swapped = await swapRestore.run(about, world);
      await finishRestore.run({ ...about, outcome: 'swapped' }, world);
      return swapped;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.end()));
      await laptop.stop();
    },
  };
};
