import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isolations, tiers } from '../../domain/place.ts';
import { planNamed, planNames } from '../../domain/plans.ts';
import { decidePlace, decideTier, forbiddenBy, type TenantTraits } from '../../domain/tier.ts';

const cases: readonly (readonly [string, TenantTraits, object])[] = [
  [
    'an enterprise with more than 1,000 users gets a cluster of its own',
    { plan: 'enterprise', users: 1_001, compliance: ['hipaa'], customDomain: 'chat.acme.com' },
    { tier: 'cluster', rule: 'large enterprise', why: 'plan enterprise, 1,001 users (more than 1,000)' },
  ],
  ['one with exactly 1,000 does not', { plan: 'enterprise', users: 1_000 }, { tier: 'shared' }],
  ['one of which nobody knows how many does not', { plan: 'enterprise', users: null }, { tier: 'shared' }],
  ['a large pro does not', { plan: 'pro', users: 100_000 }, { tier: 'shared' }],
  [
    'a tenant with requirements gets a namespace of its own',
    { plan: 'starter', compliance: ['hipaa', 'pci'] },
    { tier: 'namespace', rule: 'compliance', why: 'compliance hipaa, pci' },
  ],
  [
    'a tenant with a domain of its own gets one too',
    { plan: 'pro', customDomain: 'chat.acme.com' },
    { tier: 'namespace', rule: 'custom domain', why: 'domain chat.acme.com' },
  ],
  [
    'everybody else shares',
    { plan: 'pro', users: 5, compliance: [], customDomain: null },
    { tier: 'shared', rule: 'everybody else', why: 'no other rule holds' },
  ],
  ['an unknown plan counts as the default one', { plan: 'gold', users: 5_000 }, { tier: 'shared' }],
];

describe('the placement rules', () => {
  test.each(cases)('%s', (_case, traits, decision) => {
    expect(decideTier(traits)).toMatchObject(decision);
  });

  test('can name the requirements that count', () => {
    const rules = [
      { name: 'health', when: { compliance: ['hipaa'] }, tier: 'cluster' },
      { name: 'rest', when: {}, tier: 'shared' },
    ] as const;
    expect(decideTier({ plan: 'pro', compliance: ['pci', 'hipaa'] }, rules)).toMatchObject({
      rule: 'health',
      why: 'compliance hipaa',
    });
    expect(decideTier({ plan: 'pro', compliance: ['pci'] }, rules)).toMatchObject({ rule: 'rest' });
  });

  test('never give a tier, and no plan an isolation, that the plan does not allow', () => {
    fc.assert(
      fc.property(
        fc.record({
          plan: fc.oneof(fc.constantFrom(...planNames), fc.string()),
          users: fc.option(fc.nat({ max: 5_000 })),
          compliance: fc.array(fc.constantFrom('hipaa', 'pci')),
          customDomain: fc.option(fc.constant('chat.acme.com')),
        }),
        (traits) => {
          const { tier, isolation } = decidePlace(traits);
          return forbiddenBy(traits.plan, { tier, isolation }).length === 0;
        },
      ),
    );
  });
});

describe('a wish', () => {
  test('is granted where the plan allows it and refused where it does not, whatever the plan', () => {
    for (const plan of planNames)
      for (const tier of tiers)
        for (const isolation of isolations) {
          const allowed = planNamed(plan).tiers.includes(tier) && planNamed(plan).isolations.includes(isolation);
          const decide = () => decidePlace({ plan }, { tier, isolation });
          if (allowed) expect(decide()).toMatchObject({ tier, isolation, decision: { rule: '(asked for)' } });
          else expect(decide).toThrow(expect.objectContaining({ name: 'PlanForbids' }));
        }
  });

  test('that the plan does not allow is told with plan, value and what is allowed', () => {
    expect(() => decidePlace({ plan: 'starter' }, { tier: 'cluster', isolation: 'server' })).toThrow(
      'plan starter does not allow tier cluster; it allows shared, namespace; plan starter does not allow isolation server; it allows pooled; choose another plan, or force it with a reason',
    );
    expect(() => decidePlace({ plan: 'gold' }, { isolation: 'server' })).toThrow(
      'plan gold (which counts as starter) does not allow isolation server',
    );
  });

  test('can be forced, but not without saying why', () => {
    const wish = { isolation: 'server', force: true } as const;
    expect(decidePlace({ plan: 'starter' }, { ...wish, reason: 'trial of a month' })).toMatchObject({
      tier: 'shared',
      isolation: 'server',
    });
    expect(() => decidePlace({ plan: 'starter' }, wish)).toThrow(
      expect.objectContaining({ name: 'InvalidStepInput', message: expect.stringContaining('reason is missing') }),
    );
  });
});
