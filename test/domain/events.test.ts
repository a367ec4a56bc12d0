import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventSchemas, laterRequests, readRequest, requests } from '../../domain/events.ts';
import { operationName } from '../../domain/operation.ts';
import { results } from '../../domain/results.ts';

const event = (detailType: string, detail: unknown) => ({ id: 'bus-1', 'detail-type': detailType, detail });

describe('a request', () => {
  test.each([
    ['TenantSignedUp', 'provision-tenant', { tenantId: 'acme', plan: 'pro', adminEmail: 'ada@acme.example' }],
    ['TenantBackupRequested', 'back-up-tenant', { tenantId: 'acme', reason: 'before the move' }],
    [
      'TenantRestoreRequested',
      'restore-tenant',
      { tenantId: 'acme', asOf: '2026-11-21T10:00:00Z', tables: ['messages'] },
    ],
    ['TenantOffboarded', 'deprovision-tenant', { tenantId: 'acme', graceSeconds: 0 }],
  ])('%s starts %s with its detail as the input', (detailType, workflow, detail) => {
    expect(readRequest(event(detailType, { ...detail, eventId: 'e-1' }))).toEqual({
      accepted: expect.objectContaining({ detailType, workflow, eventId: 'e-1', tenantId: 'acme', input: detail }),
    });
  });

  test('without an event id takes that of the bus', () => {
    expect(readRequest(event('TenantOffboarded', { tenantId: 'acme' }))).toMatchObject({
      accepted: { eventId: 'bus-1' },
    });
  });

  test('drops what no workflow reads: the input of a repeat must be the same to the byte', () => {
    const read = readRequest(event('TenantOffboarded', { tenantId: 'acme', sentAt: '10:00' }));
    expect(read).toMatchObject({ accepted: { input: { tenantId: 'acme' } } });
    expect(read).not.toHaveProperty('accepted.input.sentAt');
  });

  test.each([...laterRequests])('%s is known and refused as not supported yet', (detailType) => {
    expect(readRequest(event(detailType, { tenantId: 'acme' }))).toEqual({
      detailType,
      refused: `detail-type ${detailType} is not supported yet by this release`,
    });
  });

  test.each([
    ['a field of the wrong kind', 'TenantOffboarded', { tenantId: 'acme', graceSeconds: -1 }, /detail\.graceSeconds/],
    [
      'keys and where at once',
      'TenantRestoreRequested',
      { tenantId: 'a1', rows: { table: 't', keys: [1], where: 'x' } },
      /either keys or where/,
    ],
    ['no detail', 'TenantSignedUp', null, /detail/],
    [
      '200,001 bytes',
      'TenantRestoreRequested',
      { tenantId: 'acme', rows: { table: 't', where: 'x'.repeat(200_001) } },
      /at most 200000 fit/,
    ],
  ])('with %s is refused and the reason names it', (_what, detailType, detail, reason) => {
    expect(readRequest(event(detailType, detail))).toMatchObject({
      refused: expect.stringMatching(reason),
      detailType,
    });
  });

  test('of any shape is judged and never throws', () => {
    const types = fc.constantFrom(...Object.keys(requests), '__proto__', 'toString', 'Nothing');
    const shapes = fc.oneof(fc.anything(), fc.record({ id: fc.string(), 'detail-type': types, detail: fc.anything() }));
    fc.assert(
      fc.property(shapes, (shape) => {
        const read = readRequest(shape);
        return 'accepted' in read || read.refused.length > 0;
      }),
      { numRuns: 5_000 },
    );
  });
});

test('every event has a JSON Schema, and that of a signup carries the grammar of ids', () => {
  const schemas = eventSchemas();
  expect(Object.keys(schemas).toSorted()).toEqual([...Object.keys(requests), ...Object.keys(results)].toSorted());
  expect(schemas.TenantSignedUp).toMatchObject({
    required: ['tenantId'],
    properties: { tenantId: { type: 'string', pattern: expect.stringContaining('[a-z]') } },
  });
});

describe('the name of an operation', () => {
  test('is decided by verb, tenant and event id, and another event gives another name', async () => {
    expect(await operationName('provision', 'acme', 'e-1')).toBe(await operationName('provision', 'acme', 'e-1'));
    expect(await operationName('provision', 'acme', 'e-1')).not.toBe(await operationName('provision', 'acme', 'e-2'));
    // printf e-1 | sha256sum
    expect(await operationName('provision', 'acme', 'e-1')).toBe('provision-acme-b94f523196aa');
  });

  test('is a name that Step Functions takes, whatever the tenant and the event id are', async () => {
    const verbs = fc.constantFrom('provision', 'deprovision', 'back-up', 'restore', 'discard');
    await fc.assert(
      fc.asyncProperty(
        verbs,
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.string(),
        async (verb, tenant, id) => {
          expect(await operationName(verb, tenant, id)).toMatch(/^[A-Za-z0-9_-]{1,80}$/);
        },
      ),
    );
  });
});
