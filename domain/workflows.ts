/** What a handler may reach. `lib` turns it into grants and environment, `local` into environment: nothing else is given. */
export type Reach =
  | 'registry'
  | 'archive:read'
  | 'archive:write'
  | 'archive:hold'
  | 'database:provision'
  | 'database:backup'
  | 'database:restore'
  | 'database:replicate'
  | 'database:migrate'
  | 'database:scratch'
  | 'tenant-secrets'
  | 'servers'
  | 'clusters'
  | 'workloads'
  | 'stacks'
  | 'machines:start'
  | 'machines:operate'
  | 'bus'
  | 'dead-letters'
  | 'dns';

export interface Handler {
  /** Path of the handler file from the root of the project; it exports `handler`. */
  readonly entry: string;
  /** Seconds before Lambda ends the invocation. The Task's own TimeoutSeconds is at least this (research R5). */
  readonly timeout: number;
  /** MiB, as Lambda's MemorySize. */
  readonly memory: number;
  readonly reach: readonly Reach[];
  /** The step runs PostgreSQL's client programs where the image has them (Lambda container image on AWS). */
  readonly clients?: true;
}

const handler = (entry: string, timeout: number, reach: readonly Reach[], extra: Partial<Handler> = {}): Handler => ({
  entry: `lambdas/${entry}.ts`,
  timeout,
  memory: 512,
  reach,
  ...extra,
});

/** Task state -> the handler behind it. A state name means the same handler in every machine that has it. */
export const steps = {
  ClaimTenant: handler('provision/claim-tenant', 30, ['registry']),
  PlaceTenant: handler('provision/place-tenant', 30, ['registry']),
  ActivateTenant: handler('provision/activate-tenant', 60, ['registry', 'clusters']),
  ReleaseTenant: handler('provision/release-tenant', 30, ['registry']),
  PrepareDatabase: handler('placement/prepare-database', 60, ['registry', 'database:provision']),
  CreateServer: handler('placement/create-server', 60, ['registry', 'servers', 'tenant-secrets']),
  AwaitServer: handler('placement/await-server', 30, ['registry', 'servers']),
  PrepareServer: handler('placement/prepare-server', 300, [
    'registry',
    'archive:read',
    'database:migrate',
    'tenant-secrets',
  ]),
  DeleteServer: handler('placement/delete-server', 60, ['registry', 'servers']),
  AwaitServerGone: handler('placement/await-server-gone', 30, ['registry', 'servers', 'tenant-secrets']),
  CreateDatabase: handler('placement/create-database', 120, ['registry', 'database:migrate', 'tenant-secrets']),
  DropDatabase: handler('placement/drop-database', 300, ['registry', 'database:migrate', 'tenant-secrets']),
  CreateStack: handler('placement/create-stack', 60, ['registry', 'stacks']),
  AwaitStack: handler('placement/await-stack', 30, ['registry', 'stacks', 'clusters']),
  DrainCluster: handler('placement/drain-cluster', 60, ['registry', 'stacks', 'clusters']),
  DeleteStack: handler('placement/delete-stack', 60, ['registry', 'stacks']),
  AwaitStackGone: handler('placement/await-stack-gone', 30, ['registry', 'stacks']),
  DeployWorkload: handler('placement/deploy-workload', 120, ['registry', 'clusters', 'workloads']),
  AwaitWorkload: handler('placement/await-workload', 30, ['registry', 'clusters']),
  RemoveWorkload: handler('placement/remove-workload', 60, ['registry', 'clusters', 'workloads']),
  AwaitWorkloadGone: handler('placement/await-workload-gone', 30, ['registry', 'clusters']),
  ReleaseDatabase: handler('placement/release-database', 300, ['registry', 'database:provision', 'database:restore']),
  OpenBackup: handler('backup/open-backup', 30, ['registry', 'archive:read', 'database:backup']),
  DumpDatabase: handler('backup/dump-database', 840, ['registry', 'database:backup', 'archive:write'], {
    memory: 1024,
    clients: true,
  }),
  ExportWorkload: handler('backup/export-workload', 300, ['registry', 'clusters', 'archive:write']),
  SealBackup: handler('backup/seal-backup', 120, ['registry', 'archive:read']),
  AbandonBackup: handler('backup/abandon-backup', 300, ['registry', 'archive:write']),
  ListDueTenants: handler('backup/list-due-tenants', 120, ['registry', 'archive:write']),
  SummariseBackups: handler('backup/summarise-backups', 60, ['registry']),
  ChooseDrills: handler('drill/choose-drills', 120, ['registry', 'archive:write']),
  DrillRestore: handler('drill/drill-restore', 840, ['registry', 'archive:read', 'database:scratch'], {
    memory: 1024,
  }),
  SummariseDrills: handler('drill/summarise-drills', 300, ['registry', 'archive:read', 'database:scratch']),
  ExpireBackups: handler('retention/expire-backups', 300, ['registry', 'archive:write']),
  SummariseExpiry: handler('retention/summarise-expiry', 60, ['registry']),
  PlanRestore: handler('restore/plan-restore', 60, ['registry', 'archive:read', 'database:restore']),
  StageRestore: handler('restore/stage-restore', 840, ['registry', 'archive:read', 'database:restore'], {
    memory: 1024,
  }),
  CompareRestore: handler('restore/compare-restore', 840, ['registry', 'archive:write', 'database:restore']),
  RequestApproval: handler('restore/request-approval', 30, ['registry']),
  PlanObjects: handler('restore/plan-objects', 60, ['registry', 'archive:read', 'clusters', 'workloads']),
  RestoreObjects: handler('restore/restore-objects', 120, ['registry', 'archive:read', 'clusters', 'workloads']),
  SwapRestore: handler('restore/swap-restore', 840, ['registry', 'database:restore']),
  FinishRestore: handler('restore/finish-restore', 60, ['registry', 'database:restore']),
  UndoRestore: handler('restore/undo-restore', 840, ['registry', 'database:restore']),
  DiscardRestore: handler('restore/discard-restore', 60, ['registry', 'database:restore']),
  AbandonRestore: handler('restore/abandon-restore', 60, ['registry', 'database:restore']),
  PlanClone: handler('clone/plan-clone', 60, ['registry', 'archive:read', 'database:restore']),
  LoadClone: handler('clone/load-clone', 840, ['registry', 'database:restore']),
  AbandonClone: handler('clone/abandon-clone', 30, ['registry']),
  PlanRecovery: handler('recover/plan-recovery', 60, ['registry', 'servers']),
  StartRecovery: handler('recover/start-recovery', 60, ['registry', 'servers']),
  AwaitRecovery: handler('recover/await-recovery', 30, ['registry', 'servers']),
  ExportRecovery: handler('recover/export-recovery', 840, ['registry', 'database:backup', 'archive:write'], {
    memory: 1024,
  }),
  RemoveRecovery: handler('recover/remove-recovery', 60, ['registry', 'servers']),
  AbandonRecovery: handler('recover/abandon-recovery', 60, ['registry', 'archive:write']),
  PlanMigration: handler('migrate/plan-migration', 120, ['registry', 'database:migrate', 'database:replicate']),
  StartCopy: handler('migrate/start-copy', 300, ['registry', 'database:migrate', 'database:replicate']),
  AwaitCopy: handler('migrate/await-copy', 60, ['registry', 'database:migrate', 'database:replicate']),
  PrepareWayBack: handler('migrate/prepare-way-back', 60, ['registry', 'database:migrate', 'database:replicate']),
  CutOver: handler('migrate/cut-over', 840, ['registry', 'database:migrate', 'database:replicate', 'clusters'], {
    memory: 1024,
  }),
  VerifyCopy: handler('migrate/verify-copy', 840, ['registry', 'database:migrate', 'database:replicate'], {
    memory: 1024,
  }),
  StartWayBack: handler('migrate/start-way-back', 60, ['registry', 'database:migrate', 'database:replicate']),
  MoveBack: handler('migrate/move-back', 300, ['registry', 'database:migrate', 'database:replicate', 'clusters'], {
    memory: 1024,
  }),
  FinishMigration: handler('migrate/finish-migration', 840, ['registry', 'database:migrate', 'database:replicate']),
  AbandonMigration: handler('migrate/abandon-migration', 840, ['registry', 'database:migrate', 'database:replicate']),
  SwitchPlacement: handler('migrate/switch-placement', 60, [
    'registry',
    'database:migrate',
    'database:replicate',
    'clusters',
  ]),
  RouteTenant: handler('migrate/route-tenant', 60, ['registry', 'clusters']),
  EndMigration: handler('migrate/end-migration', 30, ['registry']),
  OpenPlanChange: handler('plan/open-plan-change', 30, ['registry']),
  TakeTurn: handler('plan/take-turn', 30, ['registry']),
  ApplyPlanChange: handler('plan/apply-plan-change', 30, ['registry']),
  RevertPlanChange: handler('plan/revert-plan-change', 30, ['registry']),
  EndPlanChange: handler('plan/end-plan-change', 30, ['registry']),
  AbandonPlanChange: handler('plan/abandon-plan-change', 30, ['registry']),
  OpenOffboarding: handler('deprovision/open-offboarding', 30, ['registry']),
  VerifyGone: handler('deprovision/verify-gone', 60, [
    'registry',
    'database:provision',
    'servers',
    'stacks',
    'clusters',
  ]),
  EraseTenant: handler('deprovision/erase-tenant', 60, ['registry', 'archive:write']),
  AbandonOffboarding: handler('deprovision/abandon-offboarding', 30, ['registry']),
} as const satisfies Record<string, Handler>;

export type StepName = keyof typeof steps;

/** Machine -> its Task states that are handlers. `state-machines/<machine>.asl.json` has a `${<State>Arn}` hole for each. */
export const workflows = {
  'provision-tenant': ['ClaimTenant', 'PlaceTenant', 'ActivateTenant', 'ReleaseTenant'],
  'prepare-placement': [
    'CreateStack',
    'AwaitStack',
    'CreateServer',
    'AwaitServer',
    'PrepareServer',
    'CreateDatabase',
    'PrepareDatabase',
    'DeployWorkload',
    'AwaitWorkload',
  ],
  'release-placement': [
    'RemoveWorkload',
    'AwaitWorkloadGone',
    'ReleaseDatabase',
    'DropDatabase',
    'DeleteServer',
    'AwaitServerGone',
    'DrainCluster',
    'DeleteStack',
    'AwaitStackGone',
  ],
  'back-up-tenant': ['OpenBackup', 'DumpDatabase', 'ExportWorkload', 'SealBackup', 'AbandonBackup'],
  'back-up-fleet': [
    'ListDueTenants',
    'OpenBackup',
    'DumpDatabase',
    'ExportWorkload',
    'SealBackup',
    'AbandonBackup',
    'SummariseBackups',
  ],
  'restore-tenant': [
    'PlanRestore',
    'StageRestore',
    'CompareRestore',
    'PlanObjects',
    'RequestApproval',
    'RestoreObjects',
    'AwaitWorkload',
    'SwapRestore',
    'FinishRestore',
    'UndoRestore',
    'DiscardRestore',
    'AbandonRestore',
  ],
  'clone-tenant': [
    'PlanClone',
    'ClaimTenant',
    'PlaceTenant',
    'StageRestore',
    'LoadClone',
    'ActivateTenant',
    'AbandonClone',
  ],
  'recover-point-in-time': [
    'PlanRecovery',
    'StartRecovery',
    'AwaitRecovery',
    'ExportRecovery',
    'RemoveRecovery',
    'SealBackup',
    'AbandonRecovery',
  ],
  'drill-restores': ['ChooseDrills', 'DrillRestore', 'SummariseDrills'],
  'expire-backups': ['ExpireBackups', 'SummariseExpiry'],
  'migrate-tenant': [
    'PlanMigration',
    'StartCopy',
    'AwaitCopy',
    'PrepareWayBack',
    'CutOver',
    'StartWayBack',
    'VerifyCopy',
    'MoveBack',
    'SwitchPlacement',
    'RouteTenant',
    'FinishMigration',
    'AbandonMigration',
    'EndMigration',
  ],
  'change-plan': [
    'OpenPlanChange',
    'TakeTurn',
    'ApplyPlanChange',
    'RevertPlanChange',
    'EndPlanChange',
    'AbandonPlanChange',
  ],
  'deprovision-tenant': ['OpenOffboarding', 'VerifyGone', 'EraseTenant', 'AbandonOffboarding'],
} as const satisfies Record<string, readonly StepName[]>;

export type WorkflowName = keyof typeof workflows;

/** Which machines a machine starts with `states:startExecution.sync:2`: holes `${<PascalName>MachineArn}` in its ASL. */
export const nestedWorkflows = {
  'provision-tenant': ['prepare-placement', 'release-placement'],
  'restore-tenant': ['back-up-tenant'],
  'clone-tenant': ['prepare-placement', 'release-placement'],
  'migrate-tenant': ['prepare-placement', 'back-up-tenant', 'release-placement'],
  'change-plan': ['migrate-tenant', 'prepare-placement'],
  'deprovision-tenant': ['back-up-tenant', 'release-placement'],
} as const satisfies Partial<Record<WorkflowName, readonly WorkflowName[]>>;

/** Handlers that no machine calls: those behind the queues, the operator API behind HTTP, those that schedules call, set-up at deployment. */
export const functions = {
  StartWorkflow: handler('intake/start-workflow', 30, ['registry', 'machines:start', 'dead-letters']),
  OperatorApi: handler('operator-api', 30, [
    'registry',
    'archive:read',
    'archive:hold',
    'machines:start',
    'machines:operate',
    'bus',
    'dead-letters',
  ]),
  RecordEvent: handler('intake/record-event', 30, ['registry']),
  CloseOperation: handler('intake/close-operation', 30, ['registry', 'bus', 'archive:write']),
  ReapLeases: handler('intake/reap-leases', 300, ['registry', 'machines:start', 'bus', 'archive:write', 'servers']),
  SweepMoves: handler('migrate/sweep-moves', 300, [
    'registry',
    'machines:start',
    'database:migrate',
    'database:replicate',
    'clusters',
  ]),
  VerifyDomains: handler('domains/verify-domains', 300, ['registry', 'bus', 'clusters', 'dns']),
  SetUp: handler('set-up', 300, ['registry', 'database:migrate', 'archive:read']),
} as const satisfies Record<string, Handler>;

export type FunctionName = StepName | keyof typeof functions;

/** `tenantry-` + the machine's name: operators read it in the console, the intake derives ARNs from it. */
export const machineName = (workflow: WorkflowName): string => `tenantry-${workflow}`;
