import { CreateDBParameterGroupCommand, ModifyDBParameterGroupCommand, type RDSClient } from '@aws-sdk/client-rds';
import { ensure } from './target.ts';

/** Names that `SERVER_PARAMETER_GROUP` and its like have on the laptop; AWS's own come from lib/tenant-servers.ts. */
export const serverParameterGroup = 'tenantry-tenant-servers';

/** The parameters with which servers of single tenants are made. Safe to repeat. */
export const createServerParameters = async (rds: RDSClient): Promise<void> => {
  await ensure(
    () =>
      rds.send(
        new CreateDBParameterGroupCommand({
          DBParameterGroupName: serverParameterGroup,
          DBParameterGroupFamily: 'postgres15',
          Description: 'PostgreSQL servers of single tenants',
        }),
      ),
    'DBParameterGroupAlreadyExists',
    'DBParameterGroupAlreadyExistsFault',
  );
  await rds.send(
    new ModifyDBParameterGroupCommand({
      DBParameterGroupName: serverParameterGroup,
      Parameters: [
        { ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' },
        { ParameterName: 'log_lock_waits', ParameterValue: '1', ApplyMethod: 'immediate' },
      ],
    }),
  );
};
