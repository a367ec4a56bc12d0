import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp } from '../../local/apps.ts';
import { openCredentialStore } from '../../local/gateway/credentials.ts';
import { type Gateway, startGateway } from '../../local/gateway/gateway.ts';
import { createIngress } from '../../local/ingress.ts';
import { createSecretsService } from '../../local/services/secrets.ts';
import { openTestTenancy, type TestTenancy } from '../app-kit/test-tenancy.ts';
import { call } from '../local/ingress/http.ts';

const region = 'eu-central-1';
const accountId = '000000000000';
const root = { accessKeyId: 'AKIATESTTESTTESTTEST', secretAccessKey: 'test-secret-access-key' };
const entry = join(import.meta.dirname, '..', '..', 'sample-app', 'main.ts');

let world: TestTenancy;
let directory: string;
let gateway: Gateway;
let app: Awaited<ReturnType<typeof startApp>>;

beforeAll(async () => {
  world = await openTestTenancy();
  await world.addTenant('acme', 3);
  directory = await mkdtemp(join(tmpdir(), 'tenantry-chat-'));
  gateway = await startGateway({
    services: [createSecretsService({ directory, region, accountId })],
    credentials: openCredentialStore({ file: join(directory, 'credentials.json'), accountId, ...root }),
    region,
    accountId,
    fallback: createIngress({ appPort: () => app.port(), token: 'none', invokeOperatorApi: () => Promise.resolve({}) }),
  });
  const secrets = new SecretsManagerClient({ endpoint: gateway.endpoint, region, credentials: root });
  for (const [Name, login] of world.secrets)
    await secrets.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify(login) }));
  secrets.destroy();
  app = await startApp({
    entry,
    log: () => undefined,
    env: {
      AWS_ENDPOINT_URL: gateway.endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: root.accessKeyId,
      AWS_SECRET_ACCESS_KEY: root.secretAccessKey,
      REGISTRY_HOST: world.registry.host,
      REGISTRY_PORT: String(world.registry.port),
      REGISTRY_DATABASE: world.registry.database,
      REGISTRY_SECRET_ID: world.registry.secretId,
      SAMPLE_APP_OPEN_LOGIN: '1',
    },
  });
});

afterAll(async () => {
  await app.stop();
  await gateway.close();
  await world.stop();
  await rm(directory, { recursive: true, force: true });
});

test("a browser at acme.localhost sees acme's chat, through ingress, process, secrets, router and pool", async () => {
  const page = await call(gateway.port, '/', { headers: { host: `acme.localhost:${gateway.port}` } });
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('message 3 of acme') });
  const byPath = await call(gateway.port, '/t/acme/', { headers: { host: `127.0.0.1:${gateway.port}` } });
  expect(byPath.body).toBe(page.body);
  expect((await call(gateway.port, '/', { headers: { host: 'nobody.localhost' } })).status).toBe(404);
});

test('signs in, posts and reads back over HTTP', async () => {
  const host = 'acme.localhost';
  const door = await call(gateway.port, '/login?email=owner@acme.example', {
    headers: { host, accept: 'application/json' },
  });
  const headers = {
    host,
    authorization: `Bearer ${(JSON.parse(door.body) as { token: string }).token}`,
    'content-type': 'application/json',
  };
  const { items } = JSON.parse((await call(gateway.port, '/api/streams', { headers })).body) as {
    items: { id: string }[];
  };
  const path = `/api/streams/${items[0]!.id}/messages`;
  expect((await call(gateway.port, path, { method: 'POST', headers, body: '{"body":"hello over HTTP"}' })).status).toBe(
    201,
  );
  expect((await call(gateway.port, `${path}?limit=1`, { headers })).body).toContain('hello over HTTP');
});

test('a killed app comes back and serves again', async () => {
  const dead = app.pid()!;
  process.kill(dead, 'SIGKILL');
  const headers = { host: 'acme.localhost' };
  // A request that was under way when the app died is cut off; the next one is told 502.
  const health = () => call(gateway.port, '/healthz', { headers }).catch(() => ({ status: 0 }));
  for (let { status } = { status: 200 }; status !== 502 || app.pid() === dead; ) ({ status } = await health());
  await app.listening();
  expect(await call(gateway.port, '/', { headers })).toMatchObject({ status: 200 });
});

test('a wrong environment is told by name', async () => {
  await expect(
    startApp({ entry, env: { REGISTRY_HOST: '127.0.0.1', REGISTRY_PORT: 'five' }, log: () => undefined }),
  ).rejects.toThrow(/environment is incomplete: REGISTRY_PORT: .*; REGISTRY_DATABASE: .*; REGISTRY_SECRET_ID: /);
});
