import type { IncomingMessage, ServerResponse } from 'node:http';

/** Who calls: resolved from the verified SigV4 signature. */
export interface Caller {
  readonly accessKeyId: string;
  readonly accountId: string;
  readonly region: string;
  /** ARN of the user or assumed role behind the access key. */
  readonly principalArn: string;
}

export interface Call {
  readonly requestId: string;
  readonly caller: Caller;
  /** `http://127.0.0.1:PORT`, the gateway's own address. */
  readonly endpoint: string;
  /** Aborted when the client closes its connection. */
  readonly signal: AbortSignal;
}

export type Protocol = 'awsJson1_0' | 'awsJson1_1' | 'awsQuery' | 'restJson1' | 'restXml';

/** One operation. It gets the input decoded by the SDK's own schema and answers plain output of the SDK's output shape. */
// biome-ignore lint/suspicious/noExplicitAny: every operation has its own input shape, known to the service file alone
export type Operation = (input: any, call: Call) => unknown;

/** A service that the gateway decodes, dispatches and encodes from the schemas that its SDK v3 client exports. */
export interface SchemaService {
  readonly kind: 'schema';
  /** The service name in the SigV4 credential scope, such as `states`. */
  readonly signingName: string;
  readonly protocol: Protocol;
  /** `import * as client from '@aws-sdk/client-...'`: operations and errors are its exports that end in `$`. */
  readonly client: Readonly<Record<string, unknown>>;
  readonly operations: Readonly<Record<string, Operation>>;
  close?(): Promise<void> | void;
}

/** A service that reads and writes the HTTP stream itself (S3). The gateway routes to it; verifying is its own duty. */
export interface StreamService {
  readonly kind: 'stream';
  readonly signingName: string;
  handle(request: IncomingMessage, response: ServerResponse, call: Omit<Call, 'caller'>): Promise<void>;
  close?(): Promise<void> | void;
}

export type Service = SchemaService | StreamService;

/**
 * An error in AWS's vocabulary. `name` is the error shape's name (`ExecutionAlreadyExists`); the gateway adds status and
 * query code from the client's error schema, `status` overrides, `members` are further fields of the shape.
 */
export class ServiceError extends Error {
  readonly status: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;
  constructor(name: string, message: string, options: { status?: number; members?: Record<string, unknown> } = {}) {
    super(message);
    this.name = name;
    this.status = options.status;
    this.members = options.members ?? {};
  }
}
