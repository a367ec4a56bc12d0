import type {
  DeleteRuleRequest,
  DescribeRuleRequest,
  ListRuleNamesByTargetRequest,
  ListRulesRequest,
  PutRuleRequest,
  TestEventPatternRequest,
} from '@aws-sdk/client-eventbridge';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from '../schedules/clock.ts';
import { busName, checkName, pageOf, tagMap, validation } from './names.ts';
import { compilePattern } from './pattern.ts';
import type { RuleSchedules } from './rule-schedules.ts';
import type { Rule, RuleBody, Rulebook } from './rulebook.ts';

/** Characters of a pattern. EventBridge quotas, "Event pattern size". */
const PATTERN_LENGTH = 4096;

const shown = ({ name, arn, bus, body }: Rule) => ({
  Name: name,
  Arn: arn,
  EventPattern: body.pattern,
  ScheduleExpression: body.schedule,
  State: body.state,
  Description: body.description,
  RoleArn: body.roleArn,
  EventBusName: bus,
});

interface RuleName {
  readonly Name?: string;
  readonly EventBusName?: string;
}

const checkPattern = (text: string): void => {
  if (text.length > PATTERN_LENGTH)
    throw new ServiceError(
      'InvalidEventPatternException',
      `Event pattern is not valid. Reason: it has ${text.length} characters, ${PATTERN_LENGTH} are allowed`,
    );
  compilePattern(text);
};

const testedEvent = (text: string): Record<string, unknown> => {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    return validation('Parameter Event is not valid. Reason: it is no JSON.');
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event))
    return validation('Parameter Event is not valid. Reason: it must be a JSON object.');
  const fields = { ...event } as Record<string, unknown>;
  const absent = ['id', 'account', 'source', 'time', 'region', 'resources', 'detail-type'].find(
    (name) => !(name in fields),
  );
  return absent === undefined ? fields : validation(`Parameter Event is not valid. Reason: it has no "${absent}".`);
};

/** Operations on rules. Changing a rule leaves its targets. */
export const ruleOperations = (
  rulebook: Rulebook,
  schedules: RuleSchedules,
  writer: GroupCommit,
  clock: Clock,
): Record<string, Operation> => {
  const find = ({ Name, EventBusName }: RuleName): Rule => rulebook.rule(busName(EventBusName), Name ?? '');

  const setState = (input: RuleName, state: RuleBody['state']) =>
    writer.write(() => {
      const { bus, name, body } = find(input);
      schedules.plan(rulebook.saveRule(bus, name, { ...body, state, since: clock.now() }));
      return {};
    });

  return {
    PutRule: async (input: PutRuleRequest) => {
      const name = checkName('name', input.Name, 64);
      const bus = rulebook.bus(busName(input.EventBusName)).name;
      const { EventPattern: pattern, ScheduleExpression: schedule, State = 'ENABLED' } = input;
      if (!pattern && !schedule)
        return validation('Parameter(s) EventPattern or ScheduleExpression must be specified.');
      if (schedule && bus !== 'default')
        return validation(`ScheduleExpression is supported only on the default event bus, not on ${bus}.`);
      if (State !== 'ENABLED' && State !== 'DISABLED')
        return validation(`State "${State}" must be ENABLED or DISABLED.`);
      if (pattern) checkPattern(pattern);
      return writer.write(() => {
        const present = rulebook.findRule(bus, name)?.body;
        const body: RuleBody = {
          pattern: pattern || undefined,
          schedule: schedule || undefined,
          state: State,
          description: input.Description,
          roleArn: input.RoleArn,
          tags: present?.tags ?? tagMap(input.Tags),
          since: present !== undefined && present.schedule === schedule ? present.since : clock.now(),
        };
        const rule = rulebook.saveRule(bus, name, body);
        schedules.plan(rule);
        return { RuleArn: rule.arn };
      });
    },
    DescribeRule: (input: DescribeRuleRequest) => shown(find(input as RuleName)),
    ListRules: ({ NamePrefix = '', EventBusName, NextToken, Limit }: ListRulesRequest) => {
      const all = rulebook.rules(busName(EventBusName)).filter(({ name }) => name.startsWith(NamePrefix));
      const { items, next } = pageOf(all, { limit: Limit, token: NextToken });
      return { Rules: items.map(shown), NextToken: next };
    },
    DeleteRule: async ({ Name = '', EventBusName }: DeleteRuleRequest) =>
      writer.write(() => {
        const rule = rulebook.findRule(busName(EventBusName), Name);
        // AWS answers success for a rule that is not there.
        if (rule === undefined) return {};
        if (rule.targets.size > 0) return validation("Rule can't be deleted since it has targets.");
        schedules.forget(rule);
        rulebook.removeRule(rule);
        return {};
      }),
    EnableRule: (input: RuleName) => setState(input, 'ENABLED'),
    DisableRule: (input: RuleName) => setState(input, 'DISABLED'),
    ListRuleNamesByTarget: ({ TargetArn, EventBusName, NextToken, Limit }: ListRuleNamesByTargetRequest) => {
      const all = rulebook
        .rules(busName(EventBusName))
        .filter(({ targets }) => [...targets.values()].some(({ target }) => target.Arn === TargetArn))
        .map(({ name }) => name);
      const { items, next } = pageOf(all, { limit: Limit, token: NextToken });
      return { RuleNames: items, NextToken: next };
    },
    TestEventPattern: ({ EventPattern = '', Event = '' }: TestEventPatternRequest) => {
      checkPattern(EventPattern);
      return { Result: compilePattern(EventPattern)(testedEvent(Event)) };
    },
  };
};
