import { createHash } from 'node:crypto';
import pg from 'pg';
import { expect } from 'vitest';
import type { Isolation, Tier } from '../../domain/place.ts';
import type { CloudOptions } from '../../local/cloud.ts';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { type Estate, estateFindings, openEstate } from '../estate.ts';
import { type HttpLoad, settle, signIn, startHttpWriters, visit } from '../load/http-writers.ts';

export interface Home {
  readonly tier: Tier;
  readonly isolation: Isolation;
}

/** A cloud with everything that journeys of tiers look at. */
export interface TierWorld {
  readonly laptop: TestCloud;
  readonly estate: Estate;
  readonly control: pg.Client;
  run(workflow: string, input: object): Promise<Record<string, unknown>>;
  /** The owner of the server on which the tenant's rows are now, in their database. */
  homeOf(tenantId: string): Promise<pg.Client>;
  /** SHA-256 over every row of the tenant, wherever it is; written apart from the product's digests. */
  digest(tenantId: string): Promise<string>;
  write(tenantId: string, writers?: number): Promise<HttpLoad>;
  /** Status of the tenant's page at its host. */
  page(tenantId: string): Promise<number>;
  close(): Promise<void>;
}

export const hostOf = (tenantId: string): string => `${tenantId}.localhost`;

export const openTierWorld = async (options: Partial<CloudOptions> = {}): Promise<TierWorld> => {
  const laptop = await startTestCloud({ log: () => undefined, ...options });
  const estate = openEstate(laptop);
  const control = await laptop.admin('control');
  const homes = new Map<string, pg.Client>();
  const homeOf = async (tenantId: string): Promise<pg.Client> => {
    const { rows } = await control.query<{ host: string; port: number; database: string; secret: string | null }>(
      `SELECT r.database_host AS host, r.database_port AS port, r.database, s.secret_prefix || '/migrate' AS secret
       FROM router r JOIN placements p ON p.tenant_id = r.tenant_id AND p.active LEFT JOIN servers s ON s.id = p.server_id
       WHERE r.tenant_id = $1 LIMIT 1`,
      [tenantId],
    );
    const { secret, ...place } = rows[0]!;
    const name = `${place.host}:${place.port}/${place.database}`;
    const known = homes.get(name);
    if (known) return known;
    const opened = await laptop.admin(place.database, { ...place, ...(secret ? await laptop.secret(secret) : {}) });
    // A database that is dropped ends its connections; one of the same name is asked for anew.
    opened.on('end', () => homes.delete(name));
    homes.set(name, opened);
    return opened;
  };
  return {
    laptop,
    estate,
    control,
    homeOf,
    run: async (workflow, input) => {
      const ended = await laptop.run(workflow, input);
      expect(ended, ended.cause).toMatchObject({ status: 'SUCCEEDED' });
      return JSON.parse(ended.output!) as Record<string, unknown>;
    },
    digest: async (tenantId) => {
      const client = await homeOf(tenantId);
      const hash = createHash('sha256');
      for (const table of chatTables) {
        const { rows } = await client.query<{ row: string }>(
          `SELECT t::text AS row FROM ${pg.escapeIdentifier(table)} t WHERE tenant_id = $1 ORDER BY 1`,
          [tenantId],
        );
        hash.update(`${table} ${rows.map(({ row }) => row).join('\n')}`);
      }
      return hash.digest('hex');
    },
    write: (tenantId, writers = 3) =>
      startHttpWriters({ port: laptop.cloud.port, host: hostOf(tenantId), tenantId, writers }),
    page: async (tenantId) => {
      const visitor = visit({ port: laptop.cloud.port, host: hostOf(tenantId) });
      try {
        await signIn(visitor, `owner@${tenantId}.example`);
        return (await visitor.ask('GET', '/')).status;
      } finally {
        visitor.close();
      }
    },
    close: async () => {
      estate.close();
      await laptop.close();
    },
  };
};

/** A signup that stands, with the app's own first rows and some more. */
export const signUp = async (world: TierWorld, tenantId: string, home: Home, messages = 60): Promise<void> => {
  const request = { tenantId, plan: 'enterprise', ...home };
  expect(await world.run('provision-tenant', request)).toMatchObject(home);
  await loadChat(await world.homeOf(tenantId), { tenantId, users: 6, messages, seed: 3 });
};

/** The app that answers at the tenant's host is the one of its place: its own where it has one, else nobody's. */
export const expectServed = async ({ page, estate, control }: TierWorld, tenantId: string): Promise<void> => {
  expect(await page(tenantId)).toBe(200);
  const { rows } = await control.query<{ cluster: string | null; namespace: string | null }>(
    'SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = $1 AND active',
    [tenantId],
  );
  const { cluster, namespace } = rows[0]!;
  if (cluster === null || namespace === null) return;
  const pods = await (await estate.cluster(cluster)).list({ apiVersion: 'v1', kind: 'Pod' }, { namespace });
  const { rows: plans } = await control.query<{ plan: string }>('SELECT plan FROM tenants WHERE id = $1', [tenantId]);
  const ready = pods.filter(({ status }) =>
    (status as { conditions?: { type: string; status: string }[] }).conditions?.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    ),
  );
  expect(ready.length).toBeGreaterThanOrEqual(plans[0]!.plan === 'enterprise' ? 3 : 1);
};

/** Backed up, robbed of rows, restored from the archive: the same rows again. */
export const loseAndRestore = async (world: TierWorld, tenantId: string): Promise<void> => {
  await world.run('back-up-tenant', { tenantId });
  const before = await world.digest(tenantId);
  const home = await world.homeOf(tenantId);
  await home.query('BEGIN');
  await home.query("SET LOCAL session_replication_role = 'replica'");
  await home.query('DELETE FROM reactions WHERE tenant_id = $1', [tenantId]);
  await home.query("UPDATE messages SET body = 'lost' WHERE tenant_id = $1", [tenantId]);
  await home.query('COMMIT');
  expect(await world.digest(tenantId)).not.toBe(before);
  await world.run('restore-tenant', { tenantId, into: 'in-place', approval: 'given' });
  expect(await world.digest(tenantId)).toBe(before);
};

export const offboard = async (world: TierWorld, tenantId: string): Promise<void> => {
  await world.run('deprovision-tenant', { tenantId, graceSeconds: 0 });
  expect(await estateFindings(world.estate, world.control)).toEqual([]);
  expect((await world.estate.things()).filter((line) => line.includes(`-${tenantId}-`))).toEqual([]);
  expect(await world.control.query('SELECT FROM placements WHERE tenant_id = $1', [tenantId])).toMatchObject({
    rowCount: 0,
  });
};

/** Signs up at that place, is served, backed up, loses rows, gets them back, and leaves nothing behind. */
export const liveWholeLife = async (world: TierWorld, tenantId: string, home: Home): Promise<void> => {
  await signUp(world, tenantId, home);
  await expectServed(world, tenantId);
  expect(await estateFindings(world.estate, world.control)).toEqual([]);
  await loseAndRestore(world, tenantId);
  await expectServed(world, tenantId);
  await offboard(world, tenantId);
};

/** Publications, slots and subscriptions of moves on the shared server. */
const channels = async ({ control }: TierWorld): Promise<unknown[]> =>
  (
    await control.query(
      'SELECT slot_name::text AS name FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription',
    )
  ).rows;

/**
 * Moves a tenant that is written to through its own host. Afterwards it is where it was to go, and only there, no request was
 * refused or left in doubt, and nothing is anywhere that belongs to nobody. Answers the slowest request of its users.
 */
export const moveUnderLoad = async (
  world: TierWorld,
  load: HttpLoad,
  tenantId: string,
  home: Home,
  { thereAndBack = false } = {},
): Promise<number> => {
  load.forgetSlowest();
  await load.more(20);
  if (thereAndBack) {
    const out = await world.run('migrate-tenant', { tenantId, ...home });
    expect(out).toMatchObject({ phase: 'switched' });
    await load.more(30);
    expect(await world.run('migrate-tenant', { tenantId, action: 'back' })).toMatchObject({ phase: 'finished' });
    await load.more(20);
  }
  const moved = await world.run('migrate-tenant', { tenantId, ...home, windowSeconds: 0 });
  expect(moved).toMatchObject({ phase: 'finished' });
  await load.more(20);
  expect({ refused: load.refused, unknown: load.unknown }).toEqual({ refused: [], unknown: [] });
  const { rows } = await world.control.query('SELECT tier, isolation FROM placements WHERE tenant_id = $1', [tenantId]);
  expect(rows).toEqual([home]);
  await expectServed(world, tenantId);
  expect(await channels(world)).toEqual([]);
  expect(await estateFindings(world.estate, world.control)).toEqual([]);
  return load.slowest().millis;
};

/** Every acknowledged write is there once, as the tenant's host shows it. */
export const expectEveryWrite = async (load: HttpLoad): Promise<number> => {
  const { acked, ...wrong } = await settle(load);
  expect(wrong).toEqual({ lost: [], duplicated: [], unasked: [] });
  return acked;
};
