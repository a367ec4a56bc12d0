import pg from 'pg';
import { expect } from 'vitest';
import { openScratchDrills, type ScratchDrills } from '../../../adapters/drill/drill.ts';
import { inScratch, type ScratchRequest } from '../../../adapters/drill/scratch.ts';
import { exportTenants } from '../../../adapters/dump/export.ts';
import type { Manifest } from '../../../domain/archive.ts';
import { openTestBucket, type TestBucket } from '../archive/bucket.ts';
import { chatMigrations, credentials, openTestPool, type TestPool } from '../pool/chat-pool.ts';

/** Rows of it can be written by nobody who is a superuser, in whatever database: a restore by one would fail. */
const guarded = `
CREATE FUNCTION no_superuser(text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT current_setting('is_superuser') = 'off' $$;
CREATE TABLE guarded (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  note text CHECK (public.no_superuser(note)),
  price numeric,
  spec json,
  PRIMARY KEY (tenant_id, id)
);`;

export interface DrillBench {
  readonly pool: TestPool;
  readonly bucket: TestBucket;
  /** Another connection of the login that owns the databases; the test ends it. */
  owner(database: string): Promise<pg.Client>;
  scratchDatabases(): Promise<string[]>;
  /** Backs a tenant up; the manifest of its archive. */
  take(tenantId: string): Promise<Manifest>;
  /** What a scratch database is made with; of the pool's template unless told. */
  request(owner: pg.Client, template?: string): ScratchRequest;
  /** Runs drills in a scratch database; undefined where there is no such template. */
  scratch<Result>(
    work: (drills: ScratchDrills, client: pg.Client) => Promise<Result>,
    template?: string,
  ): Promise<Result | undefined>;
  /** The archive of a manifest as a drill reads it; said to be of the tenant that it is of, or of another one. */
  opened(manifest: Manifest, tenantId?: string): Parameters<ScratchDrills['drill']>[0];
  stop(): Promise<void>;
}

/** A bucket and a pool with the tenants acme, globex and `empty`, which has no message. Of acme's messages each has a reaction and a file. */
export const openDrillBench = async (): Promise<DrillBench> => {
  const [pool, bucket] = await Promise.all([
    openTestPool([...(await chatMigrations()), { version: '002-guarded.sql', sql: guarded }]),
    openTestBucket(),
  ]);
  for (const tenant of ['acme', 'globex', 'empty']) await pool.addTenant(tenant, tenant === 'empty' ? 0 : 30);
  const app = await pool.connect('app');
  await app.query(`BEGIN; SELECT set_config('app.tenant_id', 'acme', true);
    INSERT INTO reactions (tenant_id, message_id, user_id, emoji) SELECT tenant_id, id, sender_id, 'heart' FROM messages;
    INSERT INTO attachments (tenant_id, message_id, file_name, content) SELECT tenant_id, id, 'a', '\\x00ff' FROM messages;
    INSERT INTO guarded (tenant_id, note, price, spec) VALUES ('acme', E'a\\tb\\\\', 1.50, '{"b":  1}'); COMMIT`);
  const login = async (database: string, { username, password }: { username: string; password: string }) => {
    const client = new pg.Client({ host: pool.host, port: pool.port, database, user: username, password });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const owner = async (database: string): Promise<pg.Client> => {
    const { user, password } = pool.master;
    return login(database, { username: user!, password: password! });
  };
  const request = (client: pg.Client, template = pool.state.template!): ScratchRequest => ({
    owner: client,
    template,
    restorer: credentials.restore.username,
    connectOwner: owner,
    connectRestorer: (database) => login(database, credentials.restore),
  });
  let exports = 0;
  return {
    pool,
    bucket,
    owner,
    request,
    scratchDatabases: async () =>
      (
        await pool.master.query<{ name: string }>(
          `SELECT datname AS name FROM pg_database WHERE datname LIKE 'tn\\_drill%'`,
        )
      ).rows.map(({ name }) => name),
    take: async (tenantId) => {
      exports += 1;
      const backupId = `b-${exports}`;
      const failed = await exportTenants({
        connect: () => pool.connect('backup'),
        archive: bucket.archive,
        tenants: [{ tenantId, backupId, operation: 'op', kind: 'manual' }],
        isolation: 'pooled',
        written: async () => undefined,
      });
      expect(failed).toEqual([]);
      return bucket.archive.manifest(tenantId, backupId);
    },
    scratch: (work, template) =>
      inScratch(request(pool.master, template), async (client) => work(await openScratchDrills(client), client)),
    opened: (manifest, tenantId = manifest.tenantId) => ({
      tenantId,
      manifest,
      openMember: (member: Manifest['members'][number]) => bucket.archive.member(manifest, member),
      openReference: bucket.archive.referenceMember,
    }),
    stop: async () => {
      await Promise.all([pool.stop(), bucket.stop()]);
    },
  };
};
