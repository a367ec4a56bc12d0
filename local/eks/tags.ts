import type { ListTagsForResourceRequest, TagResourceRequest, UntagResourceRequest } from '@aws-sdk/client-eks';
import type { Operation } from '../gateway/service.ts';
import type { EksContext } from './context.ts';
import { invalidParameter, notFound } from './refusals.ts';
import { entryKey } from './store.ts';

export type Tags = Readonly<Record<string, string>>;

/** EKS: 50 tags on a resource, keys of 1 to 128 characters that do not begin with aws:, values of 256 at most. */
export const tagsOf = (given: Tags | undefined = {}, before: Tags = {}): Tags => {
  const tags = { ...before, ...given };
  const bad = Object.entries(tags).find(
    ([key, value]) => key === '' || key.length > 128 || value.length > 256 || /^aws:/i.test(key),
  );
  if (bad)
    throw invalidParameter(
      `Tag "${bad[0]}" is not valid: keys have 1 to 128 characters and do not begin with aws:, values 256 at most.`,
    );
  if (Object.keys(tags).length > 50)
    throw invalidParameter(`The resource would have ${Object.keys(tags).length} tags; 50 are allowed.`);
  return tags;
};

interface Tagged {
  readonly tags: Tags;
  save(tags: Tags): void;
}

const find = ({ store }: EksContext, arn = ''): Tagged => {
  const cluster = store.clusters.all().find(({ settings }) => settings.arn === arn);
  if (cluster) return { tags: cluster.tags, save: (tags) => void store.clusters.update(cluster.name, { tags }) };
  const entry = store.entries.all().find((each) => each.arn === arn);
  if (entry) {
    const key = entryKey(entry.cluster, entry.principalArn);
    return { tags: entry.tags, save: (tags) => void store.entries.update(key, { tags }) };
  }
  const association = store.associations.all().find((each) => each.arn === arn);
  if (!association) throw notFound(`No resource found with ARN: ${arn}`);
  return { tags: association.tags, save: (tags) => void store.associations.update(association.id, { tags }) };
};

export const tagOperations = (context: EksContext): Record<string, Operation> => ({
  ListTagsForResource: ({ resourceArn }: ListTagsForResourceRequest) => ({ tags: find(context, resourceArn).tags }),
  TagResource: ({ resourceArn, tags }: TagResourceRequest) => {
    const resource = find(context, resourceArn);
    resource.save(tagsOf(tags, resource.tags));
    return {};
  },
  UntagResource: ({ resourceArn, tagKeys = [] }: UntagResourceRequest) => {
    const resource = find(context, resourceArn);
    resource.save(Object.fromEntries(Object.entries(resource.tags).filter(([key]) => !tagKeys.includes(key))));
    return {};
  },
});
