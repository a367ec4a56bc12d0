import type {
  CreateDBSnapshotMessage,
  DBSnapshotMessage,
  DeleteDBSnapshotMessage,
  DescribeDBSnapshotsMessage,
} from '@aws-sdk/client-rds';
import { ServiceError } from '../gateway/service.ts';
import { inUse } from './backups.ts';
import { type Operations, type RdsContext, requireInstance, requireSnapshot, requireStatus } from './context.ts';
import { describeSnapshot, type Instance } from './instance.ts';
import { identifierOf, invalidValue } from './names.ts';
import { applyFilters, pageOf } from './paging.ts';
import type { Snapshot } from './store.ts';
import { tagsOf } from './tags.ts';

/** Notes a manual snapshot that a job will fill. Nothing for no name. Throws DBSnapshotAlreadyExists. */
export const prepareSnapshot = (
  { store }: RdsContext,
  instance: Instance,
  name: string | undefined,
  tags: Readonly<Record<string, string>> = {},
): Snapshot | undefined => {
  if (name === undefined) return undefined;
  const id = identifierOf('DBSnapshotIdentifier', name, 255);
  if (store.snapshots.get(id))
    throw new ServiceError(
      'DBSnapshotAlreadyExistsFault',
      `Cannot create the snapshot because a snapshot with the identifier ${id} already exists.`,
    );
  const { job: _job, ...of } = instance;
  return store.snapshots.put(id, {
    id,
    instance: instance.id,
    type: 'manual',
    status: 'creating',
    startedAt: Date.now(),
    of,
    tags: { ...(instance.copyTags ? instance.tags : {}), ...tags },
  });
};

const create = (context: RdsContext, input: CreateDBSnapshotMessage) => {
  const { store, jobs, account } = context;
  const instance = requireInstance(store, input.DBInstanceIdentifier);
  requireStatus(instance, 'take a snapshot of', 'available');
  const name = identifierOf('DBSnapshotIdentifier', input.DBSnapshotIdentifier, 255);
  const snapshot = prepareSnapshot(context, instance, name, tagsOf(input.Tags))!;
  jobs.begin(instance.id, { kind: 'snapshot', snapshot: snapshot.id }, 'backing-up');
  return { DBSnapshot: describeSnapshot(account, snapshot) };
};

const types = ['manual', 'automated'];

const describe = ({ store, account }: RdsContext, input: DescribeDBSnapshotsMessage): DBSnapshotMessage => {
  const { DBInstanceIdentifier: instance, DBSnapshotIdentifier: name, SnapshotType: type, DbiResourceId } = input;
  if (type !== undefined && !types.includes(type))
    throw invalidValue(`SnapshotType ${type} is not one of ${types.join(', ')}, which are kept here.`);
  const all = name === undefined ? store.snapshots.all() : [requireSnapshot(store, name)];
  const named = all.filter(
    (snapshot) =>
      (instance === undefined || snapshot.instance === instance.toLowerCase()) &&
      (type === undefined || snapshot.type === type) &&
      (DbiResourceId === undefined || snapshot.of.resourceId === DbiResourceId),
  );
  const found = applyFilters(named, input.Filters, {
    'db-instance-id': (snapshot) => [snapshot.instance],
    'db-snapshot-id': ({ id }) => [id],
    'dbi-resource-id': ({ of }) => [of.resourceId],
    'snapshot-type': (snapshot) => [snapshot.type],
    engine: () => ['postgres'],
  });
  const { items, Marker } = pageOf(found, ({ id }) => id, input);
  return { DBSnapshots: items.map((snapshot) => describeSnapshot(account, snapshot)), Marker };
};

const remove = async (
  { store, account }: RdsContext,
  erase: (snapshot: Snapshot) => Promise<void>,
  input: DeleteDBSnapshotMessage,
) => {
  const snapshot = requireSnapshot(store, input.DBSnapshotIdentifier);
  const { id, status, type } = snapshot;
  const invalid = (why: string) =>
    new ServiceError('InvalidDBSnapshotStateFault', `Cannot delete the snapshot ${id}: ${why}`);
  if (type === 'automated') throw invalid('only manual snapshots may be deleted.');
  if (status === 'creating') throw invalid('it is not currently in the available state.');
  if (inUse(store).has(id)) throw invalid('it is being restored.');
  await erase(snapshot);
  return { DBSnapshot: { ...describeSnapshot(account, snapshot), Status: 'deleted' } };
};

export const snapshotOperations = (context: RdsContext, erase: (snapshot: Snapshot) => Promise<void>): Operations => ({
  CreateDBSnapshot: (input: CreateDBSnapshotMessage) => create(context, input),
  DescribeDBSnapshots: (input: DescribeDBSnapshotsMessage) => describe(context, input),
  DeleteDBSnapshot: (input: DeleteDBSnapshotMessage) => remove(context, erase, input),
});
