import type {
  CreateScheduleInput,
  GetScheduleInput,
  ListSchedulesInput,
  UpdateScheduleInput,
} from '@aws-sdk/client-scheduler';
import { pageOf } from '../events/names.ts';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { GroupCommit } from '../queues/group-commit.ts';
import type { Clock } from './clock.ts';
import type { Firing } from './firing.ts';
import { bodyOf, checkName } from './schedule-body.ts';
import type { Schedule, ScheduleStore } from './schedule-store.ts';

const date = (milliseconds: number | undefined): Date | undefined =>
  milliseconds === undefined ? undefined : new Date(milliseconds);

const shown = ({ group, name, arn, body }: Schedule) => {
  const { startDate, endDate, createdAt, modifiedAt, ...rest } = body;
  return {
    ...rest,
    Name: name,
    GroupName: group,
    Arn: arn,
    StartDate: date(startDate),
    EndDate: date(endDate),
    CreationDate: date(createdAt),
    LastModificationDate: date(modifiedAt),
  };
};

/** Operations on schedules. */
export const scheduleOperations = (
  store: ScheduleStore,
  firing: Firing,
  writer: GroupCommit,
  clock: Clock,
): Record<string, Operation> => ({
  CreateSchedule: async (input: CreateScheduleInput) => {
    const name = checkName('name', input.Name);
    const { name: group } = store.group(input.GroupName ?? 'default');
    const now = clock.now();
    const body = bodyOf(input, { createdAt: now, modifiedAt: now });
    return writer.write(() => {
      if (store.find(group, name) !== undefined)
        throw new ServiceError('ConflictException', `Schedule ${name} already exists in group ${group}.`);
      const schedule = store.save(group, name, body);
      firing.plan(schedule);
      return { ScheduleArn: schedule.arn };
    });
  },
  UpdateSchedule: async (input: UpdateScheduleInput) => {
    const present = store.schedule(input.GroupName ?? 'default', input.Name ?? '');
    // An update replaces the whole: what it leaves out goes back to its default. API reference, UpdateSchedule.
    const body = bodyOf(input, { createdAt: present.body.createdAt, modifiedAt: clock.now() });
    return writer.write(() => {
      const schedule = store.save(present.group, present.name, body);
      firing.plan(schedule);
      return { ScheduleArn: schedule.arn };
    });
  },
  GetSchedule: ({ Name = '', GroupName = 'default' }: GetScheduleInput) => shown(store.schedule(GroupName, Name)),
  ListSchedules: ({ GroupName, NamePrefix = '', State, MaxResults, NextToken }: ListSchedulesInput) => {
    if (GroupName !== undefined) store.group(GroupName);
    const all = store
      .list()
      .filter(
        ({ group, name, body }) =>
          (GroupName === undefined || group === GroupName) &&
          name.startsWith(NamePrefix) &&
          (State === undefined || body.State === State),
      );
    const { items, next } = pageOf(all, { limit: MaxResults, token: NextToken });
    return {
      NextToken: next,
      Schedules: items.map(({ group, name, arn, body }) => ({
        Arn: arn,
        Name: name,
        GroupName: group,
        State: body.State,
        CreationDate: date(body.createdAt),
        LastModificationDate: date(body.modifiedAt),
        Target: { Arn: body.Target?.Arn },
      })),
    };
  },
  DeleteSchedule: async ({ Name = '', GroupName = 'default' }: GetScheduleInput) =>
    writer.write(() => {
      const schedule = store.schedule(GroupName, Name);
      firing.forget(schedule);
      store.remove(schedule);
      return {};
    }),
});
