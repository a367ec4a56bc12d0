import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type {
  CreateEventSourceMappingRequest,
  EventSourceMappingConfiguration,
  ListEventSourceMappingsRequest,
  UpdateEventSourceMappingRequest,
} from '@aws-sdk/client-lambda';
import { openDatabase } from '../database.ts';
import { compilePattern } from '../events/pattern.ts';
import { type Operation, ServiceError } from '../gateway/service.ts';
import type { FunctionInvoker } from '../ports.ts';
import { groupCommit } from '../queues/group-commit.ts';
import { type Mapping, mappingConfiguration, mappingSchema, openMappingStore } from '../queues/mapping-store.ts';
import { type Poller, startPoller } from '../queues/poller.ts';
import type { QueueStore } from '../queues/store.ts';
import { type Clock, systemClock } from '../schedules/clock.ts';

export interface EventSourcesOptions {
  /** Holds `event-sources.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly queues: QueueStore;
  readonly functions: FunctionInvoker;
  readonly clock?: Clock;
  /** Hears one line for every call that failed. */
  readonly log?: (line: string) => void;
}

export interface EventSources {
  /** The five operations of the Lambda API, for the Lambda service to mount. */
  readonly operations: Readonly<Record<string, Operation>>;
  /** Begins to call functions: to be called once they are defined. A mapping that is made later begins at once. */
  start(): void;
  /** Takes no more messages; resolves when the calls under way are over. */
  close(): Promise<void>;
}

const refuse = (message: string): never => {
  throw new ServiceError('InvalidParameterValueException', message, { status: 400, members: { Type: 'User' } });
};

const within = (field: string, value: number, low: number, high: number): number =>
  Number.isInteger(value) && value >= low && value <= high
    ? value
    : refuse(`${field} ${value} must be a whole number from ${low} to ${high}.`);

/** Applies what a create or update asks for. Limits: Lambda API reference, CreateEventSourceMapping. */
const applied = (
  mapping: Mapping,
  input: Omit<UpdateEventSourceMappingRequest, 'UUID'>,
  region: { region: string; accountId: string },
): Mapping => {
  const { FunctionName, Enabled, BatchSize, MaximumBatchingWindowInSeconds, FunctionResponseTypes, ScalingConfig } =
    input;
  const isFifo = mapping.queueArn.endsWith('.fifo');
  const filters = input.FilterCriteria?.Filters?.map(({ Pattern = '' }) => Pattern);
  for (const pattern of filters ?? []) compilePattern(pattern);
  const next: Mapping = {
    ...mapping,
    ...(FunctionName === undefined ? {} : { functionArn: functionArn(FunctionName, region) }),
    ...(Enabled === undefined ? {} : { enabled: Enabled }),
    ...(BatchSize === undefined ? {} : { batchSize: within('BatchSize', BatchSize, 1, isFifo ? 10 : 10_000) }),
    ...(MaximumBatchingWindowInSeconds === undefined
      ? {}
      : {
          windowSeconds: within('MaximumBatchingWindowInSeconds', MaximumBatchingWindowInSeconds, 0, isFifo ? 0 : 300),
        }),
    ...(FunctionResponseTypes === undefined
      ? {}
      : { reportsItemFailures: FunctionResponseTypes.includes('ReportBatchItemFailures') }),
    ...(ScalingConfig === undefined
      ? {}
      : {
          maximumConcurrency:
            ScalingConfig.MaximumConcurrency === undefined
              ? undefined
              : within('ScalingConfig.MaximumConcurrency', ScalingConfig.MaximumConcurrency, 2, 1000),
        }),
    ...(filters === undefined ? {} : { filters }),
  };
  if (next.batchSize > 10 && next.windowSeconds === 0)
    return refuse('MaximumBatchingWindowInSeconds must be 1 or more when BatchSize is above 10.');
  return next;
};

const functionArn = (name: string, { region, accountId }: { region: string; accountId: string }): string =>
  name.startsWith('arn:') ? name : `arn:aws:lambda:${region}:${accountId}:function:${name.split(':').at(-1)}`;

/** Event source mappings from queues to functions: stored, and at work in this process from `start` on. */
export const createEventSources = ({
  directory,
  region,
  accountId,
  queues,
  functions,
  clock = systemClock,
  log = () => {},
}: EventSourcesOptions): EventSources => {
  const place = { region, accountId };
  const database = openDatabase(join(directory, 'event-sources.sqlite'), mappingSchema);
  const writer = groupCommit(database);
  const store = openMappingStore(database);
  const pollers = new Map<string, Poller>();
  let started = false;

  const start = (mapping: Mapping): void => {
    if (!started || !mapping.enabled || pollers.has(mapping.uuid)) return;
    pollers.set(mapping.uuid, startPoller({ mapping, queues, functions, clock, report: log }));
  };
  // What a killed poller had in hand would stay hidden for its visibility time-out, here 180 s; AWS's pollers do not die.
  const restart = async (mapping: Mapping): Promise<void> => {
    if (queues.list('').some(({ arn }) => arn === mapping.queueArn))
      await queues.showReceived(queues.queueByArn(mapping.queueArn).name);
    start(mapping);
  };
  const stop = async (uuid: string): Promise<void> => {
    const poller = pollers.get(uuid);
    pollers.delete(uuid);
    await poller?.stop();
  };
  const shown = (mapping: Mapping): EventSourceMappingConfiguration =>
    mappingConfiguration(mapping, mapping.enabled ? 'Enabled' : 'Disabled', place);

  return {
    operations: {
      CreateEventSourceMapping: async (input: CreateEventSourceMappingRequest) => {
        const { EventSourceArn = '', FunctionName } = input;
        if (EventSourceArn.split(':')[2] !== 'sqs')
          return refuse(
            `EventSourceArn "${EventSourceArn}" is not served: queues only, arn:aws:sqs:region:account:name.`,
          );
        if (!FunctionName) return refuse('FunctionName must be given.');
        if (!queues.list('').some(({ arn }) => arn === EventSourceArn))
          return refuse(`Error occurred while ReceiveMessage. The queue ${EventSourceArn} does not exist.`);
        const twin = store
          .all()
          .find((one) => one.queueArn === EventSourceArn && one.functionArn === functionArn(FunctionName, place));
        if (twin !== undefined)
          throw new ServiceError(
            'ResourceConflictException',
            `An event source mapping with SQS arn ("${EventSourceArn}") and function ("${FunctionName}") already exists. Please update or delete the existing mapping with UUID ${twin.uuid}`,
            { status: 409, members: { Type: 'User' } },
          );
        const fresh: Mapping = {
          uuid: randomUUID(),
          queueArn: EventSourceArn,
          functionArn: '',
          enabled: true,
          batchSize: 10,
          windowSeconds: 0,
          reportsItemFailures: false,
          maximumConcurrency: undefined,
          filters: [],
          modifiedAt: clock.now(),
        };
        const mapping = applied(fresh, input, place);
        await writer.write(() => store.save(mapping));
        start(mapping);
        return shown(mapping);
      },
      GetEventSourceMapping: ({ UUID = '' }: { UUID?: string }) => shown(store.get(UUID)),
      ListEventSourceMappings: ({ EventSourceArn, FunctionName }: ListEventSourceMappingsRequest) => ({
        EventSourceMappings: store
          .all()
          .filter(
            (one) =>
              (EventSourceArn === undefined || one.queueArn === EventSourceArn) &&
              (FunctionName === undefined || one.functionArn === functionArn(FunctionName, place)),
          )
          .map(shown),
      }),
      UpdateEventSourceMapping: async ({ UUID = '', ...input }: UpdateEventSourceMappingRequest) => {
        const mapping = { ...applied(store.get(UUID), input, place), modifiedAt: clock.now() };
        await writer.write(() => store.save(mapping));
        await stop(UUID);
        start(mapping);
        return shown(mapping);
      },
      DeleteEventSourceMapping: async ({ UUID = '' }: { UUID?: string }) => {
        const mapping = store.get(UUID);
        await writer.write(() => store.remove(UUID));
        await stop(UUID);
        return mappingConfiguration(mapping, 'Deleting', place);
      },
    },
    start: () => {
      started = true;
      for (const mapping of store.all()) void restart(mapping);
    },
    close: async () => {
      await Promise.all([...pollers.keys()].map(stop));
      writer.close();
      database.close();
    },
  };
};
