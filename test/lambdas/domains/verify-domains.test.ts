import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDomainNames } from '../../../adapters/domain-names.ts';
import { openWorld, type World } from '../../../adapters/world.ts';
import { proofName, proofText } from '../../../domain/domain-proof.ts';
import { results } from '../../../domain/results.ts';
import { verifyDomains } from '../../../lambdas/domains/verify-domains.ts';
import { handler as activateTenant } from '../../../lambdas/provision/activate-tenant.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { writeZone, type Zone } from '../../../local/dns/zone.ts';
import { type Dns, startDns } from '../../../local/dns.ts';
import { startTestRegistry, type TestRegistry } from '../../adapters/registry/database.ts';

let control: TestRegistry;
let directory: string;
let dns: Dns;
let world: World;
let number = 0;
let tenantId = '';
let domain = '';
/** What the bus was told, and whether it takes anything. */
let told: { type: string; detail: Record<string, unknown> }[] = [];
let busDown = false;

beforeAll(async () => {
  control = await startTestRegistry();
  await control.addCell('eu-1', 1_000);
  directory = await mkdtemp(join(tmpdir(), 'tenantry-domains-'));
  dns = await startDns(join(directory, 'dns.json'));
  const announce = async (type: string, detail: object): Promise<string> => {
    if (busDown) throw new Error('the bus is down');
    told.push({ type, detail: results[type as 'TenantDomainVerified'].parse(detail) });
    return 'id';
  };
  // The other members throw when they are touched, for want of environment.
  world = Object.create(openWorld({}), {
    registry: { value: control.registry },
    domainNames: { value: openDomainNames(dns.address) },
    bus: { value: { announce } },
  }) as World;
});
afterAll(async () => {
  await dns.close();
  await control.stop();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  number += 1;
  tenantId = `tenant${number}`;
  domain = `chat.${tenantId}.example`;
  [told, busDown] = [[], false];
  await control.sql.query('DELETE FROM domains');
  zone({});
  const signup = { operation: `provision-${tenantId}`, tenantId };
  await claimTenant.run({ ...signup, execution: 'arn', plan: 'pro', customDomain: domain }, world);
  await placeTenant.run({ ...signup, tier: 'shared' }, world);
  await activateTenant.run(signup, world);
});

const zone = (records: Zone): void => writeZone(join(directory, 'dns.json'), records);
const known = async () => (await control.registry.domains.of(tenantId))!;
const look = async () => {
  await control.registry.domains.hasten(tenantId);
  return verifyDomains(world);
};
const state = async () => (await control.registry.routes.of(tenantId)).find(({ host }) => host === domain)!.state;
const proof = async (): Promise<Zone> => ({ [proofName(domain)]: { TXT: [proofText((await known()).token)] } });

describe('a tenant with a domain that nobody has proved', () => {
  test('is not reached there, and the bus hears once which record to create', async () => {
    expect(await look()).toEqual({ looked: 1, proved: [], refused: [domain] });
    await look();
    const record = { type: 'TXT', name: `_tenantry.${domain}`, value: proofText((await known()).token) };
    expect(told).toEqual([
      {
        type: 'TenantDomainRefused',
        detail: { tenantId, domain, refusal: 'NoRecord', reason: expect.stringContaining(record.value), record },
      },
    ]);
    expect(await state()).toBe('off');
    expect(await known()).toMatchObject({ refusal: 'NoRecord', checkedAt: expect.any(Date), provedAt: null });
  });

  test.each([
    ['somebody else’s token', { TXT: ['tenantry=00000000000000000000000000000000'] }, {}, 'WrongToken'],
    ['no address', undefined, {}, 'NoAddress'],
    ['the metadata address of clouds', undefined, { A: ['93.184.216.34', '169.254.169.254'] }, 'PrivateAddress'],
    ['an address of a private network', undefined, { AAAA: ['fd00:ec2::254'] }, 'PrivateAddress'],
  ] as const)('is not reached there with %s', async (_what, text, addresses, refusal) => {
    zone({
      ...(text ? { [proofName(domain)]: { TXT: [...text.TXT] } } : await proof()),
      [domain]: Object.fromEntries(Object.entries(addresses).map(([type, values]) => [type, [...values]])),
    });
    await look();
    expect(told.map(({ detail }) => detail.refusal)).toEqual([refusal]);
    expect(await state()).toBe('off');
  });
});

describe('a tenant whose domain is proved', () => {
  const prove = async (): Promise<void> => zone({ ...(await proof()), [domain]: { A: ['93.184.216.34'] } });

  test('is reached there, the bus hears it once, and nobody looks again', async () => {
    await look();
    await prove();
    expect(await look()).toEqual({ looked: 1, proved: [domain], refused: [] });
    expect(await state()).toBe('on');
    expect(told.map(({ type }) => type)).toEqual(['TenantDomainRefused', 'TenantDomainVerified']);
    expect(told[1]!.detail).toEqual({ tenantId, domain });
    expect(await look()).toEqual({ looked: 0, proved: [], refused: [] });
  });

  test('is announced by the next run when the bus was down, without another question to DNS', async () => {
    await prove();
    busDown = true;
    await expect(look()).rejects.toThrow('1 domains could not be verified: Error: the bus is down');
    expect(await state()).toBe('on');
    expect(await known()).toMatchObject({ provedAt: expect.any(Date), announcedAt: null });
    busDown = false;
    zone({});
    expect(await look()).toMatchObject({ proved: [domain] });
    expect(told.map(({ type }) => type)).toEqual(['TenantDomainVerified']);
  });

  test('does not wait for another whose news could not be told', async () => {
    await prove();
    const broken = { ...(await known()), tenantId: 'nobody', domain: 'chat.broken.example' };
    const due = { takeDue: async () => [broken, await known()] };
    const registry = { ...control.registry, domains: { ...control.registry.domains, ...due } };
    const refusing = {
      announce: async (_type: string, detail: { tenantId: string }) => {
        if (detail.tenantId === 'nobody') throw new Error('refused');
        return 'id';
      },
    };
    const other = Object.create(world, { registry: { value: registry }, bus: { value: refusing } }) as World;
    await expect(verifyDomains(other)).rejects.toThrow('1 domains could not be verified');
    expect(await state()).toBe('on');
  });
});
