import type { Filter, Tag } from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../gateway/service.ts';
import type { StoredSecret } from './store.ts';

const tagsOf = (secret: StoredSecret): Tag[] => JSON.parse(secret.tags) as Tag[];

/** The texts that a filter looks at. AWS compares prefixes, and names case-sensitively. */
const textsOf: Record<string, (secret: StoredSecret) => string[]> = {
  name: ({ name }) => [name],
  description: ({ description }) => (description ?? '').split(/\s+/),
  'tag-key': (secret) => tagsOf(secret).map(({ Key = '' }) => Key),
  'tag-value': (secret) => tagsOf(secret).map(({ Value = '' }) => Value),
  all: (secret) => [
    secret.name,
    ...(secret.description ?? '').split(/\s+/),
    ...tagsOf(secret).flatMap(({ Key = '', Value = '' }) => [Key, Value]),
  ],
};

const passes = (texts: readonly string[], values: readonly string[]): boolean =>
  values.some((value) =>
    value.startsWith('!')
      ? !texts.some((text) => text.startsWith(value.slice(1)))
      : texts.some((text) => text.startsWith(value)),
  );

/** Secrets that pass every filter; a value that starts with `!` excludes. */
export const applyFilters = (secrets: readonly StoredSecret[], filters: readonly Filter[]): StoredSecret[] => {
  const tests = filters.map(({ Key = '', Values = [] }) => {
    const texts = Object.hasOwn(textsOf, Key) ? textsOf[Key] : undefined;
    if (texts) return (secret: StoredSecret) => passes(texts(secret), Values);
    const known = Object.keys(textsOf).join(', ');
    throw new ServiceError('InvalidParameterException', `The filter key "${Key}" is not one of ${known}.`);
  });
  return secrets.filter((secret) => tests.every((test) => test(secret)));
};
