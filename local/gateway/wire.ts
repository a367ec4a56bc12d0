import type { IncomingHttpHeaders } from 'node:http';
import type { NormalizedSchema } from '@smithy/core/schema';
import type { OperationShape, ServiceModel } from './model.ts';

/** A request with its whole body; `url` is the raw path and query. */
export interface WireRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What a request asks for. `shape` is undefined where the SDK client knows no such operation. */
export interface Asked {
  readonly name: string;
  readonly shape: OperationShape | undefined;
  /** Values of the labels in a REST path, still escaped. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly name: string;
  readonly queryCode: string;
  readonly status: number;
  readonly message: string;
  readonly members: Readonly<Record<string, unknown>>;
  /** The error's schema, where the client has one. */
  readonly schema: NormalizedSchema | undefined;
  /** The service answers `x-amzn-query-error` beside JSON, as SQS does. */
  readonly queryCompatible: boolean;
}

/** One wire protocol: how an operation is named, its input read, its output and its errors written. */
export interface Wire {
  asked(model: ServiceModel, request: WireRequest): Asked;
  input(shape: OperationShape, asked: Asked, request: WireRequest): unknown;
  answer(shape: OperationShape, output: Readonly<Record<string, unknown>>, requestId: string): WireAnswer;
  refuse(refusal: Refusal, requestId: string): WireAnswer;
}

/** The error's members and its message, under the spelling that its schema gives the message. */
export const errorMembers = ({ schema, members, message }: Refusal): Record<string, unknown> => {
  const names = schema ? [...schema.structIterator()].map(([name]) => name) : [];
  const messageName = names.find((name) => name.toLowerCase() === 'message') ?? 'message';
  return { ...members, [messageName]: message };
};
