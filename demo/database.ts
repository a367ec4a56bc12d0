import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import type { CloudFile } from '../cli/connection.ts';
import { chatTables } from '../sample-app/load.ts';

/** The hosted app's own login to the pool: bound by row-level security like every request of the app. */
export const connectAsApp = async (cloud: CloudFile): Promise<pg.Client> => {
  const secrets = new SecretsManagerClient({
    endpoint: cloud.endpoint,
    region: cloud.region,
    credentials: { accessKeyId: cloud.accessKeyId, secretAccessKey: cloud.secretAccessKey },
  });
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: 'tenantry/local-1/app' }));
  secrets.destroy();
  const { username, password } = JSON.parse(SecretString!) as { username: string; password: string };
  const client = new pg.Client({ ...cloud.postgres, database: 'pool', user: username, password });
  await client.connect();
  return client;
};

/** Runs work in one transaction of one tenant, as docs/app-contract.md asks of an app. */
export const asTenant = async <T>(client: pg.Client, tenantId: string, work: () => Promise<T>): Promise<T> => {
  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, true)", [tenantId]);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
};

export type Digests = Readonly<Record<(typeof chatTables)[number], { readonly rows: number; readonly md5: string }>>;

/**
 * md5 over all rows of each table as the tenant sees them, ordered by their text. Written apart from the product's own
 * digest on purpose: a mistake in that one must not hide here.
 */
export const digestsOf = (client: pg.Client, tenantId: string): Promise<Digests> =>
  asTenant(client, tenantId, async () => {
    const found: [string, { rows: number; md5: string }][] = [];
    for (const table of chatTables) {
      const { rows } = await client.query<{ rows: number; md5: string }>(
        `SELECT count(*)::int AS rows, md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), '')) AS md5 FROM ${client.escapeIdentifier(table)} t`,
      );
      found.push([table, rows[0]!]);
    }
    return Object.fromEntries(found) as Digests;
  });

/** Tables whose rows differ between two digests. */
export const differing = (before: Digests, after: Digests): string[] =>
  chatTables.filter((table) => before[table].md5 !== after[table].md5 || before[table].rows !== after[table].rows);
