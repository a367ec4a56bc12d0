import { text } from 'node:stream/consumers';
import type { ItemReader } from '../definition.ts';
import { StateFailure } from '../failure.ts';
import { evaluate, type QueryScope } from '../query.ts';
import { numberIn } from '../states/number.ts';
import { objectFailure, objectPlace } from '../tasks/objects.ts';
import type { World } from '../world.ts';
import { parseCsv } from './csv.ts';

const delimiters = { COMMA: ',', PIPE: '|', SEMICOLON: ';', SPACE: ' ', TAB: '\t' } as const;

const readerFailure = (reason: string): StateFailure => new StateFailure('States.ItemReaderFailed', reason);

const csvItems = (body: string, config: NonNullable<ItemReader['ReaderConfig']>): Record<string, string>[] => {
  const rows = parseCsv(body, delimiters[config.CSVDelimiter ?? 'COMMA']);
  const headers = config.CSVHeaderLocation === 'GIVEN' ? (config.CSVHeaders ?? []) : (rows.shift() ?? []);
  return rows.map((row) => Object.fromEntries(headers.map((header, column) => [header, row[column] ?? ''])));
};

const parseItems = (body: string, config: NonNullable<ItemReader['ReaderConfig']>, place: string): unknown => {
  try {
    switch (config.InputType) {
      case 'CSV':
        return csvItems(body, config);
      case 'JSONL':
        return body
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map((line) => JSON.parse(line));
      default: {
        const parsed: unknown = JSON.parse(body);
        if (typeof parsed === 'object' && parsed !== null) return parsed;
        throw new Error('it holds neither an array nor an object');
      }
    }
  } catch (error) {
    throw readerFailure(
      `${place} is not ${config.InputType ?? 'JSON'}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
};

const listObjects = async (world: World, parameters: unknown): Promise<unknown[]> => {
  const { Bucket, Prefix = '' } = (parameters ?? {}) as { Bucket?: unknown; Prefix?: unknown };
  if (typeof Bucket !== 'string')
    throw readerFailure(`Arguments.Bucket of s3:listObjectsV2 is ${JSON.stringify(Bucket)}, give a bucket`);
  const listed: unknown[] = [];
  for await (const { Key, Size, ETag, LastModified } of world.integrations.objects.list(Bucket, String(Prefix))) {
    listed.push({
      Etag: ETag,
      Key,
      LastModified: Math.floor(Date.parse(LastModified) / 1_000),
      Size,
      StorageClass: 'STANDARD',
    });
  }
  return listed;
};

const readObject = async (world: World, reader: ItemReader, parameters: unknown): Promise<unknown> => {
  const { bucket, key } = objectPlace(parameters, 'getObject');
  const body = await text(await world.integrations.objects.get(bucket, key));
  return parseItems(body, reader.ReaderConfig ?? {}, `s3://${bucket}/${key}`);
};

/**
 * Promise: the items that an ItemReader finds in S3: an object of JSON, JSON lines or CSV, or the list of a bucket. MaxItems cuts
 * them off. Throws States.ItemReaderFailed with the reason of S3 or of the parser.
 */
export const readItems = async (world: World, reader: ItemReader, scope: QueryScope): Promise<unknown> => {
  const parameters = await evaluate(reader.Arguments ?? {}, scope, 'ItemReader/Arguments');
  const most = await numberIn(reader.ReaderConfig?.MaxItems, scope, 'ItemReader/ReaderConfig/MaxItems', { least: 1 });
  try {
    const items = reader.Resource.endsWith(':listObjectsV2')
      ? await listObjects(world, parameters)
      : await readObject(world, reader, parameters);
    if (most === undefined) return items;
    return Array.isArray(items)
      ? items.slice(0, most)
      : Object.fromEntries(Object.entries(items as object).slice(0, most));
  } catch (error) {
    const failure = objectFailure(error);
    throw failure.error === 'States.ItemReaderFailed' ? failure : readerFailure(failure.reason ?? failure.error);
  }
};
