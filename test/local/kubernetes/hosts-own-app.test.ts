import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUpPool } from '../../../adapters/pool/set-up.ts';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import { createIngress } from '../../../local/ingress.ts';
import { kinds } from '../../../local/kubernetes/controllers/kinds.ts';
import { chatMigrations, credentials, openTestPool, type TestPool } from '../../adapters/pool/chat-pool.ts';
import { call, listen, type TestServer } from '../ingress/http.ts';
import {
  appSpec,
  eventually,
  images,
  ingressSpec,
  serviceSpec,
  startTestLaptop,
  type TestCluster,
  type TestLaptop,
} from './test-cluster.ts';

const host = 'acme.localhost';

let laptop: TestLaptop;
let pool: TestPool;
let other: pg.Client;
let ingress: TestServer;

beforeAll(async () => {
  images.set('chat:1', join(import.meta.dirname, '..', '..', '..', 'sample-app', 'main.ts'));
  [laptop, pool] = await Promise.all([startTestLaptop(), openTestPool()]);
  await pool.addTenant('acme', 3);
  await pool.master.query('CREATE DATABASE other');
  const { user, password } = pool.master;
  other = new pg.Client({ host: pool.host, port: pool.port, user, password: password ?? '', database: 'other' });
  await other.connect();
  await setUpPool(other, { credentials, migrations: await chatMigrations() });
  await prepareTenant(other, { tenantId: 'acme', profile: { name: 'acme at its new place' }, fence: 1 });
  ingress = await listen(
    createIngress({
      appPort: () => undefined,
      ownAppPort: (name) => laptop.hosts.port(name),
      token: 'token-of-this-run',
      invokeOperatorApi: () => Promise.resolve({}),
    }),
  );
});

afterAll(async () => {
  await ingress.close();
  await laptop.stop();
  await other.end();
  await pool.stop();
});

/** The tenant's app in a cluster, with everything but its Ingress. */
const deploy = async (cluster: TestCluster, database: string): Promise<void> => {
  await cluster.create(kinds.secrets, 'db', { stringData: { DATABASE_PASSWORD: credentials.app.password } });
  await cluster.create(kinds.configMaps, 'app', {
    data: {
      TENANTRY_TENANT_ID: 'acme',
      TENANTRY_HOSTS: host,
      DATABASE_HOST: pool.host,
      DATABASE_PORT: String(pool.port),
      DATABASE_NAME: database,
      DATABASE_USER: credentials.app.username,
      SAMPLE_APP_OPEN_LOGIN: '1',
    },
  });
  await cluster.create(kinds.services, 'app', serviceSpec);
  const envFrom = [{ configMapRef: { name: 'app' } }, { secretRef: { name: 'db' } }];
  await cluster.create(kinds.deployments, 'app', appSpec({ image: 'chat:1', container: { envFrom } }));
  await cluster.rolledOut();
};

const get = () => call(ingress.port, '/', { headers: { host } });

test('a tenant that moves from the shared cluster to its own is answered all the while, first from the one place, then from the other', async () => {
  const shared = await laptop.open('t-acme', 'shared');
  await deploy(shared, 'pool');
  await shared.create(kinds.ingresses, 'app', ingressSpec(host));
  await eventually(() => expect(laptop.hosts.port(host)).toBeDefined());
  expect(await get()).toMatchObject({ status: 200, body: expect.stringContaining('message 3 of acme') });

  const own = await laptop.open('t-acme', 'tenantry-acme');
  await deploy(own, 'other');
  expect((await get()).body).toContain('message 3 of acme');

  let moving = true;
  const answers: { status: number; body: string }[] = [];
  const asking = (async () => {
    while (moving) answers.push(await get());
  })();
  await eventually(() => expect(answers.length).toBeGreaterThan(5));
  await pool.master.query("UPDATE tenantry.tenants SET state = 'moved', epoch = epoch + 1 WHERE tenant_id = 'acme'");
  // Some requests meet the old place after the tenant has left it: they are repeated, not answered.
  const before = answers.length;
  await new Promise((done) => setTimeout(done, 100));
  expect(answers.length - before).toBeLessThanOrEqual(1);
  await own.create(kinds.ingresses, 'app', ingressSpec(host));
  await eventually(() => expect(answers.at(-1)!.body).toContain('acme at its new place'));
  await shared.remove(kinds.ingresses, 'app');
  await shared.remove(kinds.deployments, 'app');
  await eventually(async () => expect(await shared.pods()).toEqual([]));
  moving = false;
  await asking;
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const places = answers.map(({ body }) => (body.includes('acme at its new place') ? 'new' : 'old'));
  expect(places.lastIndexOf('old')).toBeLessThan(places.indexOf('new'));

  const [pod] = await own.pods();
  process.kill(laptop.runtime.pids(pod!.metadata.uid)[0]!, 'SIGKILL');
  await eventually(async () => expect((await own.pods())[0]!.status?.containerStatuses?.[0]?.restartCount).toBe(1));
  await eventually(async () => expect((await get()).status).toBe(200));
});
