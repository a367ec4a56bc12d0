import type {
  RestoreDBInstanceFromDBSnapshotMessage,
  RestoreDBInstanceToPointInTimeMessage,
} from '@aws-sdk/client-rds';
import { ServiceError } from '../gateway/service.ts';
import { automatedOf } from './backups.ts';
import { instanceExists, type Operations, type RdsContext, requireInstance, requireSnapshot } from './context.ts';
import type { Instance, Job } from './instance.ts';
import { masterPassword, requireRoom, shown } from './instance-operations.ts';
import { identifierOf, invalidCombination, invalidValue, missing } from './names.ts';
import { refuseUnsupported, resourceId, restoredShape } from './shape.ts';
import type { Snapshot } from './store.ts';
import { tagsOf } from './tags.ts';

type RestoreInput = RestoreDBInstanceFromDBSnapshotMessage | RestoreDBInstanceToPointInTimeMessage;
type RestoreJob = Extract<Job, { kind: 'restore' }>;

/** Notes the new instance and begins its restore. It has the logins of the original, and its parameters only if they are named. */
const restoreAs = async (
  context: RdsContext,
  id: string,
  input: RestoreInput,
  { of, base, log }: { of: Instance; base: Snapshot; log?: RestoreJob['log'] },
) => {
  const { store, jobs, seal } = context;
  refuseUnsupported(input);
  if (store.instances.get(id)) throw instanceExists(id);
  requireRoom(context);
  const shape = restoredShape(store, of, input);
  const resource = resourceId();
  const managed = { ManageMasterUserPassword: input.ManageMasterUserPassword };
  const master = await masterPassword(context, managed, { username: of.masterUsername, resource, id });
  if (store.instances.get(id)) throw instanceExists(id);
  const status = 'creating';
  store.instances.put(id, {
    ...shape,
    id,
    resourceId: resource,
    status,
    masterUsername: of.masterUsername,
    masterSecret: master?.secret,
    database: of.database,
    tags: tagsOf(input.Tags),
  });
  const job: RestoreJob = {
    kind: 'restore',
    snapshot: base.id,
    log,
    port: input.Port,
    ...(master ? { password: seal(master.password) } : {}),
  };
  return shown(context, jobs.begin(id, job, status));
};

const fromSnapshot = (context: RdsContext, input: RestoreDBInstanceFromDBSnapshotMessage) => {
  const id = identifierOf('DBInstanceIdentifier', input.DBInstanceIdentifier);
  const base = requireSnapshot(context.store, input.DBSnapshotIdentifier);
  if (base.status !== 'available')
    throw new ServiceError(
      'InvalidDBSnapshotStateFault',
      `The snapshot ${base.id} is ${base.status}; it must be available to be restored.`,
    );
  return restoreAs(context, id, input, { of: base.of, base });
};

/** The moment that a call asks for, in milliseconds; undefined for the newest. */
const momentOf = (source: Instance, input: RestoreDBInstanceToPointInTimeMessage): number | undefined => {
  const { RestoreTime, UseLatestRestorableTime: newest = false } = input;
  if (newest === (RestoreTime !== undefined))
    throw invalidCombination('Give either RestoreTime or UseLatestRestorableTime, and not both.');
  if (RestoreTime === undefined) return undefined;
  const { restorableUntil = 0 } = source;
  if (RestoreTime.getTime() > restorableUntil)
    throw invalidValue(
      `The specified instance cannot be restored to a time later than ${new Date(restorableUntil).toISOString()}: RestoreTime is ${RestoreTime.toISOString()}.`,
    );
  return RestoreTime.getTime();
};

const toPointInTime = (context: RdsContext, input: RestoreDBInstanceToPointInTimeMessage) => {
  const { store } = context;
  const id = identifierOf('TargetDBInstanceIdentifier', input.TargetDBInstanceIdentifier);
  refuseUnsupported(input);
  const named = input.SourceDbiResourceId
    ? store.instances.all().find(({ resourceId: resource }) => resource === input.SourceDbiResourceId)?.id
    : input.SourceDBInstanceIdentifier;
  if (named === undefined && !input.SourceDbiResourceId) throw missing('SourceDBInstanceIdentifier');
  const source = requireInstance(store, named ?? input.SourceDbiResourceId, 'SourceDBInstanceIdentifier');
  if (source.retention === 0)
    throw new ServiceError(
      'PointInTimeRestoreNotEnabledFault',
      `DB instance ${source.id} has BackupRetentionPeriod 0: point-in-time restore is not enabled for it.`,
    );
  const at = momentOf(source, input);
  const bases = automatedOf(store, source.id).filter(({ status }) => status === 'available');
  const base = bases.findLast(({ consistentAt = 0 }) => at === undefined || consistentAt <= at);
  if (!base)
    throw invalidValue(
      `The specified instance cannot be restored to a time earlier than ${new Date(bases[0]?.consistentAt ?? Date.now()).toISOString()}, the end of its oldest backup.`,
    );
  return restoreAs(context, id, input, { of: source, base, log: { source: source.id, at } });
};

export const restoreOperations = (context: RdsContext): Operations => ({
  RestoreDBInstanceFromDBSnapshot: (input: RestoreDBInstanceFromDBSnapshotMessage) => fromSnapshot(context, input),
  RestoreDBInstanceToPointInTime: (input: RestoreDBInstanceToPointInTimeMessage) => toPointInTime(context, input),
});
