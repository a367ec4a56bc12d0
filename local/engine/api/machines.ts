import { ServiceError } from '../../gateway/service.ts';
import { machineArn } from '../arn.ts';
import type { MachineRow } from '../machines.ts';
import { checkMachineName, pageToken, placeOf } from '../request.ts';
import type { Tags } from '../tags.ts';
import { validateDefinition } from '../validation/machine.ts';
import type { World } from '../world.ts';

interface MachineSettings {
  readonly loggingConfiguration?: unknown;
  readonly tracingConfiguration?: unknown;
  readonly encryptionConfiguration?: unknown;
}

interface CreateInput extends MachineSettings {
  readonly name: string;
  readonly definition: string;
  readonly roleArn?: string;
  readonly type?: string;
  readonly publish?: boolean;
  readonly tags?: { key: string; value: string }[];
}

interface UpdateInput extends MachineSettings {
  readonly stateMachineArn: string;
  readonly definition?: string;
  readonly roleArn?: string;
  readonly publish?: boolean;
}

const checkDefinition = (definition: string): void => {
  const [first, ...others] = validateDefinition(definition);
  if (!first) return;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  throw new ServiceError(
    'InvalidDefinition',
    `Invalid State Machine Definition: '${first.code}: ${first.message} at ${first.location || '/'}'${more}`,
  );
};

const checkRole = (roleArn: string | undefined): string => {
  if (roleArn === undefined || !/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) {
    throw new ServiceError('InvalidArn', `Invalid Role Arn: '${roleArn}', give arn:aws:iam::<account>:role/<name>`);
  }
  return roleArn;
};

const refuseVersions = (publish: boolean | undefined): void => {
  if (publish)
    throw new ServiceError('ValidationException', 'publish is true; versions of state machines are not kept here');
};

const settingsOf = ({ loggingConfiguration, tracingConfiguration, encryptionConfiguration }: MachineSettings): string =>
  JSON.stringify({ loggingConfiguration, tracingConfiguration, encryptionConfiguration });

const shownSettings = (row: MachineRow): MachineSettings => ({
  loggingConfiguration: { includeExecutionData: false, level: 'OFF' },
  tracingConfiguration: { enabled: false },
  ...(JSON.parse(row.settings) as MachineSettings),
});

const page = { least: 1, most: 1_000, usual: 100 } as const;

/** `maxResults` as the lists of Step Functions take it: 0 and nothing mean 100. */
export const pageSize = (maxResults: number | undefined): number => {
  if (maxResults === undefined || maxResults === 0) return page.usual;
  if (maxResults < page.least || maxResults > page.most) {
    throw new ServiceError('ValidationException', `maxResults is ${maxResults}, give 1 to ${page.most}`);
  }
  return maxResults;
};

/** The operations on state machines. Versions, aliases and EXPRESS machines are refused by name. */
export const machineOperations = (world: World, tags: Tags) => {
  const { machines, journal } = world;
  const existing = (arn: string): MachineRow => {
    const row = machines.find(arn);
    if (!row) throw new ServiceError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    return row;
  };
  return {
    CreateStateMachine: (input: CreateInput) => {
      checkMachineName(input.name);
      const role_arn = checkRole(input.roleArn);
      refuseVersions(input.publish);
      if ((input.type ?? 'STANDARD') !== 'STANDARD') {
        throw new ServiceError(
          'StateMachineTypeNotSupported',
          `State Machine Type Not Supported: '${input.type}', only STANDARD is run here`,
        );
      }
      checkDefinition(input.definition);
      const arn = machineArn(world, input.name);
      const settings = settingsOf(input);
      return journal.write(() => {
        const definition = machines.keep(input.definition);
        const known = machines.find(arn);
        if (known) {
          const same = known.definition === definition && known.role_arn === role_arn && known.settings === settings;
          if (same && known.status === 'ACTIVE')
            return { stateMachineArn: arn, creationDate: new Date(known.created_at) };
          const name = known.status === 'DELETING' ? 'StateMachineDeleting' : 'StateMachineAlreadyExists';
          throw new ServiceError(name, `State Machine Already Exists: '${arn}'`);
        }
        const row = machines.create({ arn, name: input.name, definition, role_arn, settings });
        tags.add(arn, input.tags ?? []);
        return { stateMachineArn: arn, creationDate: new Date(row.created_at) };
      });
    },

    UpdateStateMachine: (input: UpdateInput) => {
      const row = existing(input.stateMachineArn);
      refuseVersions(input.publish);
      if (row.status === 'DELETING')
        throw new ServiceError('StateMachineDeleting', `State Machine Deleting: '${row.arn}'`);
      if (input.definition !== undefined) checkDefinition(input.definition);
      const role = input.roleArn === undefined ? {} : { role_arn: checkRole(input.roleArn) };
      const settings = settingsOf({ ...JSON.parse(row.settings), ...JSON.parse(settingsOf(input)) });
      return journal.write(() => {
        const definition = input.definition === undefined ? {} : { definition: machines.keep(input.definition) };
        const updated = machines.update(row.arn, { ...definition, ...role, settings });
        return { updateDate: new Date(updated.updated_at), revisionId: updated.revision! };
      });
    },

    DescribeStateMachine: ({ stateMachineArn }: { stateMachineArn: string }) => {
      const row = existing(stateMachineArn);
      return {
        stateMachineArn: row.arn,
        name: row.name,
        status: row.status,
        definition: machines.textOf(row.definition),
        roleArn: row.role_arn,
        type: 'STANDARD',
        creationDate: new Date(row.created_at),
        ...shownSettings(row),
        ...(row.revision === null ? {} : { revisionId: row.revision }),
      };
    },

    ListStateMachines: ({ maxResults, nextToken }: { maxResults?: number; nextToken?: string }) => {
      const limit = pageSize(maxResults);
      const rows = machines.list(String(placeOf(nextToken) ?? ''), limit);
      return {
        stateMachines: rows.map((row) => ({
          stateMachineArn: row.arn,
          name: row.name,
          type: 'STANDARD',
          creationDate: new Date(row.created_at),
        })),
        ...(rows.length === limit ? { nextToken: pageToken(rows.at(-1)!.arn) } : {}),
      };
    },

    /** Open executions end as they would have; the machine is gone with the last of them. */
    DeleteStateMachine: ({ stateMachineArn }: { stateMachineArn: string }) => {
      if (!machines.find(stateMachineArn)) return {};
      journal.write(() => {
        tags.removeAll(stateMachineArn);
        if (world.executions.rows.hasOpen(stateMachineArn)) machines.markDeleting(stateMachineArn);
        else machines.remove(stateMachineArn);
      });
      return {};
    },

    ValidateStateMachineDefinition: (input: { definition: string; maxResults?: number }) => {
      const all = validateDefinition(input.definition);
      const most = input.maxResults || 100;
      return {
        result: all.length > 0 ? 'FAIL' : 'OK',
        diagnostics: all.slice(0, most),
        truncated: all.length > most,
      };
    },

    TagResource: ({ resourceArn, tags: added }: { resourceArn: string; tags: { key: string; value: string }[] }) => {
      checkResource(resourceArn);
      journal.write(() => tags.add(resourceArn, added));
      return {};
    },
    UntagResource: ({ resourceArn, tagKeys }: { resourceArn: string; tagKeys: string[] }) => {
      checkResource(resourceArn);
      journal.write(() => tags.remove(resourceArn, tagKeys));
      return {};
    },
    ListTagsForResource: ({ resourceArn }: { resourceArn: string }) => {
      checkResource(resourceArn);
      return { tags: tags.of(resourceArn) };
    },
  };

  function checkResource(arn: string): void {
    if (!machines.find(arn))
      throw new ServiceError('ResourceNotFound', `Resource not found: '${arn}'`, { members: { resourceName: arn } });
  }
};
