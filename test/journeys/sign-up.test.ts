import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionName } from '../../domain/deployment.ts';
import { writeZone, zoneFile } from '../../local/dns/zone.ts';
import { startTestCloud, type TestCloud, until } from '../cloud.ts';

let laptop: TestCloud;

beforeAll(async () => {
  laptop = await startTestCloud();
});
afterAll(() => laptop.close());

const get = (host: string, path: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: laptop.cloud.port, path, headers: { host } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, text }));
    })
      .on('error', reject)
      .end();
  });

const active = (tenantId: string): Promise<unknown> =>
  laptop.eventually("SELECT 1 FROM tenants WHERE id = $1 AND status = 'active'", [tenantId]);

describe('a signup', () => {
  test('one event on the bus makes a tenant that answers at its own name', async () => {
    await laptop.publish('TenantSignedUp', { tenantId: 'acme', plan: 'starter', name: 'Acme <Inc>' });
    await active('acme');
    const page = await get(`acme.localhost:${laptop.cloud.port}`, '/');
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/Acme (&lt;|&#60;)Inc/);
    expect((await get(`nobody.localhost:${laptop.cloud.port}`, '/')).status).toBe(404);
  });

  test('a tenant with a domain of its own answers there only when its owner has proved it', async () => {
    await laptop.publish('TenantSignedUp', {
      tenantId: 'globex',
      plan: 'pro',
      tier: 'shared',
      customDomain: 'chat.globex.example',
    });
    await active('globex');
    expect((await get('chat.globex.example', '/')).status).toBe(503);
    const { body } = await laptop.api<{ record: { name: string; value: string } }>('GET', '/tenants/globex/domain');
    writeZone(zoneFile(laptop.home), {
      [body.record.name]: { TXT: [body.record.value] },
      'chat.globex.example': { A: ['93.184.216.34'] },
    });
    await laptop.api('POST', '/tenants/globex/domain/check');
    const { endpoint, region, credentials } = laptop.cloud;
    const lambda = new LambdaClient({ endpoint, region, credentials });
    await lambda.send(new InvokeCommand({ FunctionName: functionName('VerifyDomains') }));
    lambda.destroy();
    await expect.poll(async () => (await get('chat.globex.example', '/')).status).toBe(200);
  });

  test('its result goes over the bus with tenant, operation and outcome', async () => {
    await laptop.publish('TenantSignedUp', { tenantId: 'initech', plan: 'starter' });
    const [event] = await laptop.eventually<{ detail: Record<string, unknown> }>(
      "SELECT detail FROM events WHERE detail_type = 'TenantProvisioned' AND detail ->> 'tenantId' = 'initech'",
    );
    expect(event!.detail).toMatchObject({ outcome: 'succeeded', tier: 'shared', isolation: 'pooled' });
    const [operation] = await laptop.eventually<{ status: string }>('SELECT status FROM operations WHERE id = $1', [
      event!.detail.operation,
    ]);
    expect(operation!.status).toBe('succeeded');
  });

  test('the same event twice starts one execution', async () => {
    const eventId = randomUUID();
    await laptop.publish('TenantSignedUp', { tenantId: 'umbrella', plan: 'starter', eventId });
    await laptop.publish('TenantSignedUp', { tenantId: 'umbrella', plan: 'starter', eventId });
    await active('umbrella');
    await laptop.publish('TenantSignedUp', { tenantId: 'umbrella', plan: 'starter', eventId });
    await laptop.publish('TenantSignedUp', { tenantId: 'after-umbrella', plan: 'starter' });
    await active('after-umbrella');
    const rows = await laptop.eventually("SELECT id FROM operations WHERE tenant_id = 'umbrella'");
    expect(rows).toHaveLength(1);
  });

  test('of two signups for one name at once one wins, and the loser leaves nothing', async () => {
    const executions = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        laptop.start('provision-tenant', { tenantId: 'stark', plan: 'starter' }, `stark-${index}`),
      ),
    );
    const ends = await Promise.all(executions.map(laptop.ended));
    expect(ends.filter(({ status }) => status === 'SUCCEEDED')).toHaveLength(1);
    for (const loser of ends.filter(({ status }) => status !== 'SUCCEEDED')) {
      expect(loser).toMatchObject({ status: 'FAILED', error: 'ProvisioningFailed' });
      expect(loser.cause).toContain('ClaimTenant');
    }
    const failures = await laptop.eventually<{ reason: string; failed_step: string }>(
      "SELECT reason, failed_step FROM operations WHERE tenant_id = 'stark' AND status = 'failed'",
    );
    expect(failures).toHaveLength(5);
    for (const { reason, failed_step } of failures) {
      expect(failed_step).toBe('ClaimTenant');
      expect(reason).toContain('stark');
    }
    expect(await laptop.eventually("SELECT status FROM tenants WHERE id = 'stark'")).toEqual([{ status: 'active' }]);
    const pool = await laptop.admin('pool');
    expect(
      (await pool.query("SELECT count(*)::int AS n FROM tenantry.tenants WHERE tenant_id = 'stark'")).rows,
    ).toEqual([{ n: 1 }]);
  });

  test('a bad event is refused with its reason, and replayed when somebody asks', async () => {
    await laptop.publish('TenantSignedUp', { tenantId: 'Not A Name!', plan: 'starter' });
    const letter = await until('the dead letter', async () => {
      const { body } = await laptop.api<{ items: { messageId: string; reason: string; detailType: string }[] }>(
        'GET',
        '/dead-letters',
      );
      return body.items.find(({ reason }) => reason.includes('tenantId'));
    });
    expect(letter).toMatchObject({ detailType: 'TenantSignedUp' });
    const { body } = await laptop.api<{ replayed: number; refused: { reason: string }[] }>(
      'POST',
      '/dead-letters/replay',
      {},
    );
    expect(body.replayed).toBe(0);
    expect(body.refused[0]!.reason).toContain('tenantId');
  });
});
