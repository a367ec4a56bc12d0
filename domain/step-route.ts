/** What ends a Lambda invocation: 15 minutes by AWS, of which the steps take 840 s, and 10 GiB of ephemeral storage. */
export const lambdaSeconds = 840;
export const lambdaDiskBytes = 10 * 1024 ** 3;

/**
 * Bytes of a table that one step goes through in a second, measured where a dump reads, compresses and stores them on two shared
 * cores: 60 MB/s for wide text, 29 MB/s for small rows, 12 MB/s when other work took the processor. The slowest counts; a
 * restore or a comparison of the same rows is no slower.
 */
export const stepBytesPerSecond = 12_000_000;

/** A route must fit with room: twice the estimate, because statistics are of yesterday and another step may run beside. */
const margin = 2;

export interface StepSize {
  /** Bytes of rows as the tables hold them: of the tenant, or of the whole database that it has for itself. */
  readonly bytes: number;
  /** How often the step goes through all of them, once unless told. */
  readonly passes?: number;
  /** Bytes that the step keeps on its local disk at a time: none for a streamed export. */
  readonly localBytes?: number;
}

/** Seconds that a step of that size is expected to take. */
export const stepSeconds = ({ bytes, passes = 1 }: StepSize): number => (passes * bytes) / stepBytesPerSecond;

/** Where a step that dumps, restores, compares, copies or deletes a tenant's rows runs. */
export const stepRoutes = ['lambda', 'task'] as const;
export type StepRoute = (typeof stepRoutes)[number];

/** `lambda` only when twice the expected time and all of its local bytes fit into one invocation. */
export const stepRoute = (size: StepSize): StepRoute =>
  margin * stepSeconds(size) <= lambdaSeconds && (size.localBytes ?? 0) <= lambdaDiskBytes ? 'lambda' : 'task';

/** The most bytes that still go to Lambda in one pass. */
export const largestLambdaStep = Math.floor((lambdaSeconds * stepBytesPerSecond) / margin);
