import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestRegistry, type TestRegistry } from './database.ts';

let control: TestRegistry;
beforeAll(async () => {
  control = await startTestRegistry(16);
});
afterAll(() => control.stop());

const event = (id: string) => ({
  id,
  source: 'tenantry',
  detailType: 'Noted',
  detail: { id },
  occurredAt: new Date('2026-11-23T05:00:00Z'),
});

describe('the event log', () => {
  test('keeps an event once, however often it is delivered at once', async () => {
    const written = await Promise.all(Array.from({ length: 16 }, () => control.registry.events.record(event('same'))));
    expect(written.filter(Boolean)).toHaveLength(1);
  });

  test('never shows a reader a number behind its cursor, with sixteen writers at once', async () => {
    const { events } = control.registry;
    const total = 400;
    let done = false;
    const writers = Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        for (let n = writer; n < total; n += 12) await events.record(event(`many-${n}`));
      }),
    ).then(() => {
      done = true;
    });
    const seen: string[] = [];
    let after = 0;
    for (;;) {
      const last = done;
      const page = await events.list({ after, limit: 50 });
      seen.push(...page.map(({ id }) => id).filter((id) => id.startsWith('many-')));
      after = page.at(-1)?.sequence ?? after;
      if (last && page.length === 0) break;
    }
    await writers;
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(total);
  });
});

describe('a request', () => {
  test('counts its deliveries and keeps the first operation and detail', async () => {
    const { events } = control.registry;
    const request = {
      eventId: 'e-1',
      detailType: 'TenantSignedUp',
      tenantId: 'acme',
      kind: 'provision-tenant',
      operation: 'provision-acme-1',
      detail: { plan: 'pro' },
    } as const;
    await events.announce(request);
    expect(await events.requestOf('provision-acme-1')).toMatchObject({ deliveries: 0, startedAt: null });
    expect(await events.claim(request)).toMatchObject({ deliveries: 1 });
    expect(await events.claim({ ...request, detail: { plan: 'other' } })).toEqual({
      deliveries: 2,
      operation: 'provision-acme-1',
      detail: { plan: 'pro' },
    });
    await events.started('e-1');
    const first = (await events.requestOf('provision-acme-1'))?.startedAt;
    await events.started('e-1');
    expect((await events.requestOf('provision-acme-1'))?.startedAt).toEqual(first);
  });
});

describe('a request that is delivered many times at once', () => {
  test('counts every delivery and refuses none', async () => {
    const { events } = control.registry;
    for (let n = 0; n < 60; n += 1) {
      const request = {
        eventId: `burst-${n}`,
        detailType: 'TenantSignedUp',
        tenantId: 'acme',
        kind: 'provision-tenant',
        operation: `provision-acme-burst-${n}`,
        detail: { plan: 'pro' },
      } as const;
      const claims = await Promise.all(Array.from({ length: 16 }, () => events.claim(request)));
      expect(claims.map(({ deliveries }) => deliveries).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 16 }, (_, index) => index + 1),
      );
    }
  });
});

describe('the audit', () => {
  const entry = (n: number) => ({ actor: `actor ${n}`, action: 'tenant.create', phase: 'before' as const });

  test('is one unbroken chain with sixteen writers at once', async () => {
    const { audit } = control.registry;
    await Promise.all(Array.from({ length: 100 }, (_, n) => audit.append(entry(n))));
    const rows = await audit.list({ limit: 500 });
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(await audit.firstBroken()).toBeUndefined();
  });

  test.each(['UPDATE audit SET actor = $$x$$', 'DELETE FROM audit', 'TRUNCATE audit'])('refuses %s', async (text) => {
    await expect(control.sql.query(text)).rejects.toMatchObject({ code: '42501' });
  });

  test('shows where a row was changed, and where one is missing', async () => {
    await control.sql.query('ALTER TABLE audit DISABLE TRIGGER audit_is_append_only');
    await control.sql.query(`UPDATE audit SET reason = 'invented' WHERE id = 40`);
    expect(await control.registry.audit.firstBroken()).toBe(40);
    await control.sql.query('UPDATE audit SET reason = NULL WHERE id = 40');
    expect(await control.registry.audit.firstBroken()).toBeUndefined();
    await control.sql.query('DELETE FROM audit WHERE id = 60');
    expect(await control.registry.audit.firstBroken()).toBe(61);
  });
});
