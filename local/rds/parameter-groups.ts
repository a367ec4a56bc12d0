import type {
  CreateDBParameterGroupMessage,
  DBParameterGroup,
  DBParameterGroupDetails,
  DBParameterGroupNameMessage,
  DBParameterGroupsMessage,
  DeleteDBParameterGroupMessage,
  DescribeDBParameterGroupsMessage,
  DescribeDBParametersMessage,
  ModifyDBParameterGroupMessage,
  Parameter,
  ResetDBParameterGroupMessage,
} from '@aws-sdk/client-rds';
import { type Operation, ServiceError } from '../gateway/service.ts';
import { engineFor } from './engine.ts';
import { applyDynamic } from './master.ts';
import { type Account, arnOf, identifierOf, invalidValue, missing } from './names.ts';
import { pageOf } from './paging.ts';
import { checkChange, isDynamic, listParameters, type ParameterValues } from './parameters.ts';
import type { Servers } from './servers.ts';
import type { ParameterGroup, RdsStore } from './store.ts';
import { tagsOf } from './tags.ts';

/** RDS takes 20 parameters in one call. */
const changesPerCall = 20;

const isDefault = (name: string): boolean => name.startsWith('default.');

/** The group that an instance gets which names none: `default.postgres15`. Nobody can change or delete it. */
export const defaultGroup = (major: string): string => `default.postgres${major}`;

const defaultGroupOf = (name: string): ParameterGroup | undefined => {
  const major = /^default\.postgres(\d+)$/.exec(name)?.[1];
  if (major === undefined) return undefined;
  try {
    engineFor('postgres', major);
  } catch {
    return undefined;
  }
  const description = `Default parameter group for postgres${major}`;
  return { name, family: `postgres${major}`, description, values: {}, methods: {}, tags: {} };
};

/** Throws DBParameterGroupNotFound. */
export const requireGroup = (store: RdsStore, given: string | undefined): ParameterGroup => {
  if (!given) throw missing('DBParameterGroupName');
  const name = given.toLowerCase();
  const found = store.groups.get(name) ?? defaultGroupOf(name);
  if (found) return found;
  throw new ServiceError('DBParameterGroupNotFoundFault', `DBParameterGroup not found: ${given}`);
};

/** The values that a group sets; none when it is gone, as its default then counts. */
export const groupValues = (store: RdsStore, name: string): ParameterValues => store.groups.get(name)?.values ?? {};

const describe = (account: Account, group: ParameterGroup): DBParameterGroup => ({
  DBParameterGroupName: group.name,
  DBParameterGroupFamily: group.family,
  Description: group.description,
  DBParameterGroupArn: arnOf(account, 'pg', group.name),
});

const requireChangeable = (group: ParameterGroup): void => {
  if (isDefault(group.name))
    throw invalidValue(
      `The parameter group ${group.name} is a default: it cannot be modified. Create one of your own.`,
    );
};

export const parameterGroupOperations = (options: {
  store: RdsStore;
  servers: Servers;
  account: Account;
}): Record<string, Operation> => {
  const { store, servers, account } = options;

  const create = (input: CreateDBParameterGroupMessage) => {
    const given = input.DBParameterGroupName;
    if (given?.toLowerCase().startsWith('default')) throw invalidValue(`The name ${given} is kept for default groups.`);
    const name = identifierOf('DBParameterGroupName', given, 255);
    const family = input.DBParameterGroupFamily ?? '';
    const major = /^postgres(\d+)$/.exec(family)?.[1];
    if (major === undefined) throw invalidValue(`ParameterGroupFamily ${family} is not a valid parameter group family`);
    engineFor('postgres', major);
    if (store.groups.get(name))
      throw new ServiceError('DBParameterGroupAlreadyExistsFault', `Parameter group ${name} already exists`);
    if (!input.Description) throw missing('Description');
    const group = store.groups.put(name, {
      name,
      family,
      description: input.Description,
      values: {},
      methods: {},
      tags: tagsOf(input.Tags),
    });
    return { DBParameterGroup: describe(account, group) };
  };

  /** Hands dynamic values that are to be applied at once to every running server of the group. */
  const applyAtOnce = async (group: ParameterGroup, names: readonly string[]): Promise<void> => {
    for (const { id, parameterGroup, applied } of store.instances.all()) {
      if (parameterGroup !== group.name || applied === undefined || servers.port(id) === undefined) continue;
      const values: Record<string, string> = { ...applied.values };
      for (const name of names) {
        const value = group.values[name];
        if (value === undefined) delete values[name];
        else values[name] = value;
      }
      await applyDynamic(servers, id, values);
      store.instances.update(id, { applied: { ...applied, values } });
    }
  };

  const change = async (
    group: ParameterGroup,
    changes: readonly ReturnType<typeof checkChange>[],
  ): Promise<DBParameterGroupNameMessage> => {
    const values: Record<string, string> = { ...group.values };
    const methods: Record<string, string> = { ...group.methods };
    for (const { name, value, method } of changes) {
      if (value === undefined) delete values[name];
      else values[name] = value;
      methods[name] = method;
    }
    const changed = store.groups.put(group.name, { ...group, values, methods });
    const atOnce = changes.filter(({ name, method }) => method === 'immediate' && isDynamic(name));
    if (atOnce.length > 0)
      await applyAtOnce(
        changed,
        atOnce.map(({ name }) => name),
      );
    return { DBParameterGroupName: group.name };
  };

  const modify = (input: ModifyDBParameterGroupMessage): Promise<DBParameterGroupNameMessage> => {
    const group = requireGroup(store, input.DBParameterGroupName);
    requireChangeable(group);
    const parameters: Parameter[] = input.Parameters ?? [];
    if (parameters.length === 0 || parameters.length > changesPerCall)
      throw invalidValue(`Parameters has ${parameters.length} entries; give 1 to ${changesPerCall} in one call.`);
    const unset = parameters.find(({ ParameterValue }) => ParameterValue === undefined);
    if (unset) throw missing(`ParameterValue of ${unset.ParameterName}`);
    return change(group, parameters.map(checkChange));
  };

  const reset = (input: ResetDBParameterGroupMessage): Promise<DBParameterGroupNameMessage> => {
    const group = requireGroup(store, input.DBParameterGroupName);
    requireChangeable(group);
    const all = Object.keys(group.values).map((name) => ({
      ParameterName: name,
      ApplyMethod: isDynamic(name) ? ('immediate' as const) : ('pending-reboot' as const),
    }));
    const named = (input.Parameters ?? []).map(({ ParameterName, ApplyMethod }) => ({ ParameterName, ApplyMethod }));
    return change(group, (input.ResetAllParameters ? all : named).map(checkChange));
  };

  const describeAll = (input: DescribeDBParameterGroupsMessage): DBParameterGroupsMessage => {
    const defaults = new Set([engineFor('postgres', undefined).major, ...store.instances.all().map(majorOf)]);
    const groups = input.DBParameterGroupName
      ? [requireGroup(store, input.DBParameterGroupName)]
      : [...store.groups.all(), ...[...defaults].map((major) => requireGroup(store, defaultGroup(major)))];
    const { items, Marker } = pageOf(groups, ({ name }) => name, input);
    return { DBParameterGroups: items.map((group) => describe(account, group)), Marker };
  };

  const parameters = (input: DescribeDBParametersMessage): DBParameterGroupDetails => {
    const { values, methods } = requireGroup(store, input.DBParameterGroupName);
    const wanted = listParameters(values, methods).filter(({ Source }) => !input.Source || Source === input.Source);
    const { items, Marker } = pageOf(wanted, ({ ParameterName = '' }) => ParameterName, input);
    return { Parameters: items, Marker };
  };

  const remove = (input: DeleteDBParameterGroupMessage): object => {
    const group = requireGroup(store, input.DBParameterGroupName);
    if (isDefault(group.name))
      throw new ServiceError(
        'InvalidDBParameterGroupStateFault',
        `Default parameter group ${group.name} cannot be deleted`,
      );
    const member = store.instances.all().find(({ parameterGroup }) => parameterGroup === group.name);
    if (member)
      throw new ServiceError(
        'InvalidDBParameterGroupStateFault',
        `One or more database instances are still members of this parameter group ${group.name} (${member.id}), so the group cannot be deleted`,
      );
    store.groups.remove(group.name);
    return {};
  };

  return {
    CreateDBParameterGroup: create,
    ModifyDBParameterGroup: modify,
    ResetDBParameterGroup: reset,
    DescribeDBParameterGroups: describeAll,
    DescribeDBParameters: parameters,
    DeleteDBParameterGroup: remove,
  };
};

const majorOf = ({ engineVersion }: { engineVersion: string }): string => engineVersion.split('.')[0]!;
