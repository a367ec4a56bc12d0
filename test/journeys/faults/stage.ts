import { createHash } from 'node:crypto';
import { ListObjectsV2Command, type ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import type { CloudOptions } from '../../../local/cloud.ts';
import { loadChat } from '../../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../../cloud.ts';
import { type Estate, openEstate } from '../../estate.ts';
import { openSaboteur, type Saboteur } from './saboteur.ts';

/** One laptop cloud for all cells of a file, with the superuser's eyes on everything that it keeps. */
export interface Stage {
  readonly laptop: TestCloud;
  readonly saboteur: Saboteur;
  readonly control: pg.Pool;
  readonly pool: pg.Pool;
  readonly estate: Estate;
  /** Keys of the archive bucket under a prefix. */
  keys(prefix: string): Promise<string[]>;
  /** SHA-256 over every row of the tenant, by table; written apart from the product's digests. */
  digests(tenantId: string): Promise<Record<string, string>>;
  /** Tenants that nobody touches from here on: rows enough that damage would show. */
  bystander(tenantId: string): Promise<void>;
  close(): Promise<void>;
}

/** Keys of the archive bucket as any S3 client lists them. */
export const listKeys =
  (s3: S3Client): Stage['keys'] =>
  async (prefix) => {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await s3.send(
        new ListObjectsV2Command({ Bucket: 'tenantry-archive', Prefix: prefix, ContinuationToken: token }),
      );
      found.push(...(page.Contents ?? []).map(({ Key }) => Key!));
      token = page.NextContinuationToken;
    } while (token);
    return found;
  };

/** Tables of the app that carry a tenant, from the catalog: a table that is added later is watched too. */
export const tenantTables = async (pool: Pick<pg.Pool, 'query'>): Promise<string[]> => {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
};

/** Starts the cloud with a saboteur between its machines and its handlers. */
export const openStage = async (options: Partial<CloudOptions> = {}): Promise<Stage> => {
  const saboteur = openSaboteur();
  const laptop = await startTestCloud({
    ...options,
    interpose: saboteur.interpose,
    log: (source, line) => {
      if (process.env.FAULT_LOG) console.error(source, line.slice(0, 300));
    },
  });
  const { host, port, superuser } = laptop.cloud.postgres;
  const login = { host, port, user: superuser.username, password: superuser.password, max: 3 };
  const control = new pg.Pool({ ...login, database: 'control' });
  const pool = new pg.Pool({ ...login, database: 'pool' });
  const { endpoint, region, credentials } = laptop.cloud;
  const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const tables = await tenantTables(pool);
  const estate = openEstate(laptop);
  return {
    laptop,
    saboteur,
    control,
    pool,
    estate,
    keys: listKeys(s3),
    digests: async (tenantId) => {
      const found: Record<string, string> = {};
      for (const table of tables) {
        const { rows } = await pool.query<{ row: string }>(
          `SELECT t::text AS row FROM ${pg.escapeIdentifier(table)} t WHERE tenant_id = $1 ORDER BY 1`,
          [tenantId],
        );
        const text = rows.map(({ row }) => row).join('\n');
        found[table] = createHash('sha256').update(text).digest('hex');
      }
      return found;
    },
    bystander: async (tenantId) => {
      const { status } = await laptop.run('provision-tenant', { tenantId, plan: 'starter' });
      if (status !== 'SUCCEEDED') throw new Error(`the bystander ${tenantId} could not be provisioned`);
      const client = await pool.connect();
      await loadChat(client, { tenantId, users: 8, messages: 60, seed: 7 });
      client.release();
    },
    close: async () => {
      s3.destroy();
      estate.close();
      await Promise.all([control.end(), pool.end()]);
      await laptop.close();
    },
  };
};
