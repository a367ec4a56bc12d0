import { describe, expect, test } from 'vitest';
import { createGate } from '../../app-kit/access.ts';

const secret = 'a secret of more than thirty-two characters';
let now = Date.parse('2026-11-20T12:00:00Z');
const gate = createGate(secret, () => now);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('a session', () => {
  const token = gate.issue({ tenantId: 'acme', userId: '7' }, 60);

  test('lets its user in at its own tenant, by header or by cookie', () => {
    const session = { session: { tenantId: 'acme', userId: '7' } };
    expect(gate.check(bearer(token), 'acme')).toEqual(session);
    expect(gate.check({ cookie: `theme=dark; session=${token}` }, 'acme')).toEqual(session);
  });

  test('is refused at another tenant, although it is valid', () => {
    expect(gate.check(bearer(token), 'globex')).toMatchObject({ refused: 403 });
    expect(gate.check({ cookie: `session=${token}` }, 'globex')).toMatchObject({ refused: 403 });
  });

  test('ends in time', () => {
    now += 59_999;
    expect(gate.check(bearer(token), 'acme')).toHaveProperty('session');
    now += 1;
    expect(gate.check(bearer(token), 'acme')).toMatchObject({ refused: 401 });
    now -= 60_000;
  });

  test('cannot be rewritten for another tenant, another user or a later end', () => {
    const signature = token.split('.')[1];
    for (const claims of [
      { t: 'globex', u: '7', e: now + 60_000 },
      { t: 'acme', u: '1', e: now + 60_000 },
      { t: 'acme', u: '7', e: now + 9e9 },
    ]) {
      const forged = `${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
      expect(gate.check(bearer(forged), claims.t)).toMatchObject({ refused: 401 });
    }
  });

  test('of another secret, cut short, doubled or empty is nobody', () => {
    const foreign = createGate('another secret of more than thirty-two characters').issue({
      tenantId: 'acme',
      userId: '7',
    });
    for (const bad of [foreign, token.slice(0, -1), `${token}.${token}`, token.split('.')[0]!, '.', 'x'])
      expect(gate.check(bearer(bad), 'acme')).toMatchObject({ refused: 401 });
    expect(gate.check({}, 'acme')).toMatchObject({ refused: 401 });
  });

  test('in a cookie does not stand in for a wrong Authorization header', () => {
    expect(gate.check({ authorization: 'Basic eDp5', cookie: `session=${token}` }, 'acme')).toMatchObject({
      refused: 401,
    });
  });

  test('cookie stays on its host, away from scripts and other sites', () => {
    expect(gate.cookie('t', { secure: true, seconds: 5 })).toBe(
      'session=t; Path=/; Max-Age=5; HttpOnly; SameSite=Lax; Secure',
    );
    expect(gate.cookie('t', { secure: false })).not.toContain('Domain');
  });
});

test('a short secret is refused with its length', () => {
  expect(() => createGate('short')).toThrow('has 5 characters; use at least 32');
});
