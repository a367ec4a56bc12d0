import { invalid } from './refusals.ts';

/** CloudFormation answers 100 to a page. A token is the position of the next page's first item. */
const size = 100;

export const pageOf = <Item>(
  items: readonly Item[],
  token: string | undefined,
): { items: Item[]; NextToken: string | undefined } => {
  const from = token === undefined ? 0 : Number(token);
  if (!Number.isInteger(from) || from < 0) throw invalid(`NextToken ${token} is not one of this list.`);
  const next = from + size;
  return { items: items.slice(from, next), NextToken: next < items.length ? String(next) : undefined };
};
