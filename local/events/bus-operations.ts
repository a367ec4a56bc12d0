import type {
  CreateEventBusRequest,
  ListEventBusesRequest,
  TagResourceRequest,
  UntagResourceRequest,
  UpdateEventBusRequest,
} from '@aws-sdk/client-eventbridge';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from '../schedules/clock.ts';
import { busName, checkName, missing, pageOf, tagList, tagMap, validation } from './names.ts';
import type { Bus, Rule, Rulebook } from './rulebook.ts';

const shown = ({ name, arn, description, createdAt, modifiedAt }: Bus) => ({
  Name: name,
  Arn: arn,
  Description: description,
  CreationTime: new Date(createdAt),
  LastModifiedTime: new Date(modifiedAt),
});

/** Operations on buses, and the tags of buses and rules. */
export const busOperations = (rulebook: Rulebook, writer: GroupCommit, clock: Clock): Record<string, Operation> => {
  /** The bus or rule behind an ARN. */
  const tagged = (arn: string): { bus: Bus } | { rule: Rule } => {
    const bus = rulebook.buses().find((one) => one.arn === arn);
    if (bus !== undefined) return { bus };
    const rule = rulebook
      .buses()
      .flatMap(({ name }) => rulebook.rules(name))
      .find((one) => one.arn === arn);
    return rule === undefined ? missing(`No rule or event bus has the ARN ${arn}.`) : { rule };
  };
  const tagsOf = (arn: string): Readonly<Record<string, string>> => {
    const found = tagged(arn);
    return 'bus' in found ? found.bus.tags : found.rule.body.tags;
  };
  const saveTags = (arn: string, tags: Record<string, string>): void => {
    const found = tagged(arn);
    if ('bus' in found) rulebook.saveBus({ ...found.bus, tags });
    else rulebook.saveRule(found.rule.bus, found.rule.name, { ...found.rule.body, tags });
  };

  return {
    CreateEventBus: async (input: CreateEventBusRequest) => {
      const name = checkName('name', input.Name, 256);
      if (input.EventSourceName !== undefined)
        return validation(
          `EventSourceName "${input.EventSourceName}" is not supported: there are no partner event sources.`,
        );
      return writer.write(() => {
        if (rulebook.findBus(name) !== undefined)
          throw new ServiceError('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
        const now = clock.now();
        const bus = rulebook.saveBus({
          name,
          description: input.Description,
          deadLetterArn: input.DeadLetterConfig?.Arn,
          tags: tagMap(input.Tags),
          createdAt: now,
          modifiedAt: now,
        });
        return { EventBusArn: bus.arn, Description: bus.description, DeadLetterConfig: input.DeadLetterConfig };
      });
    },
    DescribeEventBus: ({ Name }: { Name?: string }) => {
      const bus = rulebook.bus(busName(Name));
      return { ...shown(bus), DeadLetterConfig: bus.deadLetterArn && { Arn: bus.deadLetterArn } };
    },
    ListEventBuses: ({ NamePrefix = '', NextToken, Limit }: ListEventBusesRequest) => {
      const all = rulebook.buses().filter(({ name }) => name.startsWith(NamePrefix));
      const { items, next } = pageOf(all, { limit: Limit, token: NextToken });
      return { EventBuses: items.map(shown), NextToken: next };
    },
    UpdateEventBus: async ({ Name, Description, DeadLetterConfig }: UpdateEventBusRequest) =>
      writer.write(() => {
        const bus = rulebook.saveBus({
          ...rulebook.bus(busName(Name)),
          modifiedAt: clock.now(),
          ...(Description === undefined ? {} : { description: Description }),
          ...(DeadLetterConfig === undefined ? {} : { deadLetterArn: DeadLetterConfig.Arn }),
        });
        return { Arn: bus.arn, Name: bus.name, Description: bus.description, DeadLetterConfig };
      }),
    DeleteEventBus: async ({ Name }: { Name?: string }) =>
      writer.write(() => {
        const name = busName(Name);
        if (name === 'default') return validation('Cannot delete event bus default.');
        // AWS answers success for a bus that is not there.
        if (rulebook.findBus(name) === undefined) return {};
        if (rulebook.rules(name).length > 0) return validation(`Event bus ${name} still has rules; delete them first.`);
        rulebook.removeBus(name);
        return {};
      }),
    TagResource: async ({ ResourceARN = '', Tags }: TagResourceRequest) =>
      writer.write(() => {
        saveTags(ResourceARN, { ...tagsOf(ResourceARN), ...tagMap(Tags) });
        return {};
      }),
    UntagResource: async ({ ResourceARN = '', TagKeys = [] }: UntagResourceRequest) =>
      writer.write(() => {
        const kept = Object.entries(tagsOf(ResourceARN)).filter(([key]) => !TagKeys.includes(key));
        saveTags(ResourceARN, Object.fromEntries(kept));
        return {};
      }),
    ListTagsForResource: ({ ResourceARN = '' }: { ResourceARN?: string }) => ({ Tags: tagList(tagsOf(ResourceARN)) }),
  };
};
