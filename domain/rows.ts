import { StepFailure } from './errors.ts';
import { didYouMean } from './restore.ts';
import { type Column, type TenantTable, tableName } from './scope.ts';

export type KeyValue = string | number;

/** Rows to restore as an operator names them: by key, or by a predicate such as `stream_id = 3 and body like 'Re:%'`. */
export interface RowsRequest {
  readonly table: string;
  /** One value per row, or one list per row where the key (without tenant_id) has several columns. */
  readonly keys?: readonly (KeyValue | readonly KeyValue[])[] | undefined;
  readonly where?: string | undefined;
}

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'like' | 'is null' | 'is not null';

export interface Condition {
  readonly column: string;
  /** `format_type()` text that the values are cast to. */
  readonly type: string;
  readonly operator: Operator;
  /** Bound as parameters, never put into SQL text. */
  readonly values: readonly string[];
}

export type RowFilter =
  | {
      readonly kind: 'keys';
      readonly columns: readonly Pick<Column, 'name' | 'type'>[];
      readonly keys: readonly (readonly string[])[];
    }
  | { readonly kind: 'where'; readonly conditions: readonly Condition[] };

const refuse = (why: string): never => {
  throw new StepFailure('InvalidStepInput', `rows: ${why}`);
};

interface Range {
  readonly least: bigint;
  readonly most: bigint;
}

const integers: Readonly<Record<string, Range>> = {
  smallint: { least: -(2n ** 15n), most: 2n ** 15n - 1n },
  integer: { least: -(2n ** 31n), most: 2n ** 31n - 1n },
  bigint: { least: -(2n ** 63n), most: 2n ** 63n - 1n },
};
const isNumeric = (type: string): boolean => /^(numeric|real$|double precision$)/.test(type);
const isText = (type: string): boolean => /^(text$|character|citext$|name$)/.test(type);
/** Types without `=`: PostgreSQL could only answer with "operator does not exist". */
const incomparable = new Set(['json', 'xml', 'point', 'polygon', 'path']);

/** Why `value` cannot be of `type`, for the types where a wrong value is likely; PostgreSQL judges the rest. */
const misfit = (type: string, value: string): string | undefined => {
  const range = integers[type];
  if (range) {
    if (!/^[+-]?\d+$/.test(value)) return 'a whole number';
    const number = BigInt(value);
    return number < range.least || number > range.most ? `between ${range.least} and ${range.most}` : undefined;
  }
  if (isNumeric(type)) return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? undefined : 'a number';
  if (type === 'boolean') return /^(true|false)$/i.test(value) ? undefined : 'true or false';
  if (type === 'uuid')
    return /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(value)
      ? undefined
      : "a UUID such as '0b3e1f6e-6f0a-4c55-9c8e-2d6a4f0c1d2e'";
  return undefined;
};

const checked = (where: string, column: Pick<Column, 'name' | 'type'>, value: string): string => {
  const expected = misfit(column.type, value);
  if (expected !== undefined)
    refuse(`${where}: ${column.name} is ${column.type}, so ${JSON.stringify(value)} must be ${expected}`);
  return value;
};

const findColumn = (table: TenantTable, name: string): Column =>
  table.columns.find((column) => column.name === name) ??
  refuse(
    `${tableName(table)} has no column ${JSON.stringify(name)}${didYouMean(
      name,
      table.columns.map((column) => column.name),
    )}; its columns are ${table.columns.map((column) => column.name).join(', ')}`,
  );

const parseKeys = (keys: NonNullable<RowsRequest['keys']>, table: TenantTable): RowFilter => {
  const columns = table.primaryKey
    .filter((name) => name !== 'tenant_id')
    .map((name) => findColumn(table, name))
    .map(({ name, type }) => ({ name, type }));
  const shape = `(${columns.map(({ name }) => name).join(', ')})`;
  if (columns.length === 0)
    return refuse(`${tableName(table)} has one row per tenant and no key to name; restore the table whole`);
  if (keys.length === 0) return refuse('keys is empty; name at least one key or use where');
  const parsed = keys.map((key) => {
    const values = (typeof key === 'object' ? key : [key]).map(String);
    if (values.length !== columns.length)
      refuse(
        `key ${JSON.stringify(key)} has ${values.length} of ${columns.length} values; the key of ${tableName(table)} is ${shape}`,
      );
    return values.map((value, index) => checked('keys', columns[index]!, value));
  });
  return { kind: 'keys', columns, keys: parsed };
};

interface Token {
  readonly kind: 'word' | 'quoted' | 'text' | 'number' | 'symbol' | 'end';
  readonly value: string;
  readonly at: number;
}

const lexer =
  /\s*(?:(?<text>'(?:[^']|'')*')|(?<quoted>"(?:[^"]|"")+")|(?<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w$])|(?<word>[\p{L}_][\p{L}\p{N}_$]*)|(?<symbol><=|>=|!=|<>|[=<>(),]))/uy;

const tokenize = (text: string): Token[] => {
  const tokens: Token[] = [];
  lexer.lastIndex = 0;
  let at = 0;
  while (text.slice(at).trim() !== '') {
    const match = lexer.exec(text);
    if (!match)
      return refuse(
        `where: cannot read ${JSON.stringify(text.slice(at).trim().slice(0, 20))} at character ${at + 1}; ` +
          "write column, operator and value, text in single quotes: stream_id = 3 and body like 'Re:%'",
      );
    const [kind, raw] = Object.entries(match.groups!).find(([, value]) => value !== undefined) as [
      Token['kind'],
      string,
    ];
    const value =
      kind === 'text'
        ? raw.slice(1, -1).replaceAll("''", "'")
        : kind === 'quoted'
          ? raw.slice(1, -1).replaceAll('""', '"')
          : raw;
    tokens.push({ kind, value, at: lexer.lastIndex - raw.length });
    at = lexer.lastIndex;
  }
  return [...tokens, { kind: 'end', value: 'the end', at: text.length }];
};

const compareOperators = new Set<string>(['=', '!=', '<', '<=', '>', '>=']);

const parseWhere = (text: string, table: TenantTable): RowFilter => {
  const tokens = tokenize(text);
  let position = 0;
  const peek = (): Token => tokens[position]!;
  const next = (): Token => tokens[position++] ?? tokens.at(-1)!;
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().value.toLowerCase() === word;
  const take = (word: string): boolean => isWord(word) && Boolean(next());
  const expected = (what: string): never =>
    refuse(`where: expected ${what} at character ${peek().at + 1}, found ${JSON.stringify(peek().value)}`);

  const value = (column: Column): string => {
    const token = next();
    const word = token.value.toLowerCase();
    if (token.kind === 'text') return checked('where', column, token.value);
    if (token.kind === 'number') {
      if (isText(column.type)) refuse(`where: ${column.name} is ${column.type}; write '${token.value}' in quotes`);
      return checked('where', column, token.value);
    }
    if (token.kind === 'word' && (word === 'true' || word === 'false')) return checked('where', column, word);
    if (token.kind === 'word' && word === 'null')
      return refuse(`where: write ${column.name} is null, nothing equals null`);
    position--;
    return expected(`a value for ${column.name} (text in single quotes, a number, true or false)`);
  };
  const list = (column: Column): string[] => {
    if (next().value !== '(') {
      position--;
      expected(`( after in, such as ${column.name} in (1, 2)`);
    }
    const values = [value(column)];
    while (peek().kind === 'symbol' && peek().value === ',') {
      next();
      values.push(value(column));
    }
    if (peek().value !== ')') expected(') or a comma');
    next();
    return values;
  };
  const condition = (): Condition => {
    const token = next();
    if (token.kind !== 'word' && token.kind !== 'quoted') {
      position--;
      return expected('a column');
    }
    const column = findColumn(table, token.value);
    const made = (operator: Operator, values: readonly string[] = []): Condition => {
      if (values.length > 0 && incomparable.has(column.type))
        refuse(`where: ${column.name} is ${column.type} and can only be asked with is null or is not null`);
      return { column: column.name, type: column.type, operator, values };
    };
    if (take('is')) {
      const negated = take('not');
      if (!take('null')) return expected('null');
      return made(negated ? 'is not null' : 'is null');
    }
    if (take('in')) return made('in', list(column));
    if (take('like')) {
      if (!isText(column.type)) refuse(`where: like needs text, ${column.name} is ${column.type}; use = or in`);
      return made('like', [value(column)]);
    }
    const symbol = peek().value === '<>' ? '!=' : peek().value;
    if (peek().kind !== 'symbol' || !compareOperators.has(symbol))
      return expected('one of = != < <= > >= in like is null, is not null');
    next();
    return made(symbol as Operator, [value(column)]);
  };

  const conditions = [condition()];
  while (take('and')) conditions.push(condition());
  if (isWord('or')) refuse('where: only `and` joins conditions; use in (...) or run a restore for each part');
  if (peek().kind !== 'end') expected("and, or the end (text and times stand in single quotes: '2026-11-01')");
  return { kind: 'where', conditions };
};

/**
 * The filter that a request means, with every column, key and value checked against the table.
 * Throws InvalidStepInput that names column, value and fix.
 */
export const parseRows = (request: RowsRequest, table: TenantTable): RowFilter => {
  const { keys, where } = request;
  if ((keys === undefined) === (where === undefined)) return refuse('give either keys or where');
  return keys !== undefined ? parseKeys(keys, table) : parseWhere(where!, table);
};
