import { ServiceError } from '../gateway/service.ts';
import { invalidValue } from './names.ts';

export interface PageRequest {
  readonly MaxRecords?: number;
  readonly Marker?: string;
}

/** RDS's rule: 20 to 100 records on a page, 100 unless told. */
const size = { least: 20, most: 100 };

/** One page of items sorted by `key`. A marker names the last item of the page before, so it outlives deletions. */
export const pageOf = <Item>(
  items: readonly Item[],
  key: (item: Item) => string,
  { MaxRecords = size.most, Marker }: PageRequest,
): { items: Item[]; Marker: string | undefined } => {
  if (!Number.isInteger(MaxRecords) || MaxRecords < size.least || MaxRecords > size.most)
    throw invalidValue(`Invalid value ${MaxRecords} for MaxRecords. Must be between ${size.least} and ${size.most}`);
  const after = Marker === undefined ? '' : Buffer.from(Marker, 'base64url').toString('utf8');
  const rest = items
    .filter((item) => key(item) > after)
    .sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0));
  const page = rest.slice(0, MaxRecords);
  const last = page.at(-1);
  return {
    items: page,
    Marker: last !== undefined && rest.length > page.length ? Buffer.from(key(last)).toString('base64url') : undefined,
  };
};

export interface Filter {
  readonly Name?: string | undefined;
  readonly Values?: readonly string[] | undefined;
}

/** Keeps what every filter accepts; `readers` says what each filter name reads. */
export const applyFilters = <Item>(
  items: readonly Item[],
  filters: readonly Filter[] = [],
  readers: Readonly<Record<string, (item: Item) => readonly string[]>>,
): Item[] => {
  const tests = filters.map(({ Name = '', Values = [] }) => {
    const read = readers[Name];
    if (!read)
      throw new ServiceError(
        'InvalidParameterValue',
        `Unrecognized filter name: ${Name}; here there are ${Object.keys(readers).join(', ')}.`,
      );
    return (item: Item): boolean => read(item).some((value) => Values.includes(value));
  });
  return items.filter((item) => tests.every((test) => test(item)));
};
