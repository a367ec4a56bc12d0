import {
  CreateDBParameterGroupCommand,
  ModifyDBParameterGroupCommand,
  type Parameter,
  type RDSClient,
} from '@aws-sdk/client-rds';
import { ensure } from './target.ts';

/** Names that `SERVER_PARAMETER_GROUP` and its like have on the laptop; AWS's own come from lib/tenant-servers.ts. */
export const serverParameterGroup = 'tenantry-tenant-servers';
export const recoveryParameterGroup = 'tenantry-tenant-servers-recovery';

const common: readonly Parameter[] = [
  { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
  { ParameterName: 'log_lock_waits', ParameterValue: '1', ApplyMethod: 'immediate' },
];

const createGroup = async (
  rds: RDSClient,
  { name, description, parameters }: { name: string; description: string; parameters: readonly Parameter[] },
): Promise<void> => {
  await ensure(
    () =>
      rds.send(
        new CreateDBParameterGroupCommand({
          DBParameterGroupName: name,
          DBParameterGroupFamily: 'postgres15',
          Description: description,
        }),
      ),
    'DBParameterGroupAlreadyExists',
    'DBParameterGroupAlreadyExistsFault',
  );
  await rds.send(new ModifyDBParameterGroupCommand({ DBParameterGroupName: name, Parameters: [...parameters] }));
};

/** The parameters with which servers of single tenants are made, and restored to a moment. Safe to repeat. */
export const createServerParameters = async (rds: RDSClient): Promise<void> => {
  await createGroup(rds, {
    name: serverParameterGroup,
    description: 'PostgreSQL servers of single tenants',
    parameters: common,
  });
  await createGroup(rds, {
    name: recoveryParameterGroup,
    description: 'Servers of single tenants as they were at a moment',
    parameters: [
      ...common,
      { ParameterName: 'max_logical_replication_workers', ParameterValue: '0', ApplyMethod: 'pending-reboot' },
    ],
  });
};
