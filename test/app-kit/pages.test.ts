import { expect, test } from 'vitest';
import { TenancyFailure } from '../../app-kit/failure.ts';
import { failurePage, unknownHostPage } from '../../app-kit/pages.ts';

test('an unknown host is answered with 404 and without the markup that it carries', () => {
  const page = unknownHostPage('<script>alert(1)</script>.localhost');
  expect(page.status).toBe(404);
  expect(page.body).not.toContain('<script>');
  expect(page.headers['Content-Security-Policy']).toContain("default-src 'none'");
});

test('a suspended and an unreachable tenant are told when to come again, without naming servers', () => {
  const suspended = failurePage(new TenancyFailure('TenantSuspended', 'x', { retryAfter: 60 }));
  expect(suspended).toMatchObject({ status: 503, headers: { 'Retry-After': '60' } });
  const down = failurePage(new TenancyFailure('TenantUnavailable', 'ECONNREFUSED 10.0.3.7:5432', { retryAfter: 1 }));
  expect(down).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } });
  expect(down.body).not.toContain('10.0.3.7');
});

test('a change of unknown outcome is not asked to be repeated by itself', () => {
  const page = failurePage(new TenancyFailure('OutcomeUnknown', 'x'));
  expect(page.status).toBe(503);
  expect(page.headers).not.toHaveProperty('Retry-After');
});
