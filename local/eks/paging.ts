import { invalidParameter } from './refusals.ts';

export interface PageRequest {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

/** EKS's rule: 1 to 100 on a page, 100 unless told. A token names the last item of the page before, so it outlives deletions. */
export const pageOf = <Item>(
  items: readonly Item[],
  key: (item: Item) => string,
  { maxResults = 100, nextToken }: PageRequest,
): { items: Item[]; nextToken: string | undefined } => {
  if (!Number.isInteger(maxResults) || maxResults < 1 || maxResults > 100)
    throw invalidParameter(`maxResults is ${maxResults}; give 1 to 100.`);
  const after = nextToken === undefined ? '' : Buffer.from(nextToken, 'base64url').toString('utf8');
  const rest = items
    .filter((item) => key(item) > after)
    .sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0));
  const page = rest.slice(0, maxResults);
  const last = page.at(-1);
  return {
    items: page,
    nextToken:
      last !== undefined && rest.length > page.length ? Buffer.from(key(last)).toString('base64url') : undefined,
  };
};
