import type {
  AddTagsToResourceMessage,
  ListTagsForResourceMessage,
  RemoveTagsFromResourceMessage,
  Tag,
  TagListMessage,
} from '@aws-sdk/client-rds';
import { type Operation, ServiceError } from '../gateway/service.ts';
import { tagList } from './instance.ts';
import { type Account, arnOf, invalidValue } from './names.ts';
import type { RdsStore } from './store.ts';

type Tags = Readonly<Record<string, string>>;

/** RDS: 50 tags on a resource, keys of 1 to 128 characters, values of 256 at most. */
const limits = { tags: 50, key: 128, value: 256 };

export const tagsOf = (given: readonly Tag[] | undefined = [], before: Tags = {}): Tags => {
  const tags: Record<string, string> = { ...before };
  for (const { Key = '', Value = '' } of given) {
    if (Key === '' || Key.length > limits.key || Value.length > limits.value || /^aws:/i.test(Key))
      throw invalidValue(
        `Tag "${Key}" is not valid: keys have 1 to ${limits.key} characters and do not begin with aws:, values ${limits.value} at most.`,
      );
    tags[Key] = Value;
  }
  if (Object.keys(tags).length > limits.tags)
    throw invalidValue(`The resource would have ${Object.keys(tags).length} tags; ${limits.tags} are allowed.`);
  return tags;
};

interface Tagged {
  readonly tags: Tags;
  save(tags: Tags): void;
}

export const tagOperations = (store: RdsStore, account: Account): Record<string, Operation> => {
  const kinds = {
    db: { items: store.instances, fault: 'DBInstanceNotFoundFault' },
    snapshot: { items: store.snapshots, fault: 'DBSnapshotNotFoundFault' },
    pg: { items: store.groups, fault: 'DBParameterGroupNotFoundFault' },
  } as const;
  const find = (arn = ''): Tagged => {
    const [, kind, name] = /^arn:aws:rds:[^:]+:\d{12}:(db|snapshot|pg):(.+)$/.exec(arn) ?? [];
    if (kind === undefined || name === undefined || arn !== arnOf(account, kind as keyof typeof kinds, name))
      throw invalidValue(
        `Unknown resource arn ${arn}; tags are kept on arn:aws:rds:${account.region}:${account.accountId}:db|snapshot|pg:<name>.`,
      );
    const { items, fault } = kinds[kind as keyof typeof kinds];
    const found = items.get(name);
    if (!found) throw new ServiceError(fault, `${arn} does not exist.`);
    return { tags: found.tags, save: (tags) => void items.update(name, { tags }) };
  };
  return {
    ListTagsForResource: ({ ResourceName }: ListTagsForResourceMessage): TagListMessage => ({
      TagList: tagList(find(ResourceName).tags),
    }),
    AddTagsToResource: ({ ResourceName, Tags }: AddTagsToResourceMessage): object => {
      const resource = find(ResourceName);
      resource.save(tagsOf(Tags, resource.tags));
      return {};
    },
    RemoveTagsFromResource: ({ ResourceName, TagKeys = [] }: RemoveTagsFromResourceMessage): object => {
      const resource = find(ResourceName);
      resource.save(Object.fromEntries(Object.entries(resource.tags).filter(([key]) => !TagKeys.includes(key))));
      return {};
    },
  };
};
