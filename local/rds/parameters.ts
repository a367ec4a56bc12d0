import type { Parameter } from '@aws-sdk/client-rds';
import { invalidCombination, invalidValue } from './names.ts';

/** A parameter that the laptop honours. Everything else that RDS knows is refused, never kept without effect. */
interface KnownParameter {
  /** Static ones need a reboot. */
  readonly type: 'static' | 'dynamic';
  readonly data: 'boolean' | 'integer' | 'float' | 'string' | 'list';
  /** `least-most`, or the words that are allowed. */
  readonly allowed?: string;
  /** What the engine takes when nobody says otherwise. */
  readonly value?: string;
  readonly about: string;
}

const known: Readonly<Record<string, KnownParameter>> = {
  'rds.logical_replication': {
    type: 'static',
    data: 'boolean',
    allowed: '0,1',
    value: '0',
    about: 'Enables logical decoding (wal_level).',
  },
  autovacuum_naptime: {
    type: 'dynamic',
    data: 'integer',
    allowed: '1-2147483',
    about: '(s) Time to sleep between autovacuum runs.',
  },
  checkpoint_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '30-86400',
    about: '(s) Maximum time between automatic WAL checkpoints.',
  },
  deadlock_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '1-2147483647',
    about: '(ms) Time to wait on a lock before checking for deadlock.',
  },
  effective_cache_size: {
    type: 'dynamic',
    data: 'integer',
    allowed: '1-2147483647',
    about: '(8kB) Planner assumption about the size of the caches.',
  },
  idle_in_transaction_session_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-2147483647',
    about: '(ms) Maximum idle time of an open transaction.',
  },
  lock_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-2147483647',
    about: '(ms) Maximum wait for a lock.',
  },
  log_lock_waits: { type: 'dynamic', data: 'boolean', allowed: '0,1', about: 'Logs long lock waits.' },
  log_min_duration_statement: {
    type: 'dynamic',
    data: 'integer',
    allowed: '-1-2147483647',
    about: '(ms) Minimum execution time above which statements are logged.',
  },
  log_statement: {
    type: 'dynamic',
    data: 'list',
    allowed: 'none,ddl,mod,all',
    about: 'Type of statements that are logged.',
  },
  maintenance_work_mem: {
    type: 'dynamic',
    data: 'integer',
    allowed: '1024-2147483647',
    about: '(kB) Memory for maintenance operations.',
  },
  max_connections: {
    type: 'static',
    data: 'integer',
    allowed: '6-8388607',
    value: 'LEAST({DBInstanceClassMemory/9531392},5000)',
    about: 'Maximum number of concurrent connections.',
  },
  max_logical_replication_workers: {
    type: 'static',
    data: 'integer',
    allowed: '0-262143',
    about: 'Maximum number of logical replication workers.',
  },
  max_parallel_workers_per_gather: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-1024',
    about: 'Maximum number of parallel processes per executor node.',
  },
  max_replication_slots: {
    type: 'static',
    data: 'integer',
    allowed: '5-262143',
    value: '20',
    about: 'Maximum number of replication slots.',
  },
  max_slot_wal_keep_size: {
    type: 'dynamic',
    data: 'integer',
    allowed: '-1-2147483647',
    about: '(MB) Maximum WAL that replication slots may retain.',
  },
  max_sync_workers_per_subscription: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-262143',
    about: 'Maximum number of table synchronization workers per subscription.',
  },
  max_wal_senders: {
    type: 'static',
    data: 'integer',
    allowed: '5-262143',
    value: '20',
    about: 'Maximum number of WAL sender processes.',
  },
  max_wal_size: {
    type: 'dynamic',
    data: 'integer',
    allowed: '128-201326592',
    about: '(MB) WAL size that triggers a checkpoint.',
  },
  max_worker_processes: {
    type: 'static',
    data: 'integer',
    allowed: '0-262143',
    about: 'Maximum number of worker processes.',
  },
  random_page_cost: {
    type: 'dynamic',
    data: 'float',
    allowed: '0-1.79769e+308',
    about: 'Planner cost of a page fetched out of order.',
  },
  shared_buffers: {
    type: 'static',
    data: 'integer',
    allowed: '16-1073741823',
    value: '{DBInstanceClassMemory/32768}',
    about: '(8kB) Shared memory buffers.',
  },
  statement_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-2147483647',
    about: '(ms) Maximum duration of a statement.',
  },
  track_commit_timestamp: {
    type: 'static',
    data: 'boolean',
    allowed: '0,1',
    about: 'Collects the commit time of transactions.',
  },
  wal_sender_timeout: {
    type: 'dynamic',
    data: 'integer',
    allowed: '0-3600000',
    about: '(ms) Maximum wait for WAL replication.',
  },
  work_mem: {
    type: 'dynamic',
    data: 'integer',
    allowed: '64-2147483647',
    about: '(kB) Memory for query workspaces.',
  },
};

export type ParameterValues = Readonly<Record<string, string>>;

const fits = ({ data, allowed }: KnownParameter, value: string): boolean => {
  if (data === 'boolean' || data === 'list') return allowed!.split(',').includes(value);
  if (data === 'string' || allowed === undefined) return true;
  const [, least, most] = /^(-?[\d.]+)-(.+)$/.exec(allowed)!;
  const number = Number(value);
  const form = data === 'integer' ? /^-?\d+$/ : /^-?\d+(\.\d+)?$/;
  return form.test(value) && number >= Number(least) && number <= Number(most);
};

const describe = (name: string): KnownParameter => {
  const found = known[name];
  if (found) return found;
  throw invalidValue(
    `Could not find parameter with name: ${name}. The local RDS knows ${Object.keys(known).join(', ')}.`,
  );
};

export const isDynamic = (name: string): boolean => describe(name).type === 'dynamic';

/** Checks one change as RDS does. Throws InvalidParameterValue or, for a static parameter at once, InvalidParameterCombination. */
export const checkChange = ({ ParameterName: name = '', ParameterValue: value, ApplyMethod: method }: Parameter) => {
  const parameter = describe(name);
  if (method !== 'immediate' && method !== 'pending-reboot')
    throw invalidValue(`ApplyMethod of ${name} is ${method}; it must be immediate or pending-reboot.`);
  if (parameter.type === 'static' && method === 'immediate')
    throw invalidCombination(`cannot use immediate apply method for static parameter ${name}; use pending-reboot`);
  if (value !== undefined && !fits(parameter, value))
    throw invalidValue(
      `Invalid parameter value: ${value} for: ${name} allowed values are: ${parameter.allowed ?? 'any'}`,
    );
  return { name, value, method };
};

/** Every parameter as DescribeDBParameters shows it, with the group's own values in place. */
export const listParameters = (values: ParameterValues, methods: ParameterValues): Parameter[] =>
  Object.entries(known).map(([ParameterName, { type, data, allowed, value, about }]) => ({
    ParameterName,
    ParameterValue: values[ParameterName] ?? value,
    Description: about,
    Source: values[ParameterName] === undefined ? (value === undefined ? 'engine-default' : 'system') : 'user',
    ApplyType: type,
    DataType: data,
    AllowedValues: allowed,
    IsModifiable: true,
    ApplyMethod: methods[ParameterName] === 'immediate' ? 'immediate' : 'pending-reboot',
  }));

/** Server settings out of static parameters: they hold from one start to the next. */
export const staticSettings = (values: ParameterValues): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(values).filter(([name]) => known[name]?.type === 'static' && !name.startsWith('rds.')),
  ),
  wal_level: values['rds.logical_replication'] === '1' ? 'logical' : 'replica',
});

/** Dynamic parameters: every one that may be set, with its value or undefined for the engine's own. */
export const dynamicSettings = (values: ParameterValues): [name: string, value: string | undefined][] =>
  Object.entries(known)
    .filter(([, { type }]) => type === 'dynamic')
    .map(([name]) => [name, values[name]]);
