import {
  CreateDBInstanceCommand,
  type DBInstance,
  DBInstanceAlreadyExistsFault,
  DBInstanceNotFoundFault,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  InvalidDBInstanceStateFault,
  ModifyDBInstanceCommand,
  type RDSClient,
  RDSServiceException,
  RestoreDBInstanceToPointInTimeCommand,
} from '@aws-sdk/client-rds';
import { StepFailure } from '../domain/errors.ts';
import type { Credentials } from './secrets.ts';

/** How servers of single tenants are made; `lib/tenant-servers.ts` deploys what the names stand for. */
export interface ServerSettings {
  readonly instanceClass: string;
  readonly storageGb: number;
  /** PostgreSQL version, `16.6` or its major alone. */
  readonly engineVersion: string;
  /** It must switch `rds.logical_replication` on: a server without it can neither take a tenant in nor give one back. */
  readonly parameterGroup: string;
  /**
   * Of a server that is restored to a moment: it must have `max_logical_replication_workers` 0. The subscriptions of a move that
   * was open then are enabled in it, and would take from the publisher what the tenant's server still needs.
   */
  readonly recoveryParameterGroup: string;
  readonly subnetGroup: string;
  readonly securityGroup: string;
}

/** Where an instance lies: names of a DB subnet group and a security group. */
export interface ServerNetwork {
  readonly subnetGroup: string;
  readonly securityGroup: string;
}

/** `tenant` is whose server it is; an instance without that tag, or of another tenant, is never touched. */
export type ServerTags = Readonly<Record<string, string>> & { readonly tenant: string };

export interface ServerState {
  /** RDS's own word: `creating`, `available`, `deleting`, ... */
  readonly status: string;
  /** Undefined until RDS has given it an address. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly tenant: string | undefined;
  readonly deletionProtection: boolean;
  /** The newest moment that it can be restored to. */
  readonly restorableUntil: Date | undefined;
}

export interface Servers {
  /** Asks for an instance; one that is there already, for the same tenant, is left as it is. Throws ServerRefused. */
  create(server: {
    readonly instance: string;
    readonly master: Credentials;
    readonly tags: ServerTags;
    /** The shared network unless told: a tenant with a cluster of its own has database subnets there. */
    readonly network?: ServerNetwork | undefined;
  }): Promise<void>;
  describe(instance: string): Promise<ServerState | undefined>;
  /**
   * Asks for the deletion of a tenant's instance and its automated backups, protection taken off first. One that is not there,
   * or on its way out, is left so. Throws ServerNotReady while it is busy, ServerRefused when it is not the tenant's.
   */
  remove(server: { readonly instance: string; readonly tenantId: string }): Promise<void>;
  /** Asks for a new instance with the state of `source` at a moment; a repeat changes nothing. Throws ServerRefused. */
  restoreTo(restore: {
    readonly source: string;
    readonly target: string;
    readonly at: Date;
    readonly tags: ServerTags;
  }): Promise<void>;
}

const stateOf = (instance: DBInstance): ServerState => ({
  status: instance.DBInstanceStatus ?? 'unknown',
  host: instance.Endpoint?.Address,
  port: instance.Endpoint?.Port,
  tenant: instance.TagList?.find(({ Key }) => Key === 'tenant')?.Value,
  deletionProtection: instance.DeletionProtection ?? false,
  restorableUntil: instance.LatestRestorableTime,
});

const listOf = (tags: ServerTags): { Key: string; Value: string }[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** What RDS will not do however often it is asked: quotas, parameters, names. Throttling and its own faults stay what they are. */
const refused = (what: string, error: unknown): unknown =>
  error instanceof RDSServiceException && error.$fault === 'client' && error.$retryable === undefined
    ? new StepFailure('ServerRefused', `${what}: RDS says ${error.name}: ${error.message}`, { cause: error })
    : error;

export const openServers = (client: RDSClient, settings: ServerSettings): Servers => {
  const describe = async (instance: string): Promise<ServerState | undefined> => {
    try {
      const { DBInstances } = await client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: instance }));
      const [found] = DBInstances ?? [];
      return found && stateOf(found);
    } catch (error) {
      if (error instanceof DBInstanceNotFoundFault) return undefined;
      throw error;
    }
  };
  /** A name that is taken is ours from an attempt before, or somebody else's, which nothing may be done with. */
  const requireOwn = async (instance: string, tenant: string): Promise<void> => {
    const found = await describe(instance);
    if (found && found.tenant !== tenant)
      throw new StepFailure(
        'ServerRefused',
        `server ${instance} belongs to ${found.tenant ?? 'nobody that Tenantry knows'}, not to tenant ${tenant}; delete or rename it by hand`,
      );
  };
  const ask = async (instance: string, tenant: string, call: () => Promise<unknown>): Promise<void> => {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof DBInstanceAlreadyExistsFault)) throw refused(`server ${instance}`, error);
      await requireOwn(instance, tenant);
    }
  };
  const shape = {
    DBInstanceClass: settings.instanceClass,
    DBParameterGroupName: settings.parameterGroup,
    DBSubnetGroupName: settings.subnetGroup,
    VpcSecurityGroupIds: [settings.securityGroup],
    PubliclyAccessible: false,
    AutoMinorVersionUpgrade: false,
    CopyTagsToSnapshot: true,
  };
  return {
    describe,
    create: ({ instance, master, tags, network }) =>
      ask(instance, tags.tenant, () =>
        client.send(
          new CreateDBInstanceCommand({
            ...shape,
            ...(network && { DBSubnetGroupName: network.subnetGroup, VpcSecurityGroupIds: [network.securityGroup] }),
            DBInstanceIdentifier: instance,
            Engine: 'postgres',
            EngineVersion: settings.engineVersion,
            AllocatedStorage: settings.storageGb,
            StorageType: 'gp3',
            StorageEncrypted: true,
            MasterUsername: master.username,
            MasterUserPassword: master.password,
            BackupRetentionPeriod: 7,
            DeletionProtection: true,
            Tags: listOf(tags),
          }),
        ),
      ),
    remove: async ({ instance, tenantId }) => {
      const found = await describe(instance);
      if (!found || found.status === 'deleting') return;
      await requireOwn(instance, tenantId);
      try {
        if (found.deletionProtection)
          await client.send(
            new ModifyDBInstanceCommand({
              DBInstanceIdentifier: instance,
              DeletionProtection: false,
              ApplyImmediately: true,
            }),
          );
        await client.send(
          new DeleteDBInstanceCommand({
            DBInstanceIdentifier: instance,
            SkipFinalSnapshot: true,
            DeleteAutomatedBackups: true,
          }),
        );
      } catch (error) {
        if (error instanceof DBInstanceNotFoundFault) return;
        if (error instanceof InvalidDBInstanceStateFault)
          throw new StepFailure('ServerNotReady', `server ${instance} is ${found.status}: ${error.message}`, {
            cause: error,
          });
        throw refused(`server ${instance}`, error);
      }
    },
    restoreTo: ({ source, target, at, tags }) =>
      ask(target, tags.tenant, () =>
        client.send(
          new RestoreDBInstanceToPointInTimeCommand({
            ...shape,
            DBParameterGroupName: settings.recoveryParameterGroup,
            SourceDBInstanceIdentifier: source,
            TargetDBInstanceIdentifier: target,
            RestoreTime: at,
            DeletionProtection: false,
            Tags: listOf(tags),
          }),
        ),
      ),
  };
};
