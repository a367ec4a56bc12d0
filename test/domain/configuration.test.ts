import { describe, expect, test } from 'vitest';
import { type Configuration, defineConfiguration } from '../../domain/configuration.ts';
import { planNamed, plans } from '../../domain/plans.ts';
import { configuration } from '../../tenantry.config.ts';

type Change = (draft: ReturnType<typeof draftOf>) => void;

/** The defaults without their types: what somebody may have written into the file. */
// biome-ignore lint/suspicious/noExplicitAny: a test of what types would forbid
const draftOf = (): any => structuredClone(configuration);

const problemOf = (change: Change): string => {
  const draft = draftOf();
  change(draft);
  try {
    defineConfiguration(draft as Configuration);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe('a configuration', () => {
  test('as it is delivered has three plans with their sizes and the rules in their order', () => {
    expect(problemOf(() => undefined)).toBe('accepted');
    expect(Object.entries(plans).map(([name, { resources }]) => [name, resources])).toEqual([
      ['starter', { replicas: 1, cpu: '250m', memory: '512Mi' }],
      ['pro', { replicas: 2, cpu: '500m', memory: '1Gi' }],
      ['enterprise', { replicas: 3, cpu: '1000m', memory: '2Gi' }],
    ]);
    expect(configuration.rules.map(({ tier }) => tier)).toEqual(['cluster', 'namespace', 'namespace', 'shared']);
  });

  test('gives a tenant of a plan that is not on the list what the default plan gives', () => {
    expect(planNamed('gold')).toBe(plans.starter);
    expect(planNamed('constructor')).toBe(plans.starter);
  });

  const wrong: readonly (readonly [string, Change, RegExp])[] = [
    [
      'a plan with a quantity that Kubernetes does not know',
      (draft) => (draft.plans.pro.resources.cpu = '0,5'),
      /^tenantry\.config\.ts: plans\.pro\.resources\.cpu must be cores or millicores .* \(got "0,5"\)$/,
    ],
    [
      'a misspelt field',
      (draft) => (draft.plans.pro.isolatons = ['pooled']),
      /plans\.pro Unrecognized key: "isolatons"/,
    ],
    [
      'a default isolation that the plan does not allow',
      (draft) => (draft.plans.starter.isolation = 'server'),
      /plans\.starter\.isolation must be one of plans\.starter\.isolations: pooled \(got "server"\)/,
    ],
    [
      'a namespace too small for an update',
      (draft) => (draft.plans.enterprise.quota.pods = 5),
      /plans\.enterprise\.quota\.pods must be at least twice plans\.enterprise\.resources\.replicas, 6.*\(got 5\)/,
    ],
    [
      'a default plan that is not on the list',
      (draft) => (draft.defaultPlan = 'free'),
      /defaultPlan must be one of starter, pro, enterprise \(got "free"\)/,
    ],
    [
      'a rule for a plan that is not on the list',
      (draft) => (draft.rules[0].when.plan = 'gold'),
      /rules\.0\.when\.plan must be one of starter, pro, enterprise \(got "gold"\)/,
    ],
    [
      'a rule that gives a tier which its plan does not allow',
      (draft) => (draft.rules[0].when.plan = 'pro'),
      /rules\.0\.tier must be allowed by plan pro \(got "cluster"\); add it to plans\.pro\.tiers/,
    ],
    [
      'a rule for everybody that does so as well',
      (draft) => (draft.rules.at(-1).tier = 'cluster'),
      /rules\.3\.tier must be allowed by plan starter.*rules\.3\.tier must be allowed by plan pro/,
    ],
    [
      'no rule for everybody else',
      (draft) => draft.rules.pop(),
      /rules\.2\.when must be \{\}: the last rule decides for everybody else/,
    ],
    [
      'a rule for everybody before the end',
      (draft) => draft.rules.reverse(),
      /rules\.0\.when must have a condition, or the rules behind it never decide/,
    ],
    [
      'two rules of one name',
      (draft) => (draft.rules[2].name = 'compliance'),
      /rules\.2\.name must be used once \(got "compliance"\)/,
    ],
  ];
  test.each(wrong)('with %s is refused by path, value and fix', (_case, change, message) => {
    expect(problemOf(change)).toMatch(message);
  });
});
