import type { DatabaseSync } from 'node:sqlite';
import { ServiceError } from '../gateway/service.ts';
import {
  checkAttributes,
  numericAttribute,
  type RedrivePolicy,
  redriveAllowPolicy,
  redrivePolicy,
} from './attributes.ts';

/** One queue as it stands in memory; the row in `queues` is its durable twin. Durations are milliseconds. */
export interface Queue {
  readonly name: string;
  readonly arn: string;
  readonly fifo: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly delay: number;
  readonly visibility: number;
  readonly retention: number;
  readonly wait: number;
  readonly maximumSize: number;
  readonly redrive: RedrivePolicy | undefined;
}

/** Queues by name. Every function that changes something must run inside a write of the group commit. */
export interface QueueRegistry {
  /** Throws QueueDoesNotExist. */
  get(name: string): Queue;
  find(name: string): Queue | undefined;
  findByArn(arn: string): Queue | undefined;
  list(prefix: string): Queue[];
  /** Answers the queue that is there when it has the same attributes, else throws QueueNameExists. */
  create(name: string, attributes: Record<string, string>, tags: Record<string, string>, now: number): Queue;
  change(name: string, attributes: Record<string, string>, now: number): Queue;
  tag(name: string, tags: Record<string, string>): void;
  remove(name: string): void;
}

interface Row {
  name: string;
  attributes: string;
  tags: string;
  created_at: number;
  modified_at: number;
}

const checkName = (name: string, fifo: boolean): void => {
  const stem = fifo ? name.slice(0, -'.fifo'.length) : name;
  if (!/^[\w-]{1,80}$/.test(stem) || name.length > 80)
    throw new ServiceError(
      'InvalidParameterValue',
      `QueueName "${name}" can only include alphanumeric characters, hyphens, or underscores; 1 to 80 in length; only FIFO queues end in .fifo.`,
    );
};

export const openQueueRegistry = (
  database: DatabaseSync,
  { region, accountId }: { region: string; accountId: string },
): QueueRegistry => {
  const queues = new Map<string, Queue>();
  const insert = database.prepare('INSERT INTO queues VALUES (?, ?, ?, ?, ?)');
  const update = database.prepare('UPDATE queues SET attributes = ?, tags = ?, modified_at = ? WHERE name = ?');
  const drop = database.prepare('DELETE FROM queues WHERE name = ?');
  const arnOf = (name: string): string => `arn:aws:sqs:${region}:${accountId}:${name}`;

  const remember = (
    name: string,
    attributes: Record<string, string>,
    tags: Record<string, string>,
    createdAt: number,
    modifiedAt: number,
  ): Queue => {
    const queue: Queue = {
      name,
      arn: arnOf(name),
      fifo: attributes.FifoQueue === 'true',
      attributes,
      tags,
      createdAt,
      modifiedAt,
      delay: numericAttribute(attributes, 'DelaySeconds') * 1000,
      visibility: numericAttribute(attributes, 'VisibilityTimeout') * 1000,
      retention: numericAttribute(attributes, 'MessageRetentionPeriod') * 1000,
      wait: numericAttribute(attributes, 'ReceiveMessageWaitTimeSeconds') * 1000,
      maximumSize: numericAttribute(attributes, 'MaximumMessageSize'),
      redrive: redrivePolicy(attributes.RedrivePolicy),
    };
    queues.set(name, queue);
    return queue;
  };
  for (const row of database.prepare('SELECT * FROM queues').all() as unknown as Row[])
    remember(row.name, JSON.parse(row.attributes), JSON.parse(row.tags), row.created_at, row.modified_at);

  const find = (name: string): Queue | undefined => queues.get(name);
  const findByArn = (arn: string): Queue | undefined => {
    const queue = queues.get(arn.split(':')[5] ?? '');
    return queue?.arn === arn ? queue : undefined;
  };
  const get = (name: string): Queue => {
    const queue = queues.get(name);
    if (queue === undefined)
      throw new ServiceError('QueueDoesNotExist', `The specified queue "${name}" does not exist.`, { status: 400 });
    return queue;
  };

  /** A dead-letter queue must be there, be of the same kind, and admit the queue as its source. */
  const checkRedrive = (source: string, fifo: boolean, attributes: Readonly<Record<string, string>>): void => {
    const policy = redrivePolicy(attributes.RedrivePolicy);
    if (policy === undefined) return;
    const refuse = (reason: string): never => {
      throw new ServiceError(
        'InvalidParameterValue',
        `Value ${attributes.RedrivePolicy} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
      );
    };
    const target = findByArn(policy.deadLetterTargetArn) ?? refuse('Dead letter target does not exist.');
    if (target.fifo !== fifo) refuse('Dead letter target is not of the same kind (standard or FIFO).');
    const allow = redriveAllowPolicy(target.attributes.RedriveAllowPolicy);
    const admitted =
      allow.redrivePermission === 'allowAll' ||
      (allow.redrivePermission === 'byQueue' && allow.sourceQueueArns.includes(arnOf(source)));
    if (!admitted) refuse(`The RedriveAllowPolicy of ${target.arn} does not admit ${arnOf(source)}.`);
  };

  return {
    get,
    find,
    findByArn,
    list: (prefix) =>
      [...queues.values()]
        .filter(({ name }) => name.startsWith(prefix))
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
    create: (name, attributes, tags, now) => {
      const fifo = attributes.FifoQueue === 'true';
      if (fifo !== name.endsWith('.fifo'))
        throw new ServiceError(
          'InvalidParameterValue',
          `QueueName "${name}" and FifoQueue=${attributes.FifoQueue ?? 'false'} disagree: a FIFO queue, and no other, ends in .fifo and is created with FifoQueue=true.`,
        );
      checkName(name, fifo);
      checkAttributes(attributes, fifo);
      const present = queues.get(name);
      if (present !== undefined) {
        const other = Object.keys(attributes).find((key) => present.attributes[key] !== attributes[key]);
        if (other === undefined) return present;
        throw new ServiceError(
          'QueueNameExists',
          `A queue already exists with the same name and a different value for attribute ${other}`,
          { status: 400 },
        );
      }
      checkRedrive(name, fifo, attributes);
      insert.run(name, JSON.stringify(attributes), JSON.stringify(tags), now, now);
      return remember(name, attributes, tags, now, now);
    },
    change: (name, attributes, now) => {
      const queue = get(name);
      if ('FifoQueue' in attributes && attributes.FifoQueue !== (queue.attributes.FifoQueue ?? 'false'))
        throw new ServiceError(
          'InvalidAttributeValue',
          'Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.',
        );
      checkAttributes(attributes, queue.fifo);
      checkRedrive(name, queue.fifo, attributes);
      const merged = { ...queue.attributes, ...attributes };
      update.run(JSON.stringify(merged), JSON.stringify(queue.tags), now, name);
      return remember(name, merged, { ...queue.tags }, queue.createdAt, now);
    },
    tag: (name, tags) => {
      const queue = get(name);
      update.run(JSON.stringify(queue.attributes), JSON.stringify(tags), queue.modifiedAt, name);
      remember(name, { ...queue.attributes }, tags, queue.createdAt, queue.modifiedAt);
    },
    remove: (name) => {
      drop.run(get(name).name);
      queues.delete(name);
    },
  };
};
