import { request } from 'node:http';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { terminal } from '../cli/terminal.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { type Estate, openEstate } from '../estate.ts';

const domain = 'chat.acme.example';

let laptop: TestCloud;
let estate: Estate;
let cli: ReturnType<typeof terminal>;
let checks = 0;
beforeAll(async () => {
  laptop = await startTestCloud({ log: () => undefined });
  estate = openEstate(laptop);
  cli = terminal(laptop.home);
});
afterAll(async () => {
  estate?.close();
  await laptop?.close();
});

const statusAt = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: laptop.cloud.port, path: '/', headers: { host } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!));
    })
      .on('error', reject)
      .end();
  });

/** What the schedule does every minute. */
const look = async (): Promise<void> => {
  const { endpoint, region, credentials } = laptop.cloud;
  const lambda = new LambdaClient({ endpoint, region, credentials });
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName('VerifyDomains'), Payload: '{}' }),
  );
  lambda.destroy();
  expect(FunctionError, Buffer.from(Payload ?? []).toString()).toBeUndefined();
};

/** `domain check`, and the look that it waits for. */
const check = async () => {
  const asked = `SELECT FROM audit WHERE action = 'domain.check' AND phase = 'after' OFFSET ${checks}`;
  checks += 1;
  const checking = cli.begin('domain', 'check', 'acme');
  await laptop.eventually(asked);
  await look();
  return checking.ended;
};

const hosts = async (): Promise<string[]> => {
  const [place] = await laptop.eventually<{ cluster: string; namespace: string }>(
    `SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = 'acme' AND active`,
  );
  const cluster = await estate.cluster(place!.cluster);
  const ingress = await cluster.get({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    namespace: place!.namespace,
    name: 'app',
  });
  return (ingress!.spec as { rules: { host: string }[] }).rules.map(({ host }) => host);
};

const events = (type: string) =>
  laptop.eventually<{ detail: { record: { name: string; value: string } } }>(
    `SELECT detail FROM events WHERE detail_type = $1 AND detail ->> 'tenantId' = 'acme'`,
    [type],
  );

describe('a tenant with an app and a domain of its own', () => {
  test('is not reached at the domain before its owner has proved it, and is told what to do', async () => {
    const created = await cli.run('tenant', 'create', 'acme', '--plan', 'pro', '--custom-domain', domain);
    expect(created).toMatchObject({ code: 0 });
    expect(created.stderr).toContain(`${domain}, not routed before its owner creates TXT _tenantry.${domain}`);
    expect(await hosts()).toEqual(['acme.localhost']);
    expect(await statusAt('acme.localhost')).toBe(200);
    expect(await statusAt(domain)).toBe(503);
    await look();
    const [refused] = await events('TenantDomainRefused');
    expect(refused!.detail.record.name).toBe(`_tenantry.${domain}`);
    expect(created.stderr).toContain(refused!.detail.record.value);
  });

  test('is reached at it as soon as it is proved and leads to a public address', async () => {
    const { record } = await cli.json<{ record: { name: string; value: string } }>(['domain', 'get', 'acme']);
    await cli.run('dns', 'set', record.name, 'TXT', record.value);
    await cli.run('dns', 'set', domain, 'A', '169.254.169.254');
    const refused = await check();
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('not routed yet') });
    expect(refused.stderr).toContain('169.254.169.254 is link-local, where clouds keep their metadata');
    expect(await hosts()).toEqual(['acme.localhost']);
    expect(await cli.run('dns', 'set', domain, 'A', 'chat')).toMatchObject({ code: 2 });
    await cli.run('dns', 'set', domain, 'A', '93.184.216.34');
    expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining('verified') });
    await events('TenantDomainVerified');
    expect(await hosts()).toEqual(['acme.localhost', domain]);
    await expect.poll(() => statusAt(domain)).toBe(200);
  });

  test('keeps it when it moves to another tier, and loses it when it gives it up', async () => {
    const moved = await laptop.run('migrate-tenant', { tenantId: 'acme', tier: 'shared', windowSeconds: 0 });
    expect(moved, moved.cause).toMatchObject({ status: 'SUCCEEDED' });
    await expect.poll(() => statusAt(domain)).toBe(200);
    const changed = await cli.run('tenant', 'change-plan', 'acme', '--plan', 'pro', '--no-custom-domain');
    expect(changed).toMatchObject({ code: 0 });
    await expect.poll(() => statusAt(domain)).toBe(404);
    expect(await cli.run('domain', 'get', 'acme')).toMatchObject({ code: 4 });
  });
});
