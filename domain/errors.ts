/**
 * Every failure that a state machine may name in `ErrorEquals`, and who acts on it.
 * `retry`: the same call may succeed later. `compensate`: undo what this operation did, then fail.
 * `stop`: nothing was done and trying again cannot help. The string is the contract: bundlers rename classes, never strings.
 */
export const failures = {
  InvalidStepInput: 'stop',
  TenantBusy: 'retry',
  TenantExists: 'stop',
  TenantNotFound: 'stop',
  TenantNotReady: 'stop',
  NoCapacity: 'compensate',
  PlanForbids: 'stop',
  StaleOperation: 'stop',
  DatabaseUnavailable: 'retry',
  SchemaRefused: 'compensate',
  BackupNotFound: 'stop',
  ArchiveDamaged: 'compensate',
  BackupIncomplete: 'compensate',
  RestoreRefused: 'stop',
  RestoreNotFound: 'stop',
  RestoreRejected: 'compensate',
  ForeignRows: 'compensate',
  BrokenReferences: 'compensate',
  FenceTimeout: 'retry',
  TenantStillPresent: 'retry',
  ServerNotReady: 'retry',
  ServerRefused: 'compensate',
  MoveRefused: 'stop',
  MoveNotFound: 'stop',
  CopyDiverges: 'compensate',
  CopyDiffers: 'compensate',
  ClusterUnavailable: 'retry',
  WorkloadRefused: 'compensate',
  WorkloadNotReady: 'retry',
  StackRefused: 'compensate',
  StackNotReady: 'retry',
} as const satisfies Record<string, 'retry' | 'compensate' | 'stop'>;

export type FailureName = keyof typeof failures;

/** The only error that steps throw on purpose; its `name` is what ASL's Retry and Catch compare. */
export class StepFailure extends Error {
  override readonly name: FailureName;
  constructor(name: FailureName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}
