import { randomBytes } from 'node:crypto';
import type {
  CreateDBInstanceMessage,
  ModifyDBInstanceMessage,
  RestoreDBInstanceFromDBSnapshotMessage,
  RestoreDBInstanceToPointInTimeMessage,
} from '@aws-sdk/client-rds';
import { ServiceError } from '../gateway/service.ts';
import { engineFor } from './engine.ts';
import type { Instance, Shape } from './instance.ts';
import { invalidCombination, invalidValue, missing } from './names.ts';
import { defaultGroup, requireGroup } from './parameter-groups.ts';
import type { RdsStore } from './store.ts';

/** Members that are refused instead of kept without effect: who sends them counts on what the laptop does not do. */
const unsupported = [
  'DBClusterIdentifier',
  'Domain',
  'NewDBInstanceIdentifier',
  'SourceDBInstanceAutomatedBackupsArn',
  'DBPortNumber',
  'RotateMasterUserPassword',
  'EnableIAMDatabaseAuthentication',
] as const;

export const refuseUnsupported = (input: object): void => {
  const values = input as Readonly<Record<string, unknown>>;
  const found = unsupported.find((member) => values[member] !== undefined && values[member] !== false);
  if (found)
    throw new ServiceError('NotImplemented', `rds does not implement ${found} here; AWS itself does.`, { status: 501 });
};

const classOf = (given: string | undefined): string => {
  if (!given) throw missing('DBInstanceClass');
  if (/^db\.[a-z0-9-]+\.[a-z0-9-]+$/.test(given)) return given;
  throw invalidValue(`Invalid DB Instance class: ${given}; it must look like db.t4g.medium.`);
};

/** General purpose SSD of RDS for PostgreSQL: 20 to 65,536 GiB. */
const storageOf = (given: number | undefined): number => {
  if (given === undefined) throw missing('AllocatedStorage');
  if (Number.isInteger(given) && given >= 20 && given <= 65_536) return given;
  throw invalidValue(`Invalid storage size for engine name postgres and storage type gp3: ${given}; give 20 to 65536.`);
};

/** 0 to 35 days. */
const retentionOf = (given: number): number => {
  if (Number.isInteger(given) && given >= 0 && given <= 35) return given;
  throw invalidValue(`Invalid backup retention period: ${given}. Must be between 0 and 35.`);
};

export const resourceId = (): string => `db-${randomBytes(16).toString('hex').slice(0, 26).toUpperCase()}`;

const parameterGroupOf = (store: RdsStore, given: string | undefined, engineVersion: string): string => {
  const major = engineVersion.split('.')[0]!;
  const group = requireGroup(store, given ?? defaultGroup(major));
  if (group.family === `postgres${major}`) return group.name;
  throw invalidCombination(
    `The parameter group ${group.name} with DBParameterGroupFamily ${group.family} cannot be used for this instance. Please use a parameter group with DBParameterGroupFamily postgres${major}`,
  );
};

export const newShape = (store: RdsStore, input: CreateDBInstanceMessage): Shape => {
  const { version } = engineFor(input.Engine, input.EngineVersion);
  return {
    class: classOf(input.DBInstanceClass),
    storage: storageOf(input.AllocatedStorage),
    storageType: input.StorageType ?? 'gp3',
    engineVersion: version,
    multiZone: input.MultiAZ ?? false,
    retention: retentionOf(input.BackupRetentionPeriod ?? 1),
    parameterGroup: parameterGroupOf(store, input.DBParameterGroupName, version),
    subnetGroup: input.DBSubnetGroupName,
    securityGroups: input.VpcSecurityGroupIds ?? [],
    backupWindow: input.PreferredBackupWindow ?? '02:00-02:30',
    maintenanceWindow: input.PreferredMaintenanceWindow ?? 'sun:03:00-sun:03:30',
    public: input.PubliclyAccessible ?? false,
    minorUpgrades: input.AutoMinorVersionUpgrade ?? true,
    copyTags: input.CopyTagsToSnapshot ?? false,
    encrypted: input.StorageEncrypted ?? false,
    keyId: input.KmsKeyId,
    deletionProtection: input.DeletionProtection ?? false,
  };
};

type RestoreInput = RestoreDBInstanceFromDBSnapshotMessage & RestoreDBInstanceToPointInTimeMessage;

/** The shape of a restored instance: that of the original, where the call does not say otherwise; groups are its own. */
export const restoredShape = (store: RdsStore, of: Instance, input: Partial<RestoreInput>): Shape => {
  if (input.Engine !== undefined) engineFor(input.Engine, undefined);
  if (input.AllocatedStorage !== undefined && input.AllocatedStorage < of.storage)
    throw invalidCombination(
      `AllocatedStorage ${input.AllocatedStorage} is less than the ${of.storage} of the original.`,
    );
  return {
    class: input.DBInstanceClass === undefined ? of.class : classOf(input.DBInstanceClass),
    storage: input.AllocatedStorage === undefined ? of.storage : storageOf(input.AllocatedStorage),
    storageType: input.StorageType ?? of.storageType,
    engineVersion: of.engineVersion,
    multiZone: input.MultiAZ ?? false,
    retention: retentionOf(input.BackupRetentionPeriod ?? of.retention),
    parameterGroup: parameterGroupOf(store, input.DBParameterGroupName, of.engineVersion),
    subnetGroup: input.DBSubnetGroupName ?? of.subnetGroup,
    securityGroups: input.VpcSecurityGroupIds ?? [],
    backupWindow: input.PreferredBackupWindow ?? of.backupWindow,
    maintenanceWindow: of.maintenanceWindow,
    public: input.PubliclyAccessible ?? of.public,
    minorUpgrades: input.AutoMinorVersionUpgrade ?? of.minorUpgrades,
    copyTags: input.CopyTagsToSnapshot ?? of.copyTags,
    encrypted: of.encrypted,
    keyId: of.keyId,
    deletionProtection: input.DeletionProtection ?? false,
  };
};

const defined = (change: { readonly [Key in keyof Shape]?: Shape[Key] | undefined }): Partial<Shape> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<Shape>;

const versionChange = (instance: Instance, wanted: string | undefined): void => {
  if (wanted === undefined) return;
  const { version } = engineFor('postgres', wanted);
  if (version.split('.')[0] !== instance.engineVersion.split('.')[0])
    throw invalidCombination(
      `Cannot upgrade postgres from ${instance.engineVersion} to ${version} here: there is no pg_upgrade among the programs.`,
    );
};

export interface ModifyPlan {
  /** Takes effect with the call. */
  readonly now: Partial<Shape>;
  /** Waits for `ApplyImmediately`: it costs an outage, or storage work. */
  readonly later: Partial<Shape>;
}

/**
 * What a modification changes, and which of it RDS does at once whatever `ApplyImmediately` says ("Settings for DB instances",
 * RDS user guide). Switching backups on or off costs an outage, another number of days does not.
 */
export const planModification = (store: RdsStore, instance: Instance, input: ModifyDBInstanceMessage): ModifyPlan => {
  versionChange(instance, input.EngineVersion);
  const retention = input.BackupRetentionPeriod === undefined ? undefined : retentionOf(input.BackupRetentionPeriod);
  const switches = retention !== undefined && (retention === 0) !== (instance.retention === 0);
  if (input.AllocatedStorage !== undefined && storageOf(input.AllocatedStorage) < instance.storage)
    throw invalidCombination(
      `Invalid storage size: ${input.AllocatedStorage} is less than the ${instance.storage} that DB instance ${instance.id} has; storage only grows.`,
    );
  return {
    now: defined({
      retention: switches ? undefined : retention,
      parameterGroup:
        input.DBParameterGroupName === undefined
          ? undefined
          : parameterGroupOf(store, input.DBParameterGroupName, instance.engineVersion),
      subnetGroup: input.DBSubnetGroupName,
      securityGroups: input.VpcSecurityGroupIds,
      backupWindow: input.PreferredBackupWindow,
      maintenanceWindow: input.PreferredMaintenanceWindow,
      public: input.PubliclyAccessible,
      minorUpgrades: input.AutoMinorVersionUpgrade,
      copyTags: input.CopyTagsToSnapshot,
      deletionProtection: input.DeletionProtection,
    }),
    later: defined({
      class: input.DBInstanceClass === undefined ? undefined : classOf(input.DBInstanceClass),
      storage: input.AllocatedStorage,
      storageType: input.StorageType,
      multiZone: input.MultiAZ,
      retention: switches ? retention : undefined,
    }),
  };
};
