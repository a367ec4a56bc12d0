import type {
  ListTargetsByRuleRequest,
  PutTargetsRequest,
  RemoveTargetsRequest,
  Target,
} from '@aws-sdk/client-eventbridge';
import type { Operation } from '../gateway/service.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import { compileInput } from './input.ts';
import { busName, pageOf, validation } from './names.ts';
import type { Rule, Rulebook } from './rulebook.ts';

/** Targets of one rule. EventBridge quotas. */
const MOST_TARGETS = 5;
/** Services that a target may name here; the caller's TargetDelivery serves them. */
const reachable = ['sqs', 'lambda', 'states', 'events'];

/** Parameters that some targets need on AWS and nothing here serves: better refused than silently left out. */
const unserved = [
  'BatchParameters',
  'EcsParameters',
  'HttpParameters',
  'KinesisParameters',
  'RedshiftDataParameters',
  'RunCommandParameters',
  'SageMakerPipelineParameters',
  'AppSyncParameters',
] as const satisfies readonly (keyof Target)[];

const within = (field: string, value: number | undefined, low: number, high: number): void => {
  if (value !== undefined && (!Number.isInteger(value) || value < low || value > high))
    validation(`${field} ${value} must be a whole number from ${low} to ${high}.`);
};

const checkTarget = (target: Target): void => {
  const { Id = '', Arn = '', RetryPolicy, DeadLetterConfig, SqsParameters } = target;
  if (!/^[\w.-]{1,64}$/.test(Id)) validation(`Target Id "${Id}" must be 1 to 64 letters, digits, '.', '-' or '_'.`);
  const [prefix, , service = '', , , resource = ''] = Arn.split(':');
  if (prefix !== 'arn' || resource === '')
    validation(`Parameter ${Arn} is not valid. Reason: Provided Arn is not in correct format.`);
  if (!reachable.includes(service))
    validation(
      `Target ${Id}: "${service}" targets are not served here; use one of ${reachable.join(', ')}. Arn ${Arn}.`,
    );
  const other = unserved.find((name) => target[name] !== undefined);
  if (other !== undefined) validation(`Target ${Id}: ${other} is not served here.`);
  if (service === 'sqs' && Arn.endsWith('.fifo') && !SqsParameters?.MessageGroupId)
    validation(`Parameter(s) MessageGroupId must be specified for target: ${Id}.`);
  if (DeadLetterConfig?.Arn !== undefined && DeadLetterConfig.Arn.split(':')[2] !== 'sqs')
    validation(`DeadLetterConfig.Arn ${DeadLetterConfig.Arn} of target ${Id} must be an SQS queue.`);
  within(`RetryPolicy.MaximumRetryAttempts of target ${Id}:`, RetryPolicy?.MaximumRetryAttempts, 0, 185);
  within(`RetryPolicy.MaximumEventAgeInSeconds of target ${Id}:`, RetryPolicy?.MaximumEventAgeInSeconds, 60, 86_400);
  compileInput(target);
};

/** Operations on the targets of a rule. */
export const targetOperations = (rulebook: Rulebook, writer: GroupCommit): Record<string, Operation> => {
  const find = (rule: string | undefined, bus: string | undefined): Rule => rulebook.rule(busName(bus), rule ?? '');
  return {
    PutTargets: async ({ Rule, EventBusName, Targets = [] }: PutTargetsRequest) => {
      if (Targets.length === 0) return validation("Value at 'targets' must have at least one member.");
      for (const target of Targets) checkTarget(target);
      return writer.write(() => {
        const rule = find(Rule, EventBusName);
        const ids = new Set([...rule.targets.keys(), ...Targets.map(({ Id = '' }) => Id)]);
        if (ids.size > MOST_TARGETS)
          return validation(
            `The requested resource exceeds the maximum number allowed: ${MOST_TARGETS} targets a rule.`,
          );
        for (const target of Targets) rulebook.saveTarget(rule, target);
        return { FailedEntryCount: 0, FailedEntries: [] };
      });
    },
    RemoveTargets: async ({ Rule, EventBusName, Ids = [] }: RemoveTargetsRequest) =>
      writer.write(() => {
        const rule = find(Rule, EventBusName);
        const failed = Ids.filter((id) => !rulebook.removeTarget(rule, id)).map((id) => ({
          TargetId: id,
          ErrorCode: 'ResourceNotFoundException',
          ErrorMessage: `Rule ${rule.name} does not have a target with the Id ${id}.`,
        }));
        return { FailedEntryCount: failed.length, FailedEntries: failed };
      }),
    ListTargetsByRule: ({ Rule, EventBusName, NextToken, Limit }: ListTargetsByRuleRequest) => {
      const all = [...find(Rule, EventBusName).targets.values()].map(({ target }) => target);
      const { items, next } = pageOf(all, { limit: Limit, token: NextToken });
      return { Targets: items, NextToken: next };
    },
  };
};
