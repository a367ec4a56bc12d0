import type { DBInstance, DBSnapshot } from '@aws-sdk/client-rds';
import { type Account, arnOf } from './names.ts';
import type { ParameterValues } from './parameters.ts';
import type { Snapshot } from './store.ts';

/** What a call may choose about an instance, and what changes with it. */
export interface Shape {
  readonly class: string;
  /** Gibibytes. */
  readonly storage: number;
  readonly storageType: string;
  readonly engineVersion: string;
  readonly multiZone: boolean;
  /** Days; 0 switches automated backups off. */
  readonly retention: number;
  readonly parameterGroup: string;
  readonly subnetGroup?: string | undefined;
  readonly securityGroups: readonly string[];
  readonly backupWindow: string;
  readonly maintenanceWindow: string;
  readonly public: boolean;
  readonly minorUpgrades: boolean;
  readonly copyTags: boolean;
  readonly encrypted: boolean;
  readonly keyId?: string | undefined;
  readonly deletionProtection: boolean;
}

/** What an instance is in the middle of; kept on disk, so that a new life of the cloud takes it up from its beginning. */
export type Job =
  | { readonly kind: 'create'; readonly password: string; readonly port?: number | undefined }
  | {
      readonly kind: 'restore';
      readonly snapshot: string;
      /** Whose log is played on top of the snapshot, and up to when; without a time as far as it goes. */
      readonly log?: { readonly source: string; readonly at?: number | undefined } | undefined;
      readonly password?: string | undefined;
      readonly port?: number | undefined;
    }
  | {
      readonly kind: 'modify';
      readonly change: Partial<Shape>;
      readonly password?: string | undefined;
      readonly restart: boolean;
    }
  | { readonly kind: 'reboot' | 'start' }
  | { readonly kind: 'stop'; readonly snapshot?: string | undefined }
  | { readonly kind: 'snapshot'; readonly snapshot: string }
  | { readonly kind: 'delete'; readonly finalSnapshot?: string | undefined };

/** One DB instance. Times are milliseconds since 1970; passwords are sealed. */
export interface Instance extends Shape {
  readonly id: string;
  readonly resourceId: string;
  readonly status: string;
  readonly createdAt?: number;
  readonly masterUsername: string;
  readonly masterSecret?: string | undefined;
  readonly database?: string | undefined;
  readonly port?: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Asked for without ApplyImmediately: waits for a modification with it. */
  readonly pending?: Partial<Shape>;
  /** The parameters with which the server runs. */
  readonly applied?: { readonly group: string; readonly values: ParameterValues };
  readonly restorableUntil?: number;
  readonly job?: Job | undefined;
}

export const tagList = (tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

const dateOf = (time: number | undefined): Date | undefined => (time === undefined ? undefined : new Date(time));

const subnetGroupOf = (name: string | undefined): DBInstance['DBSubnetGroup'] =>
  name === undefined ? undefined : { DBSubnetGroupName: name, SubnetGroupStatus: 'Complete', VpcId: 'vpc-local' };

const majorOf = (version: string): string => version.split('.')[0]!;

/** In sync, or waiting for a reboot: another group than the server was started with, or other values in it. */
const applyStatus = ({ parameterGroup, applied, status }: Instance, values: ParameterValues): string => {
  if (applied === undefined) return 'in-sync';
  if (status === 'rebooting') return 'applying';
  const names = new Set([...Object.keys(values), ...Object.keys(applied.values)]);
  const same = applied.group === parameterGroup && [...names].every((name) => values[name] === applied.values[name]);
  return same ? 'in-sync' : 'pending-reboot';
};

/** An instance as RDS describes it. `values` are those of its parameter group now. The address exists once a server does. */
export const describeInstance = (account: Account, instance: Instance, values: ParameterValues): DBInstance => {
  const { pending = {}, job } = instance;
  return {
    DBInstanceIdentifier: instance.id,
    DBInstanceArn: arnOf(account, 'db', instance.id),
    DbiResourceId: instance.resourceId,
    DBInstanceStatus: instance.status,
    DBInstanceClass: instance.class,
    Engine: 'postgres',
    EngineVersion: instance.engineVersion,
    LicenseModel: 'postgresql-license',
    MasterUsername: instance.masterUsername,
    MasterUserSecret: instance.masterSecret
      ? { SecretArn: instance.masterSecret, SecretStatus: 'active', KmsKeyId: 'alias/aws/secretsmanager' }
      : undefined,
    DBName: instance.database,
    Endpoint: instance.port === undefined ? undefined : { Address: '127.0.0.1', Port: instance.port },
    DbInstancePort: 0,
    AllocatedStorage: instance.storage,
    StorageType: instance.storageType,
    StorageEncrypted: instance.encrypted,
    KmsKeyId: instance.keyId,
    InstanceCreateTime: dateOf(instance.createdAt),
    BackupRetentionPeriod: instance.retention,
    LatestRestorableTime: instance.retention === 0 ? undefined : dateOf(instance.restorableUntil),
    PreferredBackupWindow: instance.backupWindow,
    PreferredMaintenanceWindow: instance.maintenanceWindow,
    MultiAZ: instance.multiZone,
    AvailabilityZone: `${account.region}a`,
    DBSubnetGroup: subnetGroupOf(instance.subnetGroup),
    VpcSecurityGroups: instance.securityGroups.map((id) => ({ VpcSecurityGroupId: id, Status: 'active' })),
    DBSecurityGroups: [],
    DBParameterGroups: [
      { DBParameterGroupName: instance.parameterGroup, ParameterApplyStatus: applyStatus(instance, values) },
    ],
    OptionGroupMemberships: [
      { OptionGroupName: `default:postgres-${majorOf(instance.engineVersion)}`, Status: 'in-sync' },
    ],
    PendingModifiedValues: {
      DBInstanceClass: pending.class,
      AllocatedStorage: pending.storage,
      MultiAZ: pending.multiZone,
      BackupRetentionPeriod: pending.retention,
      StorageType: pending.storageType,
      MasterUserPassword: job?.kind === 'modify' && job.password !== undefined ? '****' : undefined,
    },
    PubliclyAccessible: instance.public,
    AutoMinorVersionUpgrade: instance.minorUpgrades,
    CopyTagsToSnapshot: instance.copyTags,
    DeletionProtection: instance.deletionProtection,
    IAMDatabaseAuthenticationEnabled: false,
    ReadReplicaDBInstanceIdentifiers: [],
    TagList: tagList(instance.tags),
  };
};

export const describeSnapshot = (account: Account, snapshot: Snapshot): DBSnapshot => {
  const { of: instance } = snapshot;
  return {
    DBSnapshotIdentifier: snapshot.id,
    DBSnapshotArn: arnOf(account, 'snapshot', snapshot.id),
    DBInstanceIdentifier: snapshot.instance,
    DbiResourceId: instance.resourceId,
    SnapshotType: snapshot.type,
    Status: snapshot.status,
    PercentProgress: snapshot.status === 'available' ? 100 : 0,
    SnapshotCreateTime: dateOf(snapshot.consistentAt),
    OriginalSnapshotCreateTime: dateOf(snapshot.consistentAt),
    InstanceCreateTime: dateOf(instance.createdAt),
    Engine: 'postgres',
    EngineVersion: instance.engineVersion,
    LicenseModel: 'postgresql-license',
    MasterUsername: instance.masterUsername,
    AllocatedStorage: instance.storage,
    StorageType: instance.storageType,
    Encrypted: instance.encrypted,
    KmsKeyId: instance.keyId,
    AvailabilityZone: `${account.region}a`,
    Port: instance.port,
    TagList: tagList(snapshot.tags),
  };
};
