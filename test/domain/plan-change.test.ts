import { describe, expect, test } from 'vitest';
import { changesApp, decidePlanChange, type PlanState, planProblem, turnOf } from '../../domain/plan-change.ts';

const starter: PlanState = {
  plan: 'starter',
  users: null,
  compliance: [],
  customDomain: null,
  tier: 'shared',
  isolation: 'pooled',
};
const enterprise: PlanState = { ...starter, plan: 'enterprise', users: 2_000, tier: 'cluster', isolation: 'server' };

describe('a change of plan', () => {
  test('to a plan with another usual isolation moves the rows', () => {
    expect(decidePlanChange(starter, { plan: 'enterprise' })).toMatchObject({
      plan: 'enterprise',
      tier: 'shared',
      isolation: 'database',
      moves: true,
    });
  });

  test('that brings the users of a large enterprise gives it a cluster of its own, and says by which rule', () => {
    expect(decidePlanChange(starter, { plan: 'enterprise', users: 5_000 })).toMatchObject({
      users: 5_000,
      tier: 'cluster',
      rule: 'large enterprise',
      moves: true,
    });
  });

  test('to a size alone moves nothing', () => {
    const change = decidePlanChange(starter, { plan: 'pro' });
    expect(change).toMatchObject({ plan: 'pro', tier: 'shared', isolation: 'pooled', moves: false });
    expect(changesApp(starter, change)).toBe(false);
    const own = { ...starter, tier: 'namespace', compliance: ['hipaa'] } as const;
    expect(changesApp(own, decidePlanChange(own, { plan: 'pro' }))).toBe(true);
    expect(changesApp(own, decidePlanChange(own, { plan: 'starter', users: 7 }))).toBe(false);
  });

  test('down takes the tenant out of what the new plan does not have', () => {
    expect(decidePlanChange(enterprise, { plan: 'starter' })).toMatchObject({ tier: 'shared', isolation: 'pooled' });
  });

  test('within one plan leaves the rows where somebody wanted them, and what was told before', () => {
    expect(decidePlanChange(enterprise, { plan: 'enterprise', compliance: ['hipaa'] })).toMatchObject({
      users: 2_000,
      compliance: ['hipaa'],
      tier: 'cluster',
      isolation: 'server',
      moves: false,
    });
  });

  test('leaves a tier that somebody asked for, until the rules give another one or the plan forbids it', () => {
    const own = { ...starter, tier: 'namespace' } as const;
    expect(decidePlanChange(own, { plan: 'pro' })).toMatchObject({ tier: 'namespace', rule: '(kept)', moves: false });
    expect(decidePlanChange(own, { plan: 'enterprise', users: 5_000 })).toMatchObject({ tier: 'cluster' });
    const large = { ...enterprise, users: 3, isolation: 'database' } as const;
    expect(decidePlanChange(large, { plan: 'enterprise' })).toMatchObject({ tier: 'cluster', moves: false });
    expect(decidePlanChange(large, { plan: 'pro' })).toMatchObject({ tier: 'shared' });
  });

  test('gives what was asked for, and takes a domain away with null', () => {
    const now = { ...starter, customDomain: 'chat.acme.com', tier: 'namespace' } as const;
    expect(decidePlanChange(now, { plan: 'pro', isolation: 'database' })).toMatchObject({
      customDomain: 'chat.acme.com',
      tier: 'namespace',
      isolation: 'database',
    });
    expect(decidePlanChange(now, { plan: 'pro', customDomain: null })).toMatchObject({
      customDomain: null,
      tier: 'shared',
    });
    expect(decidePlanChange(now, { plan: 'pro', tier: 'shared' })).toMatchObject({
      rule: '(asked for)',
      tier: 'shared',
    });
  });

  test('to a plan that there is not is a slip, not a wish for the default plan', () => {
    expect(planProblem('enterprize')).toMatch(/^plan must be one of starter, pro, enterprise \(got "enterprize"\)/);
    expect(planProblem('pro')).toBeUndefined();
  });
});

describe('its turn', () => {
  test('comes when no other change is at work and no move can be taken back', () => {
    expect(turnOf({})).toEqual({ turn: 'go' });
    expect(turnOf({ running: 'change-plan-acme-1' })).toMatchObject({ turn: 'wait' });
    for (const phase of ['planned', 'copying'])
      expect(turnOf({ move: { id: 'm-1', phase } })).toMatchObject({ turn: 'wait' });
    for (const phase of ['switched', 'returned'])
      expect(turnOf({ move: { id: 'm-1', phase } })).toEqual({
        turn: 'close-window',
        reason: `move m-1 is ${phase} and keeps its old place`,
      });
  });
});
