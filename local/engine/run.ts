import type { Machine } from './definition.ts';
import type { Frame, StoredFrame } from './frame.ts';
import type { Payload } from './payload.ts';
import type { Scope } from './scope.ts';

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** One open execution in memory. */
export interface Run {
  readonly key: number;
  readonly arn: string;
  readonly name: string;
  readonly machineArn: string;
  readonly machineName: string;
  readonly roleArn: string;
  readonly definition: Machine;
  readonly input: Payload;
  readonly startedAt: number;
  readonly deadline: number | undefined;
  readonly redrives: number;
  readonly redrivenAt: number | undefined;
  readonly scope: Scope;
  /** Frames of an earlier life that nobody has taken up yet. */
  readonly stored: Map<string, StoredFrame>;
  root: Frame | undefined;
  /** Id of the last event. */
  events: number;
}
