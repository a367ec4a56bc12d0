import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { DescribeExecutionOutput, HistoryEvent } from '@aws-sdk/client-sfn';
import type { Integrations } from '../../../local/engine/world.ts';
import type { Call } from '../../../local/gateway/service.ts';
import { ServiceError } from '../../../local/gateway/service.ts';
import type { BusEntry, ServiceEvents } from '../../../local/ports.ts';
import { createStatesService, type StatesService } from '../../../local/services/states.ts';

export const functionArn = (name: string): string => `arn:aws:lambda:eu-central-1:000000000000:function:${name}`;
export const machineArnOf = (name: string): string => `arn:aws:states:eu-central-1:000000000000:stateMachine:${name}`;
const roleArn = 'arn:aws:iam::000000000000:role/states';

type Handler = (event: never, signal: AbortSignal | undefined) => unknown;

/** Lambda functions by name, in this process; what they throw is shaped as the Lambda runtime shapes it. */
const functionsOf = (handlers: Readonly<Record<string, Handler>>): Integrations['functions'] => ({
  invoke: async (arn, payload, options) => {
    const handler = handlers[arn.split(':').at(-1)!];
    if (!handler) throw new ServiceError('ResourceNotFoundException', `Function not found: ${arn}`);
    try {
      return { payload: JSON.stringify((await handler(JSON.parse(payload) as never, options?.signal)) ?? null) };
    } catch (error) {
      const { name, message } = error as Error;
      return {
        payload: JSON.stringify({ errorType: name, errorMessage: message, trace: [] }),
        functionError: 'Unhandled',
      };
    }
  },
});

/** A bucket store in memory behind the port. */
const objectsOf = (objects: Map<string, string>): Integrations['objects'] => ({
  get: async (bucket, key) => {
    const body = objects.get(`${bucket}/${key}`);
    if (body === undefined) throw new ServiceError('NoSuchKey', `The specified key does not exist: ${key}`);
    return Readable.from([body]);
  },
  put: async (bucket, key, body) => {
    objects.set(`${bucket}/${key}`, String(body));
  },
  list: async function* (bucket, prefix) {
    for (const [place, body] of objects) {
      if (!place.startsWith(`${bucket}/${prefix}`)) continue;
      yield {
        Key: place.slice(bucket.length + 1),
        Size: body.length,
        ETag: '"e"',
        LastModified: '2026-01-02T03:04:05.000Z',
      };
    }
  },
});

export interface Laptop {
  readonly states: StatesService;
  readonly directory: string;
  readonly published: BusEntry[];
  readonly objects: Map<string, string>;
  call<T = Record<string, unknown>>(operation: string, input: object): Promise<T>;
  create(name: string, definition: object): Promise<string>;
  /** Starts and answers the ARN. */
  start(machine: string, input?: unknown, name?: string): Promise<string>;
  /** The description once the execution is over. */
  ended(arn: string): Promise<DescribeExecutionOutput>;
  /** Creates, starts and waits: the output, or the description of what failed. */
  run(
    definition: object,
    input?: unknown,
  ): Promise<{ output: unknown; execution: DescribeExecutionOutput; arn: string }>;
  history(arn: string): Promise<HistoryEvent[]>;
  /** Resolves when the history of `arn` holds an event of this type. */
  event(arn: string, type: string): Promise<void>;
  close(): void;
}

export interface LaptopOptions {
  readonly handlers?: Readonly<Record<string, Handler>>;
  readonly directory?: string;
  readonly failedEntries?: number;
  readonly onCommit?: () => void;
  /** Takes the changes of status; nobody does unless told. */
  readonly tell?: ServiceEvents['tell'];
}

/** A states service over functions, a bus and objects of this process. `close` removes the folder that it made. */
export const openLaptop = ({
  handlers = {},
  directory,
  failedEntries = 0,
  onCommit,
  tell,
}: LaptopOptions = {}): Laptop => {
  const folder = directory ?? mkdtempSync(join(tmpdir(), 'engine-'));
  const published: BusEntry[] = [];
  const objects = new Map<string, string>();
  const enders = new Map<string, (() => void)[]>();
  const commits = new Set<() => void>();
  const states = createStatesService({
    directory: folder,
    region: 'eu-central-1',
    accountId: '000000000000',
    integrations: {
      functions: functionsOf(handlers),
      objects: objectsOf(objects),
      ...(tell ? { statusEvents: { tell } } : {}),
      events: {
        putEvents: async (entries) => {
          published.push(...entries);
          const Entries = entries.map((_, index) =>
            index < failedEntries
              ? { ErrorCode: 'InternalFailure', ErrorMessage: 'refused' }
              : { EventId: `e-${index}` },
          );
          return { FailedEntryCount: failedEntries, Entries };
        },
      },
    },
    onEnd: (row) => {
      for (const tell of enders.get(row.arn) ?? []) tell();
      enders.delete(row.arn);
    },
    onCommit: () => {
      onCommit?.();
      for (const look of commits) look();
    },
  });
  let machines = 0;
  const call = async <T>(operation: string, input: object): Promise<T> => {
    const run = states.operations[operation];
    if (!run) throw new Error(`no operation ${operation}`);
    return (await run(input, {} as Call)) as T;
  };
  const laptop: Laptop = {
    states,
    directory: folder,
    published,
    objects,
    call,
    create: async (name, definition) => {
      await call('CreateStateMachine', {
        name,
        roleArn,
        definition: JSON.stringify({ QueryLanguage: 'JSONata', ...definition }),
      });
      return machineArnOf(name);
    },
    start: async (stateMachineArn, input = {}, name) => {
      const answer = await call<{ executionArn: string }>('StartExecution', {
        stateMachineArn,
        input: JSON.stringify(input),
        name,
      });
      return answer.executionArn;
    },
    ended: async (arn) => {
      const over = new Promise<void>((resolve) => enders.set(arn, [...(enders.get(arn) ?? []), resolve]));
      const now = await call<DescribeExecutionOutput>('DescribeExecution', { executionArn: arn });
      if (now.status !== 'RUNNING') return now;
      await over;
      return call('DescribeExecution', { executionArn: arn });
    },
    run: async (definition, input) => {
      machines += 1;
      const arn = await laptop.start(await laptop.create(`machine-${machines}`, definition), input);
      const execution = await laptop.ended(arn);
      return { arn, execution, output: execution.output === undefined ? undefined : JSON.parse(execution.output) };
    },
    history: async (executionArn) => {
      const events: HistoryEvent[] = [];
      let nextToken: string | undefined;
      do {
        const page = await call<{ events: HistoryEvent[]; nextToken?: string }>('GetExecutionHistory', {
          executionArn,
          maxResults: 1_000,
          nextToken,
        });
        events.push(...page.events);
        nextToken = page.nextToken;
      } while (nextToken);
      return events;
    },
    event: (arn, type) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          laptop.history(arn).then((events) => {
            if (!events.some((event) => event.type === type)) return;
            commits.delete(look);
            resolve();
          }, reject);
        };
        commits.add(look);
        look();
      }),
    close: () => {
      states.close();
      if (!directory) rmSync(folder, { recursive: true, force: true });
    },
  };
  return laptop;
};

/** A JSONata machine of one state. */
export const only = (state: object): object => ({ StartAt: 'Only', States: { Only: { End: true, ...state } } });

/** Type, id and previous id of each event: the shape that AWS's recorded histories are compared in. */
export const shape = (events: readonly HistoryEvent[]): string[] =>
  events.map(({ id, previousEventId, type }) => `${id}<${previousEventId} ${type}`);
