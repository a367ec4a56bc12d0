import { expect, test } from 'vitest';
import { judgeDomain } from '../../domain/domain-proof.ts';

const good = { texts: ['v=spf1 -all', 'tenantry=t0ken'], addresses: ['93.184.215.14', '2600:1f18::1'] };
const judge = (records: Partial<typeof good>) => judgeDomain('chat.acme.com', 't0ken', { ...good, ...records });

test('a domain whose owner says so and whose addresses are public may be routed', () => {
  expect(judge({})).toEqual({ proved: true });
});

test.each([
  [{ texts: [] }, 'NoRecord', 'create TXT _tenantry.chat.acme.com with the value tenantry=t0ken'],
  [{ texts: ['tenantry=other'] }, 'WrongToken', '"tenantry=other"'],
  [{ texts: ['tenantry=t0ken2'] }, 'WrongToken', '"tenantry=t0ken2"'],
  [{ addresses: [] }, 'NoAddress', 'chat.acme.com has no A or AAAA record'],
  [{ addresses: ['93.184.215.14', '10.0.0.7'] }, 'PrivateAddress', '10.0.0.7 is private'],
])('a domain with %j is refused as %s', (records, why, reason) => {
  expect(judge(records)).toEqual({ proved: false, why, reason: expect.stringContaining(reason) });
});
