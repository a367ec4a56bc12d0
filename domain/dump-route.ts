/** What ends a Lambda invocation: 15 minutes by AWS, of which the steps take 840 s, and 10 GiB of ephemeral storage. */
export const lambdaSeconds = 840;
export const lambdaDiskBytes = 10 * 1024 ** 3;

/**
 * Bytes of a table that one dump reads, compresses and stores in a second, measured on two shared cores: 60 MB/s for wide text,
 * 29 MB/s for small rows, 12 MB/s when other work took the processor. The slowest counts.
 */
export const dumpBytesPerSecond = 12_000_000;

/** A route must fit with room: twice the estimate, because statistics are of yesterday and another dump may run beside. */
const margin = 2;

export interface DumpSize {
  /** Bytes of rows as the tables hold them: of the tenant, or of the whole database that it has for itself. */
  readonly bytes: number;
  /** Bytes that the step keeps on its local disk at a time: none for a streamed export. */
  readonly localBytes?: number;
}

/** Seconds that a dump of that size is expected to take. */
export const dumpSeconds = ({ bytes }: DumpSize): number => bytes / dumpBytesPerSecond;

/** Where a dump (and a restore or a verification of the same rows, which are no slower) runs. */
export const dumpRoutes = ['lambda', 'task'] as const;
export type DumpRoute = (typeof dumpRoutes)[number];

/** `lambda` only when twice the expected time and all of its local bytes fit into one invocation. */
export const dumpRoute = (size: DumpSize): DumpRoute =>
  margin * dumpSeconds(size) <= lambdaSeconds && (size.localBytes ?? 0) <= lambdaDiskBytes ? 'lambda' : 'task';

/** The most bytes that still go to Lambda. */
export const largestLambdaDump = Math.floor((lambdaSeconds * dumpBytesPerSecond) / margin);
