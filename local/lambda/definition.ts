/** A function as the pool runs it. */
export interface FunctionDefinition {
  readonly name: string;
  /** Absolute path of the bundled `.mjs`. */
  readonly file: string;
  /** The name that the file exports. */
  readonly handler: string;
  /** Seconds. */
  readonly timeout: number;
  /** MiB; becomes the limit of the old heap generation. */
  readonly memory: number;
  readonly environment: Readonly<Record<string, string>>;
  /** At most so many at once. Without it only the pool's own limits hold. */
  readonly reservedConcurrency?: number;
  /** ARN of the execution role; `role/<name>` in the own account unless given. */
  readonly role?: string;
}

/** Bytes of a synchronous request or response: 6 MiB and 100 bytes, as AWS counts it. */
export const payloadLimit = 6_291_556;
/** Bytes of an asynchronous request: 1 MiB. */
export const eventPayloadLimit = 1_048_576;

const arnPattern =
  /^(?:arn:aws:lambda:([a-z0-9-]+):)?(?:(\d{12}):function:|function:)?([A-Za-z0-9-_]{1,64})(?::(\$LATEST|[A-Za-z0-9-_]+))?$/;

/** Reads a name, a partial ARN (`123456789012:function:name`) or an ARN, each with or without a qualifier. */
export const parseFunctionName = (text: string): { name: string; qualifier: string | undefined } | undefined => {
  const [, , , name, qualifier] = arnPattern.exec(text) ?? [];
  return name === undefined ? undefined : { name, qualifier };
};
