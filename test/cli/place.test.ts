import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { terminal } from './terminal.ts';

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;
beforeAll(async () => {
  laptop = await startTestCloud({ log: () => undefined });
  tenantry = terminal(laptop.home);
});
afterAll(() => laptop.close());

test('place says which rule decides, and with --explain what else there is, what it costs and how much is left', async () => {
  const [short, long, forbidden] = await Promise.all([
    tenantry.run('place', '--plan', 'pro', '--custom-domain', 'chat.acme.example'),
    tenantry.run('place', '--plan', 'enterprise', '--users', '5000', '--explain'),
    tenantry.run('place', '--plan', 'starter', '--isolation', 'server'),
  ]);
  expect(short).toMatchObject({ code: 0 });
  expect(short.stdout).toMatch(/^place +namespace tier, pooled\nrule +custom domain: domain chat\.acme\.example$/m);
  expect(long.stdout).toMatch(/^rule +large enterprise: plan enterprise, 5,000 users \(more than 1,000\)$/m);
  expect(long.stdout).toMatch(/^> +cluster +database +\d+\.\d\d /m);
  expect(long.stdout).toMatch(/^local-1 +servers .* 40 RDS DB instances per region \(L-7B6409FD\)/m);
  expect(forbidden).toMatchObject({ code: 5 });
  expect(forbidden.stderr).toContain('plan starter does not allow isolation server; it allows pooled');
  expect(await tenantry.json(['place', '--compliance', 'hipaa', '--compliance', 'pci'])).toMatchObject({
    tier: 'namespace',
    why: 'compliance hipaa, pci',
  });
});

test('change-plan gives a tenant its new plan and lists what was decided', async () => {
  expect(await tenantry.run('tenant', 'create', 'acme')).toMatchObject({ code: 0 });
  const changed = await tenantry.run('tenant', 'change-plan', 'acme', '--plan', 'pro', '--users', '40');
  expect(changed).toMatchObject({ code: 0 });
  expect(changed.stderr).toContain('acme has plan pro, shared tier, pooled');
  const { stdout } = await tenantry.run('tenant', 'plan-changes', 'acme');
  expect(stdout).toMatch(
    /^change-plan-acme-\w+ +completed +starter, shared, pooled +pro, shared, pooled +everybody else/m,
  );
  const slip = await tenantry.run('tenant', 'change-plan', 'acme', '--plan', 'prro');
  expect(slip).toMatchObject({ code: 2 });
  expect(slip.stderr).toContain('plan must be one of starter, pro, enterprise (got "prro")');
});
