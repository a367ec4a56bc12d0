import { CommandFailure, exitCodes } from './exit-codes.ts';

export interface RowsArgument {
  readonly table: string;
  readonly where?: string;
  /** Always text: the API reads it as the column's type, and a bigint would not survive being a JavaScript number. */
  readonly keys?: readonly (string | readonly string[])[];
}

const examples =
  '--rows "messages: sender_id = 7 and sent_at >= \'2026-11-01\'", --rows "messages: key 17, 18" or, for a key of several columns, --rows "reactions: key (3, 6, tada), (3, 7, eyes)"';

const refuse = (text: string, why: string): never => {
  throw new CommandFailure(exitCodes.usage, `--rows "${text}" ${why}; write ${examples}`);
};

const token = /\s*(?:'((?:[^']|'')*)'|([(),])|([^\s'(),][^'(),]*))/y;

interface Token {
  readonly symbol?: string;
  readonly value?: string;
}

const tokenize = (list: string, text: string): Token[] => {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (list.slice(token.lastIndex).trim() !== '') {
    const at = token.lastIndex;
    const match = token.exec(list) ?? refuse(text, `cannot be read at "${list.slice(at).trim()}"`);
    const [, quoted, symbol, bare] = match;
    tokens.push(symbol ? { symbol } : { value: quoted === undefined ? bare!.trim() : quoted.replaceAll("''", "'") });
  }
  return tokens;
};

const parseKeys = (list: string, text: string): (string | string[])[] => {
  const tokens = tokenize(list, text);
  const keys: (string | string[])[] = [];
  let position = 0;
  const symbol = (wanted: string): boolean => tokens[position]?.symbol === wanted && Boolean(++position);
  const value = (): string => tokens[position++]?.value ?? refuse(text, 'misses a key value');
  do {
    if (symbol('(')) {
      const parts = [value()];
      while (symbol(',')) parts.push(value());
      if (!symbol(')')) refuse(text, 'misses a ")"');
      keys.push(parts);
    } else keys.push(value());
  } while (symbol(','));
  if (position < tokens.length) refuse(text, 'misses a comma between keys');
  return keys;
};

/**
 * `messages: sent_at >= '2026-01-01'` or `messages: key 17, 18` -> the `rows` member of a restore. Predicates are judged by the
 * step that knows the table.
 * @throws CommandFailure usage with examples.
 */
export const parseRows = (text: string): RowsArgument => {
  const [, table, rest] = /^\s*([\w."]+)\s*:\s*(\S.*)$/s.exec(text) ?? [];
  if (!table || !rest) return refuse(text, 'names no table and rows');
  const keys = /^keys?\b(?!\s*(?:=|!|<|>|in\b|like\b|is\b))\s*(.*)$/is.exec(rest.trim());
  return keys ? { table, keys: parseKeys(keys[1]!, text) } : { table, where: rest.trim() };
};
