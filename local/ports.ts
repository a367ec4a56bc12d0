import type { Readable } from 'node:stream';
import type { RunTaskRequest, Task } from '@aws-sdk/client-ecs';

/** What a Lambda invocation answers; `functionError` is set when the handler threw, timed out or died. */
export interface Invocation {
  readonly payload: string;
  readonly functionError?: 'Unhandled';
}

/** Runs a function by ARN with a JSON payload. Throws ServiceError (ResourceNotFoundException, TooManyRequestsException). */
export interface FunctionInvoker {
  invoke(functionArn: string, payload: string, options?: { signal?: AbortSignal }): Promise<Invocation>;
}

export interface BusEntry {
  readonly EventBusName?: string;
  readonly Source?: string;
  readonly DetailType?: string;
  readonly Detail?: string;
  readonly Resources?: string[];
  readonly Time?: Date;
}

export interface EventPublisher {
  putEvents(entries: readonly BusEntry[]): Promise<{
    FailedEntryCount: number;
    Entries: { EventId?: string; ErrorCode?: string; ErrorMessage?: string }[];
  }>;
}

/** An event in which an AWS service itself speaks; `source` begins with `aws.`. */
export interface ServiceEvent {
  /** The same for every repeat. */
  readonly id: string;
  readonly source: string;
  readonly detailType: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly resources: readonly string[];
  readonly detail: object;
}

/** The account's default bus, as services reach it: PutEvents refuses their sources to everybody else. */
export interface ServiceEvents {
  /** Resolves when the deliveries that the event causes are on disk. */
  tell(event: ServiceEvent): Promise<void>;
}

/** Runs container tasks. `run` throws ServiceError as RunTask does, and answers the same task for the same client token. */
export interface TaskRunner {
  run(request: RunTaskRequest): Promise<Task>;
  stop(taskArn: string, reason: string): Promise<void>;
  /** Resolves with the task once it is STOPPED. */
  stopped(taskArn: string): Promise<Task>;
}

export interface ObjectStore {
  /** Throws ServiceError NoSuchKey or NoSuchBucket. */
  get(bucket: string, key: string): Promise<Readable>;
  put(bucket: string, key: string, body: string | Uint8Array): Promise<void>;
  list(
    bucket: string,
    prefix: string,
  ): AsyncIterable<{ Key: string; Size: number; ETag: string; LastModified: string }>;
}

export interface QueueSender {
  send(queueArn: string, body: string, attributes?: Readonly<Record<string, string>>): Promise<void>;
}

export interface ExecutionStarter {
  start(stateMachineArn: string, input: string, name?: string): Promise<{ executionArn: string }>;
}

/** Delivers to any target ARN that a rule or a schedule may name: sqs queue, lambda function, states machine, event bus. */
export interface TargetDelivery {
  deliver(
    targetArn: string,
    payload: string,
    context: { source: 'rule' | 'schedule'; sourceArn: string },
  ): Promise<void>;
}
