import { queryScope } from '../context.ts';
import type { MapState } from '../definition.ts';
import type { ExecutionRow } from '../execution-rows.ts';
import { StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { evaluate } from '../query.ts';
import { objectFailure } from '../tasks/objects.ts';
import type { World } from '../world.ts';

interface Finished {
  readonly mapRun: string;
  readonly id: string;
  readonly rows: readonly ExecutionRow[];
}

/** A child as AWS exports it (Transformation NONE): DescribeExecution in capitals, input and output as text. */
const exported = (row: ExecutionRow): Record<string, unknown> => ({
  ExecutionArn: row.arn,
  Input: row.input,
  InputDetails: { Included: true },
  Name: row.name,
  ...(row.output === null ? {} : { Output: row.output, OutputDetails: { Included: true } }),
  ...(row.error === null ? {} : { Error: row.error }),
  ...(row.cause === null ? {} : { Cause: row.cause }),
  RedriveCount: row.redrives,
  RedriveStatus: row.status === 'SUCCEEDED' ? 'NOT_REDRIVABLE' : 'REDRIVABLE_BY_MAP_RUN',
  StartDate: new Date(row.started_at).toISOString(),
  StateMachineArn: row.machine_arn,
  Status: row.status,
  StopDate: new Date(row.stopped_at ?? row.started_at).toISOString(),
});

type Transformation = 'NONE' | 'COMPACT' | 'FLATTEN';

/** A child that failed is exported whole, whatever the transformation: its failure must not look like an output. */
const transformed = (rows: readonly ExecutionRow[], transformation: Transformation): unknown[] => {
  const results = rows.map((row) =>
    transformation === 'NONE' || row.status !== 'SUCCEEDED' ? exported(row) : JSON.parse(row.output ?? 'null'),
  );
  return transformation === 'FLATTEN' ? results.flat() : results;
};

const encode = (results: readonly unknown[], type: 'JSON' | 'JSONL'): string =>
  type === 'JSON' ? JSON.stringify(results) : results.map((result) => `${JSON.stringify(result)}\n`).join('');

/** Writes one file per status and the manifest that names them; answers the manifest's key. */
const exportResults = async (
  world: World,
  state: MapState,
  { mapRun, id, rows }: Finished,
  place: { readonly Bucket?: unknown; readonly Prefix?: unknown },
): Promise<string> => {
  const bucket = place.Bucket;
  if (typeof bucket !== 'string') {
    throw new StateFailure(
      'States.ResultWriterFailed',
      `ResultWriter Arguments.Bucket is ${JSON.stringify(bucket)}, give a bucket`,
    );
  }
  const { Transformation = 'NONE', OutputType = 'JSON' } = state.ResultWriter?.WriterConfig ?? {};
  const folder = `${place.Prefix === undefined || place.Prefix === '' ? '' : `${String(place.Prefix).replace(/\/$/, '')}/`}${id}`;
  const files: Record<string, { Key: string; Size: number }[]> = { FAILED: [], PENDING: [], SUCCEEDED: [] };
  for (const status of ['SUCCEEDED', 'FAILED'] as const) {
    const chosen = rows.filter((row) => (row.status === 'SUCCEEDED') === (status === 'SUCCEEDED'));
    if (chosen.length === 0) continue;
    const body = encode(transformed(chosen, Transformation), OutputType);
    const Key = `${folder}/${status}_0.${OutputType === 'JSON' ? 'json' : 'jsonl'}`;
    await world.integrations.objects.put(bucket, Key, body);
    files[status]!.push({ Key, Size: Buffer.byteLength(body) });
  }
  const manifest = `${folder}/manifest.json`;
  await world.integrations.objects.put(
    bucket,
    manifest,
    JSON.stringify({ DestinationBucket: bucket, MapRunArn: mapRun, ResultFiles: files }),
  );
  return manifest;
};

/**
 * Promise: the output of a distributed Map and how many results it wrote: the outputs themselves, or with a ResultWriter the place
 * of a manifest in S3. Throws States.ResultWriterFailed.
 */
export const writeResults = async (
  world: World,
  frame: Frame,
  state: MapState,
  finished: Finished,
): Promise<{ output: unknown; written: number }> => {
  const writer = state.ResultWriter;
  if (writer?.Resource === undefined) {
    return { output: transformed(finished.rows, writer?.WriterConfig?.Transformation ?? 'COMPACT'), written: 0 };
  }
  const place = (await evaluate(writer.Arguments ?? {}, queryScope(frame), 'ResultWriter/Arguments')) as {
    Bucket?: unknown;
    Prefix?: unknown;
  };
  try {
    const Key = await exportResults(world, state, finished, place);
    const output = { MapRunArn: finished.mapRun, ResultWriterDetails: { Bucket: place.Bucket, Key } };
    return { output, written: finished.rows.length };
  } catch (error) {
    const failure = objectFailure(error);
    if (failure.error === 'States.ResultWriterFailed') throw failure;
    throw new StateFailure('States.ResultWriterFailed', failure.reason ?? failure.error);
  }
};
