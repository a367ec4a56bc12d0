import type pg from 'pg';
import { handler as abandonBackup } from '../../../lambdas/backup/abandon-backup.ts';
import { handler as dumpDatabase } from '../../../lambdas/backup/dump-database.ts';
import { handler as openBackup } from '../../../lambdas/backup/open-backup.ts';
import { handler as sealBackup } from '../../../lambdas/backup/seal-backup.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import { type Laptop, startLaptop } from '../operator-api/laptop.ts';

type Slice = Awaited<ReturnType<typeof openBackup.run>>;

export interface BackupLaptop extends Laptop {
  /** A tenant that is active, with the rows of the app's hook. */
  signUp(tenantId: string, plan?: string): Promise<void>;
  /** Runs one statement in the pool as the tenant. */
  write(tenantId: string, sql: string): Promise<void>;
  /** The steps of one backup operation, as the machine calls them. */
  steps(operation: string): {
    open(tenantIds: readonly string[] | undefined, more?: object): Promise<Slice>;
    dump(slice: Slice, more?: object): ReturnType<typeof dumpDatabase.run>;
    seal(slice: Slice, more?: object): ReturnType<typeof sealBackup.run>;
    abandon(tenantIds: readonly string[], more?: object): ReturnType<typeof abandonBackup.run>;
  };
  /** A whole backup of one tenant; its id. */
  backUp(operation: string, tenantId: string): Promise<string>;
}

/** PostgreSQL, S3, secrets and a pool with the sample app: everything that the steps of a backup reach. */
export const startBackupLaptop = async (): Promise<BackupLaptop> => {
  const laptop = await startLaptop();
  const { world } = laptop;
  await setUp(laptop.setUpInput, world);
  const cell = (await world.registry.cells.get('eu-1'))!;
  const app: pg.Client = await world.databases.connect(cell, 'app');
  const steps: BackupLaptop['steps'] = (operation) => ({
    open: (tenantIds, more) => openBackup.run({ operation, execution: `arn:${operation}`, tenantIds, ...more }, world),
    dump: ({ cell: id, backups }, more) => dumpDatabase.run({ operation, cell: id, backups, ...more }, world),
    seal: ({ backups }, more) => sealBackup.run({ operation, backups, closes: true, ...more }, world),
    abandon: (tenantIds, more) =>
      abandonBackup.run(
        {
          operation,
          tenantIds,
          closes: true,
          failure: { step: 'DumpDatabase', error: 'Boom', cause: 'it broke' },
          ...more,
        },
        world,
      ),
  });
  return {
    ...laptop,
    signUp: async (tenantId, plan = 'starter') => {
      const operation = `provision-${tenantId}`;
      await claimTenant.run({ operation, execution: 'arn', tenantId, plan }, world);
      await placeTenant.run({ operation, tenantId }, world);
      await prepareDatabase.run({ operation, tenantId }, world);
      await activateTenant.run({ operation, tenantId }, world);
    },
    write: async (tenantId, sql) => {
      await app.query('BEGIN');
      await app.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
      await app.query(sql);
      await app.query('COMMIT');
    },
    steps,
    backUp: async (operation, tenantId) => {
      const { open, dump, seal } = steps(operation);
      const slice = await open([tenantId]);
      const { failed } = await dump(slice);
      await seal(slice, { failed });
      return slice.backups[0]!.backupId;
    },
    stop: async () => {
      await app.end();
      await laptop.stop();
    },
  };
};
