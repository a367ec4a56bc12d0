import type { DatabaseSync } from 'node:sqlite';
import type { Target } from '@aws-sdk/client-eventbridge';
import { parseExpression, type Recurrence } from '../schedules/expression.ts';
import { compileInput, type RenderInput } from './input.ts';
import { busArn, missing, type Place, ruleArn } from './names.ts';
import { compilePattern, type EventMatcher } from './pattern.ts';

export interface Bus {
  readonly name: string;
  readonly arn: string;
  readonly description: string | undefined;
  readonly deadLetterArn: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** What a rule says; kept as JSON. */
export interface RuleBody {
  readonly pattern?: string | undefined;
  readonly schedule?: string | undefined;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly description?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** When the rule got its schedule: a rate counts from here. */
  readonly since: number;
}

export interface RuleTarget {
  readonly target: Target;
  readonly render: RenderInput;
}

export interface Rule {
  readonly name: string;
  readonly bus: string;
  readonly arn: string;
  readonly body: RuleBody;
  readonly matches: EventMatcher | undefined;
  readonly recurrence: Recurrence | undefined;
  readonly targets: Map<string, RuleTarget>;
}

export const rulebookSchema = `
CREATE TABLE IF NOT EXISTS buses (name TEXT PRIMARY KEY, bus TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (
  bus TEXT NOT NULL REFERENCES buses(name), name TEXT NOT NULL, body TEXT NOT NULL, next_at INTEGER, PRIMARY KEY (bus, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS targets (
  bus TEXT NOT NULL, rule TEXT NOT NULL, id TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (bus, rule, id),
  FOREIGN KEY (bus, rule) REFERENCES rules(bus, name) ON DELETE CASCADE
) WITHOUT ROWID;
`;

/** Buses, rules and targets, compiled in memory and kept on disk. What changes them must run inside a write. */
export interface Rulebook {
  bus(name: string): Bus;
  findBus(name: string): Bus | undefined;
  buses(): Bus[];
  saveBus(bus: Omit<Bus, 'arn'>): Bus;
  removeBus(name: string): void;
  /** Throws ResourceNotFoundException for the bus or the rule. */
  rule(bus: string, name: string): Rule;
  findRule(bus: string, name: string): Rule | undefined;
  rules(bus: string): Rule[];
  saveRule(bus: string, name: string, body: RuleBody): Rule;
  removeRule(rule: Rule): void;
  saveTarget(rule: Rule, target: Target): void;
  removeTarget(rule: Rule, id: string): boolean;
  /** Rules with a schedule, with the time to fire that is on disk. */
  scheduled(): { rule: Rule; nextAt: number | undefined }[];
  saveNextFire(rule: Rule, at: number | undefined): void;
}

const byName = (one: { name: string }, other: { name: string }): number => (one.name < other.name ? -1 : 1);

export const openRulebook = (database: DatabaseSync, place: Place, now: number): Rulebook => {
  const buses = new Map<string, Bus>();
  const rules = new Map<string, Map<string, Rule>>();
  const putBus = database.prepare(
    'INSERT INTO buses VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET bus = excluded.bus',
  );
  const dropBus = database.prepare('DELETE FROM buses WHERE name = ?');
  const putRule = database.prepare(
    'INSERT INTO rules (bus, name, body) VALUES (?, ?, ?) ON CONFLICT (bus, name) DO UPDATE SET body = excluded.body',
  );
  const dropRule = database.prepare('DELETE FROM rules WHERE bus = ? AND name = ?');
  const putTarget = database.prepare('INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?)');
  const dropTarget = database.prepare('DELETE FROM targets WHERE bus = ? AND rule = ? AND id = ?');
  const putNext = database.prepare('UPDATE rules SET next_at = ? WHERE bus = ? AND name = ?');
  const nextFire = database.prepare('SELECT next_at FROM rules WHERE bus = ? AND name = ?');

  const rememberBus = (bus: Omit<Bus, 'arn'>): Bus => {
    const full = { ...bus, arn: busArn(place, bus.name) };
    buses.set(bus.name, full);
    if (!rules.has(bus.name)) rules.set(bus.name, new Map());
    return full;
  };
  const compiled = (bus: string, name: string, body: RuleBody, targets: Map<string, RuleTarget>): Rule => ({
    name,
    bus,
    arn: ruleArn(place, bus, name),
    body,
    matches: body.pattern === undefined ? undefined : compilePattern(body.pattern),
    // A rule's rate fires one period after the rule was made. EventBridge user guide, "Rate expressions".
    recurrence: body.schedule === undefined ? undefined : parseExpression(body.schedule, { firstRate: body.since }),
    targets,
  });
  const saveBus = (bus: Omit<Bus, 'arn'>): Bus => {
    putBus.run(bus.name, JSON.stringify(bus));
    return rememberBus(bus);
  };

  for (const row of database.prepare('SELECT bus FROM buses').all() as unknown as { bus: string }[])
    rememberBus(JSON.parse(row.bus));
  if (!buses.has('default'))
    saveBus({
      name: 'default',
      description: undefined,
      deadLetterArn: undefined,
      tags: {},
      createdAt: now,
      modifiedAt: now,
    });
  for (const row of database.prepare('SELECT bus, name, body FROM rules').all() as unknown as {
    bus: string;
    name: string;
    body: string;
  }[])
    rules.get(row.bus)?.set(row.name, compiled(row.bus, row.name, JSON.parse(row.body), new Map()));
  for (const row of database.prepare('SELECT bus, rule, id, target FROM targets').all() as unknown as {
    bus: string;
    rule: string;
    id: string;
    target: string;
  }[]) {
    const target = JSON.parse(row.target) as Target;
    rules
      .get(row.bus)
      ?.get(row.rule)
      ?.targets.set(row.id, { target, render: compileInput(target) });
  }

  const bus = (name: string): Bus => buses.get(name) ?? missing(`Event bus ${name} does not exist.`);
  const findRule = (busName: string, name: string): Rule | undefined => rules.get(bus(busName).name)?.get(name);

  return {
    bus,
    findBus: (name) => buses.get(name),
    buses: () => [...buses.values()].sort(byName),
    saveBus,
    removeBus: (name) => {
      dropBus.run(name);
      buses.delete(name);
      rules.delete(name);
    },
    rule: (busName, name) => findRule(busName, name) ?? missing(`Rule ${name} does not exist on EventBus ${busName}.`),
    findRule,
    rules: (busName) => [...(rules.get(bus(busName).name)?.values() ?? [])].sort(byName),
    saveRule: (busName, name, body) => {
      const rule = compiled(bus(busName).name, name, body, findRule(busName, name)?.targets ?? new Map());
      putRule.run(busName, name, JSON.stringify(body));
      rules.get(busName)?.set(name, rule);
      return rule;
    },
    removeRule: (rule) => {
      dropRule.run(rule.bus, rule.name);
      rules.get(rule.bus)?.delete(rule.name);
    },
    saveTarget: (rule, target) => {
      const render = compileInput(target);
      putTarget.run(rule.bus, rule.name, target.Id ?? '', JSON.stringify(target));
      rule.targets.set(target.Id ?? '', { target, render });
    },
    removeTarget: (rule, id) => {
      dropTarget.run(rule.bus, rule.name, id);
      return rule.targets.delete(id);
    },
    scheduled: () =>
      [...rules.values()]
        .flatMap((named) => [...named.values()])
        .filter(({ recurrence }) => recurrence !== undefined)
        .map((rule) => {
          const { next_at } = nextFire.get(rule.bus, rule.name) as { next_at: number | null };
          return { rule, nextAt: next_at ?? undefined };
        }),
    saveNextFire: (rule, at) => void putNext.run(at ?? null, rule.bus, rule.name),
  };
};
