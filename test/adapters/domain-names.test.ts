import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openDomainNames } from '../../adapters/domain-names.ts';
import { readZone, writeZone } from '../../local/dns/zone.ts';
import { type Dns, startDns } from '../../local/dns.ts';

let dns: Dns;
let directory: string;
let file: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tenantry-dns-'));
  file = join(directory, 'dns.json');
  dns = await startDns(file);
});
afterAll(async () => {
  await dns.close();
  await rm(directory, { recursive: true });
});

const look = (domain: string) => openDomainNames(dns.address).look(domain);

describe('DNS, asked for a customer’s domain', () => {
  test('has none of a name that is not there, whether there is a zone or not', async () => {
    expect(await look('chat.acme.example')).toEqual({ texts: [], addresses: [] });
    writeZone(file, { 'other.example': { A: ['93.184.216.34'] } });
    expect(await look('chat.acme.example')).toEqual({ texts: [], addresses: [] });
  });

  test('has its texts and its addresses of both families, in any case of letters', async () => {
    writeZone(file, {
      '_tenantry.chat.acme.example': { TXT: ['v=spf1 -all', 'tenantry=1'] },
      'chat.acme.example': { A: ['93.184.216.34', '93.184.216.35'], AAAA: ['2606:2800:220:1::1'] },
    });
    expect(await look('Chat.acme.example')).toEqual({
      texts: ['v=spf1 -all', 'tenantry=1'],
      addresses: ['93.184.216.34', '93.184.216.35', '2606:2800:220:1::1'],
    });
  });

  test('follows aliases, and ends at one that leads to itself', async () => {
    writeZone(file, {
      'chat.acme.example': { CNAME: ['ingress.saas.example'] },
      '_tenantry.chat.acme.example': { CNAME: ['proof.acme.example'] },
      'proof.acme.example': { TXT: ['tenantry=2'] },
      'ingress.saas.example': { A: ['93.184.216.34'] },
      'ring.example': { CNAME: ['ring.example'] },
    });
    expect(await look('chat.acme.example')).toEqual({ texts: ['tenantry=2'], addresses: ['93.184.216.34'] });
    expect(await look('ring.example')).toEqual({ texts: [], addresses: [] });
  });

  test('that fails, or is not there, says nothing about the domain', async () => {
    writeFileSync(file, '{"chat.acme.example": {"A": ["nowhere"]}}');
    expect(await look('chat.acme.example')).toEqual({ failure: 'ESERVFAIL' });
    const silent = createSocket('udp4').bind(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    expect(await openDomainNames(`127.0.0.1:${silent.address().port}`).look('chat.acme.example')).toEqual({
      failure: 'ETIMEOUT',
    });
  }, 30_000);

  test('is never given a record without sense, and keeps what it had', () => {
    writeZone(file, { 'chat.acme.example': { A: ['93.184.216.34'] } });
    expect(() => writeZone(file, { 'chat.acme.example': { A: ['chat'] } })).toThrow(/not a record of DNS.*IPv4/s);
    expect(readZone(file)).toEqual({ 'chat.acme.example': { A: ['93.184.216.34'] } });
  });
});
