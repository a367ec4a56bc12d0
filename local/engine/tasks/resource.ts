import { StateFailure } from '../failure.ts';

export type Pattern = 'request' | 'sync' | 'token';

/** What the Resource of a Task names. `type` and `action` are `resourceType` and `resource` of the Task events. */
export type Resource =
  | { readonly kind: 'function'; readonly arn: string }
  | {
      readonly kind: 'service';
      readonly type: string;
      readonly api: string;
      readonly action: string;
      readonly pattern: Pattern;
    };

const functionArn = /^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(?::[A-Za-z0-9_$-]+)?$/;
const serviceArn =
  /^arn:aws[a-z-]*:states:[a-z0-9-]*:\d*:(aws-sdk:[a-z0-9]+|[a-z0-9]+):([A-Za-z0-9]+)(\.sync(?::2)?|\.waitForTaskToken)?$/;

const patterns: Readonly<Record<string, Pattern>> = {
  '': 'request',
  '.sync': 'sync',
  '.sync:2': 'sync',
  '.waitForTaskToken': 'token',
};

/** The integrations that the laptop runs. Others are valid on AWS and refused here when the machine is created. */
export const supported: readonly string[] = [
  'lambda:invoke',
  'lambda:invoke.waitForTaskToken',
  'states:startExecution',
  'states:startExecution.sync',
  'states:startExecution.sync:2',
  'states:startExecution.waitForTaskToken',
  'events:putEvents',
  'events:putEvents.waitForTaskToken',
  'ecs:runTask.sync',
  'aws-sdk:s3:getObject',
  'aws-sdk:s3:putObject',
];

/** The parts of `arn`, or why it cannot be run here. */
export const parseResource = (arn: string): Resource | string => {
  if (functionArn.test(arn)) return { kind: 'function', arn };
  const match = serviceArn.exec(arn);
  if (!match) return `'${arn}' is neither the ARN of a Lambda function nor arn:aws:states:::<service>:<action>`;
  const [, type, api, suffix = ''] = match;
  if (!supported.includes(`${type}:${api}${suffix}`)) {
    return `the integration '${type}:${api}${suffix}' is not run here; run are Lambda functions by ARN, ${supported.join(', ')}`;
  }
  return { kind: 'service', type: type!, api: api!, action: `${api}${suffix}`, pattern: patterns[suffix]! };
};

const known = new Map<string, Resource>();

/** As `parseResource`, for a machine that passed validation. */
export const resourceOf = (arn: string): Resource => {
  const cached = known.get(arn);
  if (cached) return cached;
  const parsed = parseResource(arn);
  if (typeof parsed === 'string') throw new StateFailure('States.Runtime', parsed);
  known.set(arn, parsed);
  return parsed;
};
