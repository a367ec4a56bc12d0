import type {
  CreateDBInstanceMessage,
  DBInstanceMessage,
  DeleteDBInstanceMessage,
  DescribeDBInstancesMessage,
  ModifyDBInstanceMessage,
  RebootDBInstanceMessage,
  StartDBInstanceMessage,
  StopDBInstanceMessage,
} from '@aws-sdk/client-rds';
import { ServiceError } from '../gateway/service.ts';
import { automatedOf, inUse } from './backups.ts';
import { instanceExists, type Operations, type RdsContext, requireInstance, requireStatus } from './context.ts';
import { describeInstance, type Instance, type Job, type Shape } from './instance.ts';
import {
  identifierOf,
  invalidCombination,
  invalidValue,
  masterPasswordOf,
  masterUsernameOf,
  missing,
} from './names.ts';
import { applyFilters, pageOf } from './paging.ts';
import { groupValues } from './parameter-groups.ts';
import { generatedPassword } from './secrets.ts';
import { newShape, planModification, refuseUnsupported, resourceId } from './shape.ts';
import { prepareSnapshot } from './snapshot-operations.ts';
import { tagsOf } from './tags.ts';

/** RDS's default quota of instances in a region. */
const instanceQuota = 40;

export const requireRoom = ({ store }: RdsContext): void => {
  if (store.instances.all().length >= instanceQuota)
    throw new ServiceError(
      'InstanceQuotaExceededFault',
      `Instance quota exceeded: ${instanceQuota} DB instances are allowed in a region.`,
    );
};

export const shown = ({ store, account }: RdsContext, instance: Instance) => ({
  DBInstance: describeInstance(account, instance, groupValues(store, instance.parameterGroup)),
});

interface MasterPassword {
  readonly password: string;
  readonly secret?: string;
}

/** The password that a call names, or one that RDS makes and keeps in Secrets Manager. Undefined when the call asks for none. */
export const masterPassword = async (
  { secrets }: RdsContext,
  input: { MasterUserPassword?: string | undefined; ManageMasterUserPassword?: boolean | undefined },
  login: { readonly username: string; readonly resource: string; readonly id: string },
): Promise<MasterPassword | undefined> => {
  const { MasterUserPassword: given, ManageMasterUserPassword: managed } = input;
  if (!managed) return given === undefined ? undefined : { password: masterPasswordOf(given) };
  if (given !== undefined)
    throw invalidCombination('You cannot specify MasterUserPassword when ManageMasterUserPassword is enabled.');
  if (!secrets) throw new ServiceError('NotImplemented', 'rds has no Secrets Manager beside it here.', { status: 501 });
  const password = generatedPassword();
  const name = `rds!${login.resource.toLowerCase()}`;
  return { password, secret: await secrets.keep(name, { username: login.username, password }) };
};

const readDatabase = (name: string | undefined): string | undefined => {
  if (name === undefined || /^[a-z_]\w{0,62}$/i.test(name)) return name;
  throw invalidValue(`DBName ${name} must be 1 to 63 letters, digits and underscores, and not begin with a digit.`);
};

const create = async (context: RdsContext, input: CreateDBInstanceMessage) => {
  refuseUnsupported(input);
  const { store, jobs, seal } = context;
  const id = identifierOf('DBInstanceIdentifier', input.DBInstanceIdentifier);
  if (store.instances.get(id)) throw instanceExists(id);
  requireRoom(context);
  const shape = newShape(store, input);
  const username = masterUsernameOf(input.MasterUsername);
  const database = readDatabase(input.DBName);
  const tags = tagsOf(input.Tags);
  const resource = resourceId();
  const master = await masterPassword(context, input, { username, resource, id });
  if (!master) throw missing('MasterUserPassword');
  // Between the first look and here the secret was made: somebody may have come first.
  if (store.instances.get(id)) throw instanceExists(id);
  const status = 'creating';
  store.instances.put(id, {
    ...shape,
    id,
    resourceId: resource,
    status,
    masterUsername: username,
    masterSecret: master.secret,
    database,
    tags,
  });
  return shown(context, jobs.begin(id, { kind: 'create', password: seal(master.password), port: input.Port }, status));
};

const describe = (context: RdsContext, input: DescribeDBInstancesMessage): DBInstanceMessage => {
  const { store, account, shipping } = context;
  const one = input.DBInstanceIdentifier ? requireInstance(store, input.DBInstanceIdentifier) : undefined;
  // Who looks at one instance may wait for it to be restorable; what this answer says is what is on disk now.
  if (one && one.status === 'available' && one.retention > 0 && one.job === undefined)
    shipping.shipWhenDue(one.id, true).catch(() => undefined);
  const found = applyFilters(one ? [one] : store.instances.all(), input.Filters, {
    'db-instance-id': ({ id }) => [id],
    'dbi-resource-id': ({ resourceId: resource }) => [resource],
    engine: () => ['postgres'],
    'db-cluster-id': () => [],
    domain: () => [],
  });
  const { items, Marker } = pageOf(found, ({ id }) => id, input);
  return {
    DBInstances: items.map((instance) =>
      describeInstance(account, instance, groupValues(store, instance.parameterGroup)),
    ),
    Marker,
  };
};

/** Class and backups are switched by a restart; storage is grown without one. */
const costsRestart = (change: Partial<Shape>): boolean => change.class !== undefined || change.retention !== undefined;

const modify = async (context: RdsContext, input: ModifyDBInstanceMessage) => {
  refuseUnsupported(input);
  const { store, jobs, seal } = context;
  const instance = requireInstance(store, input.DBInstanceIdentifier);
  if (['creating', 'deleting'].includes(instance.status)) requireStatus(instance, 'modify', 'available');
  const { now, later } = planModification(store, instance, input);
  // A modification that is applied takes with it what has waited.
  const change = input.ApplyImmediately ? { ...instance.pending, ...later } : {};
  const waiting = input.ApplyImmediately ? {} : { ...instance.pending, ...later };
  const password = input.MasterUserPassword === undefined ? undefined : masterPasswordOf(input.MasterUserPassword);
  const work = Object.keys(change).length > 0 || password !== undefined || input.ManageMasterUserPassword === true;
  if (work) requireStatus(instance, 'modify', 'available');
  const login = { username: instance.masterUsername, resource: instance.resourceId, id: instance.id };
  const master = await masterPassword(context, input, login);
  const secret = master?.secret === undefined ? {} : { masterSecret: master.secret };
  const changed = store.instances.update(instance.id, { ...now, ...secret, pending: waiting })!;
  if (!work) return shown(context, changed);
  const job: Job = {
    kind: 'modify',
    change,
    restart: costsRestart(change),
    ...(master ? { password: seal(master.password) } : {}),
  };
  return shown(context, jobs.begin(instance.id, job, 'modifying'));
};

const reboot = (context: RdsContext, input: RebootDBInstanceMessage) => {
  const { store, jobs } = context;
  const instance = requireInstance(store, input.DBInstanceIdentifier);
  requireStatus(instance, 'reboot', 'available', 'incompatible-parameters');
  if (input.ForceFailover && !instance.multiZone)
    throw invalidCombination(`You cannot force a failover of ${instance.id}: it is not in several zones.`);
  return shown(context, jobs.begin(instance.id, { kind: 'reboot' }, 'rebooting'));
};

const start = (context: RdsContext, input: StartDBInstanceMessage) => {
  const instance = requireInstance(context.store, input.DBInstanceIdentifier);
  requireStatus(instance, 'start', 'stopped');
  return shown(context, context.jobs.begin(instance.id, { kind: 'start' }, 'starting'));
};

const stop = (context: RdsContext, input: StopDBInstanceMessage) => {
  const instance = requireInstance(context.store, input.DBInstanceIdentifier);
  requireStatus(instance, 'stop', 'available');
  const snapshot = prepareSnapshot(context, instance, input.DBSnapshotIdentifier);
  return shown(context, context.jobs.begin(instance.id, { kind: 'stop', snapshot: snapshot?.id }, 'stopping'));
};

const remove = (context: RdsContext, input: DeleteDBInstanceMessage) => {
  const { store, jobs } = context;
  const instance = requireInstance(store, input.DBInstanceIdentifier);
  const { id, status, job } = instance;
  if (status === 'deleting')
    throw new ServiceError('InvalidDBInstanceStateFault', `Instance ${id} is already being deleted.`);
  if (instance.deletionProtection)
    throw invalidCombination('Cannot delete protected DB Instance, please disable deletion protection and try again.');
  const { SkipFinalSnapshot: skip = false, FinalDBSnapshotIdentifier: final } = input;
  if (skip === (final !== undefined))
    throw invalidCombination(
      skip
        ? 'FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.'
        : 'FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.',
    );
  if (input.DeleteAutomatedBackups === false)
    throw new ServiceError('NotImplemented', 'rds does not keep automated backups of deleted instances here.', {
      status: 501,
    });
  if (job !== undefined) requireStatus(instance, 'delete', 'available');
  const used = inUse(store);
  const played = store.instances.all().find((other) => other.job?.kind === 'restore' && other.job.log?.source === id);
  if (played || automatedOf(store, id).some((snapshot) => used.has(snapshot.id)))
    throw new ServiceError('InvalidDBInstanceStateFault', `Instance ${id} is being restored from; try again later.`);
  if (final !== undefined && ['failed', 'incompatible-restore'].includes(status))
    requireStatus(instance, 'take a final snapshot of', 'available', 'stopped');
  const snapshot = prepareSnapshot(context, instance, final);
  return shown(context, jobs.begin(id, { kind: 'delete', finalSnapshot: snapshot?.id }, 'deleting'));
};

export const instanceOperations = (context: RdsContext): Operations => ({
  CreateDBInstance: (input: CreateDBInstanceMessage) => create(context, input),
  DescribeDBInstances: (input: DescribeDBInstancesMessage) => describe(context, input),
  ModifyDBInstance: (input: ModifyDBInstanceMessage) => modify(context, input),
  RebootDBInstance: (input: RebootDBInstanceMessage) => reboot(context, input),
  StartDBInstance: (input: StartDBInstanceMessage) => start(context, input),
  StopDBInstance: (input: StopDBInstanceMessage) => stop(context, input),
  DeleteDBInstance: (input: DeleteDBInstanceMessage) => remove(context, input),
});
