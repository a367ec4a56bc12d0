import type { ParameterStringFilter } from '@aws-sdk/client-ssm';
import { ServiceError } from '../../gateway/service.ts';
import type { StoredParameter } from './store.ts';

type Match = (parameter: StoredParameter, values: readonly string[], option: string) => boolean;

/** True when `name` lies below `path`: directly, or at any depth. */
export const liesBelow = (name: string, path: string, recursive: boolean): boolean => {
  const prefix = path.endsWith('/') ? path : `${path}/`;
  return name.startsWith(prefix) && (recursive || !name.slice(prefix.length).includes('/'));
};

const compare = (text: string, values: readonly string[], option: string): boolean => {
  if (option === 'Equals') return values.includes(text);
  if (option === 'BeginsWith') return values.some((value) => text.startsWith(value));
  if (option === 'Contains') return values.some((value) => text.includes(value));
  throw new ServiceError(
    'InvalidFilterOption',
    `The filter option "${option}" must be Equals, BeginsWith or Contains.`,
  );
};

const matches: Record<string, Match> = {
  Name: ({ name }, values, option) => compare(name, values, option),
  Type: ({ type }, values, option) => compare(type, values, option),
  KeyId: ({ key_id }, values, option) => compare(key_id ?? '', values, option),
  Tier: ({ tier }, values, option) => compare(tier, values, option),
  DataType: ({ data_type }, values, option) => compare(data_type, values, option),
  Path: ({ name }, values, option) => values.some((path) => liesBelow(name, path, option === 'Recursive')),
};

/** Parameters that pass every filter. Throws ServiceError InvalidFilterKey for a key that is not kept here. */
export const applyFilters = (
  parameters: readonly StoredParameter[],
  filters: readonly ParameterStringFilter[],
): StoredParameter[] => {
  const tests = filters.map(({ Key = '', Option, Values = [] }) => {
    const match = Object.hasOwn(matches, Key) ? matches[Key] : undefined;
    if (!match) {
      const known = Object.keys(matches).join(', ');
      throw new ServiceError('InvalidFilterKey', `The filter key "${Key}" is not one of ${known}.`);
    }
    return (parameter: StoredParameter) => match(parameter, Values, Option ?? (Key === 'Path' ? 'OneLevel' : 'Equals'));
  });
  return parameters.filter((parameter) => tests.every((test) => test(parameter)));
};

/** One page of a list sorted by name, and the token of the next one: the last name of this. */
export const pageOf = <T extends { readonly name: string }>(
  sorted: readonly T[],
  { token, size }: { token: string | undefined; size: number },
): { page: T[]; next: string | undefined } => {
  const after = token === undefined ? undefined : Buffer.from(token, 'base64url').toString('utf8');
  const rest = after === undefined ? sorted : sorted.filter(({ name }) => name > after);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return { page, next: last && page.length < rest.length ? Buffer.from(last.name).toString('base64url') : undefined };
};
