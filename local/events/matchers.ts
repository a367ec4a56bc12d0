import { BlockList, isIP } from 'node:net';
import { compileWildcard, type Refuse } from './wildcard.ts';

/** One alternative of a field: looks at one value of the event, or at the field being there at all. */
export type Matcher =
  | { readonly kind: 'value'; readonly test: (value: unknown) => boolean }
  | { readonly kind: 'exists'; readonly wanted: boolean };

type TextTest = (text: string) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Only text can match, so a number or null passes every `anything-but` on text. */
const onText = (test: TextTest): Matcher => ({
  kind: 'value',
  test: (value) => typeof value === 'string' && test(value),
});
const onOtherThan = (test: TextTest): Matcher => ({
  kind: 'value',
  test: (value) => !(typeof value === 'string' && test(value)),
});

const affix = (operator: 'prefix' | 'suffix', value: string): TextTest =>
  operator === 'prefix' ? (text) => text.startsWith(value) : (text) => text.endsWith(value);

const prefixOrSuffix = (operator: 'prefix' | 'suffix', value: unknown, refuse: Refuse): Matcher => {
  if (typeof value === 'string') return onText(affix(operator, value));
  const [key, ...others] = isObject(value) ? Object.keys(value) : [];
  const folded = isObject(value) ? value['equals-ignore-case'] : undefined;
  if (key !== 'equals-ignore-case' || others.length > 0 || typeof folded !== 'string')
    return refuse(`${operator} match pattern must be a string or {"equals-ignore-case": string}`);
  const test = affix(operator, folded.toLowerCase());
  return onText((text) => test(text.toLowerCase()));
};

/** A string, or a list of at least one, as `anything-but` takes them. */
const texts = (value: unknown, operator: string, refuse: Refuse): string[] => {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) refuse(`Inside anything-but/${operator} list, at least one value is needed`);
  if (!list.every((item) => typeof item === 'string'))
    refuse(`Inside anything-but/${operator} list, values must be strings`);
  return list as string[];
};

const anythingButOperator = (operator: string, value: unknown, refuse: Refuse): TextTest => {
  switch (operator) {
    case 'prefix':
    case 'suffix': {
      const list = texts(value, operator, refuse);
      if (list.includes('')) refuse(`Null prefix/suffix not allowed in anything-but/${operator}`);
      const tests = list.map((item) => affix(operator, item));
      return (text) => tests.some((test) => test(text));
    }
    case 'wildcard': {
      const tests = texts(value, operator, refuse).map((item) => compileWildcard(item, refuse));
      return (text) => tests.some((test) => test(text));
    }
    case 'equals-ignore-case': {
      const folded = new Set(texts(value, operator, refuse).map((item) => item.toLowerCase()));
      return (text) => folded.has(text.toLowerCase());
    }
    default:
      return refuse(
        `Unsupported anything-but pattern: ${operator}; it can be prefix, suffix, wildcard or equals-ignore-case`,
      );
  }
};

const anythingBut = (value: unknown, refuse: Refuse): Matcher => {
  if (isObject(value)) {
    const [operator, ...others] = Object.keys(value);
    if (operator === undefined || others.length > 0) return refuse('Only one key allowed in anything-but');
    return onOtherThan(anythingButOperator(operator, value[operator], refuse));
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) refuse('anything-but needs at least one value');
  const kinds = new Set(list.map((item) => typeof item));
  if (kinds.size > 1 || !(kinds.has('string') || kinds.has('number')))
    refuse('Inside anything but list, start|null|boolean is not supported: use strings only, or numbers only');
  const forbidden = new Set(list);
  return { kind: 'value', test: (item) => !forbidden.has(item) };
};

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
  '=': (value, bound) => value === bound,
};

/** AWS compares numbers between -5e9 and 5e9. EventBridge user guide, "numeric matching". */
const NUMERIC_LIMIT = 5e9;

const numeric = (value: unknown, refuse: Refuse): Matcher => {
  if (!Array.isArray(value)) return refuse('Value of numeric must be an array');
  if (value.length !== 2 && value.length !== 4)
    return refuse('numeric must be one operator and number, or a lower and an upper bound');
  const bounds = [value.slice(0, 2), value.slice(2)]
    .filter((pair) => pair.length > 0)
    .map(([operator, bound]: unknown[]) => {
      if (typeof operator !== 'string' || !Object.hasOwn(comparisons, operator))
        return refuse(`Unrecognized numeric range operator: ${JSON.stringify(operator)}`);
      if (typeof bound !== 'number' || Math.abs(bound) > NUMERIC_LIMIT)
        return refuse(`Value of ${operator} must be numeric, from -5e9 to 5e9`);
      return { operator, bound, compare: comparisons[operator]! };
    });
  const [first, second] = bounds;
  if (first !== undefined && second !== undefined) {
    if (!first.operator.startsWith('>') || !second.operator.startsWith('<'))
      refuse(`Bad numeric range operator: ${second.operator}; a range is > or >= and then < or <=`);
    if (first.bound >= second.bound) refuse('Bottom must be less than top');
  }
  return {
    kind: 'value',
    test: (item) => typeof item === 'number' && bounds.every(({ compare, bound }) => compare(item, bound)),
  };
};

const cidr = (value: unknown, refuse: Refuse): Matcher => {
  const [address = '', bits = '', ...more] = typeof value === 'string' ? value.split('/') : [];
  const family = isIP(address);
  if (family === 0 || more.length > 0) return refuse(`Malformed CIDR, one '/' required: ${JSON.stringify(value)}`);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return refuse(`Malformed CIDR, mask bits must be a number between 0 and ${family === 4 ? 32 : 128}`);
  const list = new BlockList();
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(address, Number(bits), kind);
  return onText((text) => isIP(text) === family && list.check(text, kind));
};

const operators: Readonly<Record<string, (value: unknown, refuse: Refuse) => Matcher>> = {
  prefix: (value, refuse) => prefixOrSuffix('prefix', value, refuse),
  suffix: (value, refuse) => prefixOrSuffix('suffix', value, refuse),
  wildcard: (value, refuse) => onText(compileWildcard(value, refuse)),
  'equals-ignore-case': (value, refuse) => {
    if (typeof value !== 'string') return refuse('equals-ignore-case match pattern must be a string');
    const folded = value.toLowerCase();
    return onText((text) => text.toLowerCase() === folded);
  },
  exists: (value, refuse) =>
    typeof value === 'boolean'
      ? { kind: 'exists', wanted: value }
      : refuse('exists match pattern must be either true or false.'),
  'anything-but': anythingBut,
  numeric,
  cidr,
};

export const isOperator = (name: string): boolean => Object.hasOwn(operators, name);

/** Compiles one element of a field's array: a literal, or an object with one operator. */
export const compileMatcher = (element: unknown, refuse: Refuse): Matcher => {
  if (Array.isArray(element)) return refuse('Match value must be String, number, true, false, or null, not a list');
  if (!isObject(element)) return { kind: 'value', test: (value) => value === element };
  const [operator, ...others] = Object.keys(element);
  if (operator === undefined || others.length > 0) return refuse('Only one key allowed in match expression');
  if (!isOperator(operator)) return refuse(`Unrecognized match type ${operator}`);
  return operators[operator]!(element[operator], refuse);
};
