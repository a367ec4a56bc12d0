import type { Frame, MapItem } from './frame.ts';
import type { QueryScope } from './query.ts';
import type { Run } from './run.ts';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

const executionContext = (run: Run): Record<string, unknown> => ({
  Id: run.arn,
  Input: run.input.value,
  Name: run.name,
  RoleArn: run.roleArn,
  StartTime: iso(run.startedAt),
  RedriveCount: run.redrives,
  ...(run.redrivenAt === undefined ? {} : { RedriveTime: iso(run.redrivenAt) }),
});

/** What else `$states` holds at this point of the state. */
export interface Extras {
  readonly result?: unknown;
  readonly errorOutput?: unknown;
  readonly token?: string;
  readonly item?: MapItem;
}

/** `$states` and the variables as AWS shows them to the expressions of the frame's current state. */
export const queryScope = (frame: Frame, extras: Extras = {}): QueryScope => {
  let states: Record<string, unknown> | undefined;
  return {
    variables: frame.visible,
    states: () => {
      if (states) return states;
      const { run, progress } = frame;
      const item = extras.item ?? frame.item;
      states = {
        input: frame.input.value,
        ...('result' in extras ? { result: extras.result } : {}),
        ...('errorOutput' in extras ? { errorOutput: extras.errorOutput } : {}),
        context: {
          Execution: executionContext(run),
          State: { Name: frame.state, EnteredTime: iso(progress.enteredAt), RetryCount: progress.retryCount ?? 0 },
          StateMachine: { Id: run.machineArn, Name: run.machineName },
          ...(extras.token === undefined ? {} : { Task: { Token: extras.token } }),
          ...(item ? { Map: { Item: item } } : {}),
        },
      };
      return states;
    },
  };
};
