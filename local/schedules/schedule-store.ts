import type { DatabaseSync } from 'node:sqlite';
import type { CreateScheduleInput } from '@aws-sdk/client-scheduler';
import { ServiceError } from '../gateway/service.ts';
import { parseExpression, type Recurrence } from './expression.ts';

/** What a schedule says, as the API gives it; dates are milliseconds since 1970. */
export interface ScheduleBody
  extends Omit<CreateScheduleInput, 'Name' | 'GroupName' | 'ClientToken' | 'StartDate' | 'EndDate'> {
  readonly startDate: number | undefined;
  readonly endDate: number | undefined;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface Schedule {
  readonly group: string;
  readonly name: string;
  readonly arn: string;
  readonly body: ScheduleBody;
  readonly recurrence: Recurrence;
}

export interface Group {
  readonly name: string;
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** When a schedule fires next: `at` is the time that its expression names, `fireAt` lies in the flexible window after it. */
export interface NextFire {
  readonly at: number;
  readonly fireAt: number;
}

export const scheduleSchema = `
CREATE TABLE IF NOT EXISTS schedule_groups (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedules (
  schedule_group TEXT NOT NULL REFERENCES schedule_groups(name) ON DELETE CASCADE, name TEXT NOT NULL, body TEXT NOT NULL,
  next_at INTEGER, fire_at INTEGER, PRIMARY KEY (schedule_group, name)
) WITHOUT ROWID;
`;

/** Groups and schedules; what changes them must run inside a write. */
export interface ScheduleStore {
  /** Throws ResourceNotFoundException. */
  group(name: string): Group;
  findGroup(name: string): Group | undefined;
  groups(): Group[];
  saveGroup(group: Omit<Group, 'arn'>): Group;
  removeGroup(name: string): void;
  /** Throws ResourceNotFoundException for the group or the schedule. */
  schedule(group: string, name: string): Schedule;
  find(group: string, name: string): Schedule | undefined;
  list(): Schedule[];
  save(group: string, name: string, body: ScheduleBody): Schedule;
  remove(schedule: Schedule): void;
  next(schedule: Schedule): NextFire | undefined;
  saveNext(schedule: Schedule, next: NextFire | undefined): void;
}

const absent = (message: string): never => {
  throw new ServiceError('ResourceNotFoundException', message, { status: 404 });
};

export const recurrenceOf = (body: ScheduleBody): Recurrence =>
  parseExpression(body.ScheduleExpression ?? '', {
    timezone: body.ScheduleExpressionTimezone,
    // Without a StartDate a rate starts invoking at once. EventBridge Scheduler user guide, "Rate-based schedules".
    firstRate: body.startDate ?? body.modifiedAt,
  });

export const openScheduleStore = (
  database: DatabaseSync,
  { region, accountId }: { region: string; accountId: string },
  now: number,
): ScheduleStore => {
  const groups = new Map<string, Group>();
  const schedules = new Map<string, Schedule>();
  const putGroup = database.prepare(
    'INSERT INTO schedule_groups VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body',
  );
  const dropGroup = database.prepare('DELETE FROM schedule_groups WHERE name = ?');
  const put = database.prepare(
    `INSERT INTO schedules (schedule_group, name, body) VALUES (?, ?, ?)
     ON CONFLICT (schedule_group, name) DO UPDATE SET body = excluded.body`,
  );
  const drop = database.prepare('DELETE FROM schedules WHERE schedule_group = ? AND name = ?');
  const putNext = database.prepare(
    'UPDATE schedules SET next_at = ?, fire_at = ? WHERE schedule_group = ? AND name = ?',
  );
  const getNext = database.prepare('SELECT next_at, fire_at FROM schedules WHERE schedule_group = ? AND name = ?');

  const key = (group: string, name: string): string => `${group}/${name}`;
  const arn = (kind: string, name: string): string => `arn:aws:scheduler:${region}:${accountId}:${kind}/${name}`;
  const remember = (group: string, name: string, body: ScheduleBody): Schedule => {
    const made = { group, name, arn: arn('schedule', key(group, name)), body, recurrence: recurrenceOf(body) };
    schedules.set(key(group, name), made);
    return made;
  };
  const saveGroup = (group: Omit<Group, 'arn'>): Group => {
    putGroup.run(group.name, JSON.stringify(group));
    const full = { ...group, arn: arn('schedule-group', group.name) };
    groups.set(group.name, full);
    return full;
  };

  for (const { body } of database.prepare('SELECT body FROM schedule_groups').all() as unknown as { body: string }[]) {
    const group = JSON.parse(body) as Omit<Group, 'arn'>;
    groups.set(group.name, { ...group, arn: arn('schedule-group', group.name) });
  }
  if (!groups.has('default')) saveGroup({ name: 'default', tags: {}, createdAt: now, modifiedAt: now });
  for (const row of database.prepare('SELECT schedule_group, name, body FROM schedules').all() as unknown as {
    schedule_group: string;
    name: string;
    body: string;
  }[])
    remember(row.schedule_group, row.name, JSON.parse(row.body));

  const group = (name: string): Group => groups.get(name) ?? absent(`Schedule group ${name} does not exist.`);

  return {
    group,
    findGroup: (name) => groups.get(name),
    groups: () => [...groups.values()].sort((one, other) => (one.name < other.name ? -1 : 1)),
    saveGroup,
    removeGroup: (name) => {
      dropGroup.run(name);
      groups.delete(name);
      for (const [place, schedule] of schedules) if (schedule.group === name) schedules.delete(place);
    },
    schedule: (groupName, name) =>
      schedules.get(key(group(groupName).name, name)) ?? absent(`Schedule ${name} does not exist.`),
    find: (groupName, name) => schedules.get(key(groupName, name)),
    list: () => [...schedules.values()].sort((one, other) => (one.arn < other.arn ? -1 : 1)),
    save: (groupName, name, body) => {
      put.run(group(groupName).name, name, JSON.stringify(body));
      return remember(groupName, name, body);
    },
    remove: (schedule) => {
      drop.run(schedule.group, schedule.name);
      schedules.delete(key(schedule.group, schedule.name));
    },
    next: (schedule) => {
      const row = getNext.get(schedule.group, schedule.name) as { next_at: number | null; fire_at: number | null };
      return row.next_at === null || row.fire_at === null ? undefined : { at: row.next_at, fireAt: row.fire_at };
    },
    saveNext: (schedule, next) =>
      void putNext.run(next?.at ?? null, next?.fireAt ?? null, schedule.group, schedule.name),
  };
};
