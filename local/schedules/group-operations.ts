import type {
  CreateScheduleGroupInput,
  ListScheduleGroupsInput,
  TagResourceInput,
  UntagResourceInput,
} from '@aws-sdk/client-scheduler';
import { pageOf, tagList, tagMap } from '../events/names.ts';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from './clock.ts';
import type { Firing } from './firing.ts';
import { checkName, refuse } from './schedule-body.ts';
import type { Group, ScheduleStore } from './schedule-store.ts';

const shown = ({ name, arn, createdAt, modifiedAt }: Group) => ({
  Name: name,
  Arn: arn,
  State: 'ACTIVE',
  CreationDate: new Date(createdAt),
  LastModificationDate: new Date(modifiedAt),
});

/** Operations on groups of schedules, which are what carries tags. */
export const groupOperations = (
  store: ScheduleStore,
  firing: Firing,
  writer: GroupCommit,
  clock: Clock,
): Record<string, Operation> => {
  const byArn = (arn: string): Group => store.group(arn.split(':schedule-group/')[1] ?? arn);
  return {
    CreateScheduleGroup: async (input: CreateScheduleGroupInput) => {
      const name = checkName('name', input.Name);
      return writer.write(() => {
        if (store.findGroup(name) !== undefined)
          throw new ServiceError('ConflictException', `Schedule group ${name} already exists.`);
        const now = clock.now();
        const group = store.saveGroup({ name, tags: tagMap(input.Tags), createdAt: now, modifiedAt: now });
        return { ScheduleGroupArn: group.arn };
      });
    },
    GetScheduleGroup: ({ Name = '' }: { Name?: string }) => shown(store.group(Name)),
    ListScheduleGroups: ({ NamePrefix = '', MaxResults, NextToken }: ListScheduleGroupsInput) => {
      const all = store.groups().filter(({ name }) => name.startsWith(NamePrefix));
      const { items, next } = pageOf(all, { limit: MaxResults, token: NextToken });
      return { ScheduleGroups: items.map(shown), NextToken: next };
    },
    DeleteScheduleGroup: async ({ Name = '' }: { Name?: string }) =>
      writer.write(() => {
        const { name } = store.group(Name);
        if (name === 'default') return refuse('The schedule group default cannot be deleted.');
        for (const schedule of store.list()) if (schedule.group === name) firing.forget(schedule);
        store.removeGroup(name);
        return {};
      }),
    TagResource: async ({ ResourceArn = '', Tags }: TagResourceInput) =>
      writer.write(() => {
        const group = byArn(ResourceArn);
        store.saveGroup({ ...group, tags: { ...group.tags, ...tagMap(Tags) } });
        return {};
      }),
    UntagResource: async ({ ResourceArn = '', TagKeys = [] }: UntagResourceInput) =>
      writer.write(() => {
        const group = byArn(ResourceArn);
        const kept = Object.entries(group.tags).filter(([key]) => !TagKeys.includes(key));
        store.saveGroup({ ...group, tags: Object.fromEntries(kept) });
        return {};
      }),
    ListTagsForResource: ({ ResourceArn = '' }: { ResourceArn?: string }) => ({
      Tags: tagList(byArn(ResourceArn).tags),
    }),
  };
};
