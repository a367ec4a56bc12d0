import { queryScope } from '../context.ts';
import type { ItemBatcher, MapState } from '../definition.ts';
import { QueryFailure, StateFailure } from '../failure.ts';
import type { Frame, MapItem } from '../frame.ts';
import { payloadLimit } from '../payload.ts';
import { evaluate } from '../query.ts';
import { numberIn } from '../states/number.ts';
import type { World } from '../world.ts';
import { readItems } from './item-reader.ts';

/** The input of one iteration or child, and how many items it holds. */
export interface MapInput {
  readonly input: unknown;
  readonly item: MapItem;
  readonly items: number;
}

/** An object is iterated by its members, as AWS does: the item is `{Key, Value}`, the context tells them apart. */
const itemsOf = (source: unknown): { readonly value: unknown; readonly item: MapItem }[] => {
  if (Array.isArray(source)) return source.map((value, Index) => ({ value, item: { Index, Value: value } }));
  if (typeof source === 'object' && source !== null) {
    return Object.entries(source).map(([Key, Value], Index) => ({
      value: { Key, Value },
      item: { Index, Key, Value },
    }));
  }
  throw new QueryFailure(
    `The field 'Items' must be an array or an object, it is ${JSON.stringify(source)?.slice(0, 200)}.`,
    'Items',
  );
};

/** Groups of at most `most` items and, where `bytes` is given, that many bytes of JSON; one item alone may be any size. */
const batches = (inputs: readonly MapInput[], most: number, bytes: number): MapInput[][] => {
  const groups: MapInput[][] = [];
  let group: MapInput[] = [];
  let size = 0;
  for (const input of inputs) {
    const length = Buffer.byteLength(JSON.stringify(input.input)) + 1;
    if (group.length > 0 && (group.length >= most || size + length > bytes)) {
      groups.push(group);
      group = [];
      size = 0;
    }
    group.push(input);
    size += length;
  }
  return group.length > 0 ? [...groups, group] : groups;
};

const batched = async (frame: Frame, batcher: ItemBatcher, inputs: readonly MapInput[]): Promise<MapInput[]> => {
  const scope = queryScope(frame);
  const most = await numberIn(batcher.MaxItemsPerBatch, scope, 'ItemBatcher/MaxItemsPerBatch', { least: 1 });
  const bytes = await numberIn(batcher.MaxInputBytesPerBatch, scope, 'ItemBatcher/MaxInputBytesPerBatch', {
    least: 1,
    most: payloadLimit,
  });
  const common =
    batcher.BatchInput === undefined
      ? {}
      : { BatchInput: await evaluate(batcher.BatchInput, scope, 'ItemBatcher/BatchInput') };
  return batches(inputs, most ?? Number.POSITIVE_INFINITY, bytes ?? payloadLimit).map((group, Index) => {
    const Items = group.map(({ input }) => input);
    return { input: { ...common, Items }, item: { Index, Value: Items }, items: group.length };
  });
};

/** Promise: what each iteration gets: Items or ItemReader, through ItemSelector, in batches where there is an ItemBatcher. */
export const mapInputs = async (world: World, frame: Frame, state: MapState): Promise<MapInput[]> => {
  const scope = queryScope(frame);
  const source = state.ItemReader
    ? await readItems(world, state.ItemReader, scope)
    : state.Items === undefined
      ? frame.input.value
      : await evaluate(state.Items, scope, 'Items');
  const inputs: MapInput[] = [];
  for (const { value, item } of itemsOf(source)) {
    const input =
      state.ItemSelector === undefined
        ? value
        : await evaluate(state.ItemSelector, queryScope(frame, { item }), 'ItemSelector');
    inputs.push({ input, item, items: 1 });
  }
  if (!state.ItemBatcher) return inputs;
  return batched(frame, state.ItemBatcher, inputs);
};

/** Promise: MaxConcurrency, or `fallback` where it is missing or 0. */
export const concurrencyOf = async (frame: Frame, state: MapState, fallback: number): Promise<number> =>
  (await numberIn(state.MaxConcurrency, queryScope(frame), 'MaxConcurrency')) || fallback;

/** Items of one iteration that alone are too large for a payload. */
export const checkItem = (text: string, state: string): string => {
  if (Buffer.byteLength(text) > payloadLimit) {
    throw new StateFailure(
      'States.DataLimitExceeded',
      `An item of the Map state '${state}' is larger than ${payloadLimit} bytes.`,
    );
  }
  return text;
};
