import { ServiceError } from '../gateway/service.ts';
import { compileMatcher, isOperator, type Matcher } from './matchers.ts';

/** Answers whether an event (its parsed JSON) matches. */
export type EventMatcher = (event: unknown) => boolean;

type Fields = Record<string, unknown>;
type Test = (fields: Fields | undefined) => boolean;

/** EventBridge's own bound on the text of a pattern is 4,096 characters; nesting beyond this is refused before it can overflow. */
const DEEPEST = 100;

const isObject = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const invalid = (reason: string): never => {
  throw new ServiceError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${reason}`);
};

const at = (path: readonly string[]): string => (path.length === 0 ? 'the pattern' : `"${path.join('.')}"`);

/** An object without prototype: a field may be called `__proto__`. */
const bare = (): Fields => Object.create(null) as Fields;

/** Turns dotted names into nesting, so that `{"a.b": 1}` and `{"a": {"b": 1}}` are the same, as they are to AWS. */
const nested = (value: unknown, depth = 0): unknown => {
  if (Array.isArray(value))
    return value.map((item) => (isObject(item) || Array.isArray(item) ? nested(item, depth + 1) : item));
  if (!isObject(value)) return value;
  if (depth > DEEPEST) return invalid(`it nests deeper than ${DEEPEST} levels`);
  const answer = bare();
  for (const [name, inner] of Object.entries(value)) {
    const steps = name.includes('.') ? name.split('.') : [name];
    const last = steps.pop()!;
    let place = answer;
    for (const step of steps) {
      const found = place[step];
      if (isObject(found)) place = found;
      else {
        const made = bare();
        place[step] = made;
        place = made;
      }
    }
    const leaf = nested(inner, depth + 1);
    const present = place[last];
    if (isObject(leaf) && isObject(present)) Object.assign(present, leaf);
    else place[last] = leaf;
  }
  return answer;
};

/** Nested arrays count as one list of values; objects in it are no values but places to look into. */
const values = (value: unknown): unknown[] => {
  if (value === undefined || isObject(value)) return [];
  if (!Array.isArray(value)) return [value];
  return value.flat(Infinity).filter((item) => !isObject(item));
};

const compileField = (name: string, matchers: readonly Matcher[]): Test => {
  const [only] = matchers;
  if (matchers.length === 1 && only?.kind === 'value')
    return (fields) => {
      const value = fields?.[name];
      return typeof value === 'string' ? only.test(value) : values(value).some(only.test);
    };
  return (fields) => {
    const found = values(fields?.[name]);
    return matchers.some((matcher) =>
      matcher.kind === 'exists' ? found.length > 0 === matcher.wanted : found.some(matcher.test),
    );
  };
};

/**
 * `$or` is an operator when it holds two or more objects that name fields; else it is a field that happens to be called
 * so. AWS tells them apart the same way (aws/event-ruler, "or" relationships).
 */
const isOr = (name: string, value: unknown): value is Fields[] =>
  name === '$or' &&
  Array.isArray(value) &&
  value.length > 1 &&
  value.every((item) => isObject(item) && Object.keys(item).length > 0 && !Object.keys(item).every(isOperator));

const compileEntry = (name: string, value: unknown, path: readonly string[]): Test => {
  const here = [...path, name];
  if (isOr(name, value)) {
    const alternatives = value.map((item) => compileFields(item, path));
    return (fields) => alternatives.some((alternative) => alternative(fields));
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return invalid(`Empty arrays are not allowed at ${at(here)}`);
    const refuse = (reason: string): never => invalid(`${reason} at ${at(here)}`);
    return compileField(
      name,
      value.map((element) => compileMatcher(element, refuse)),
    );
  }
  if (isObject(value)) {
    const inner = compileFields(value, here);
    return (fields) => {
      const place = fields?.[name];
      if (!Array.isArray(place)) return inner(isObject(place) ? place : undefined);
      // One element has to satisfy the whole of the pattern: fields of different elements do not add up to a match.
      const places = place.flat(Infinity) as unknown[];
      return places.length === 0 ? inner(undefined) : places.some((item) => inner(isObject(item) ? item : undefined));
    };
  }
  return invalid(`${at(here)} must be an object or an array`);
};

const compileFields = (pattern: Fields, path: readonly string[]): Test => {
  const entries = Object.entries(pattern);
  if (entries.length === 0) return invalid(`Empty objects are not allowed at ${at(path)}`);
  const tests = entries.map(([name, value]) => compileEntry(name, value, path));
  return tests.length === 1 ? tests[0]! : (fields) => tests.every((test) => test(fields));
};

/** How deep the dots of a pattern's names reach, and whether any event could need its own dots turned into nesting. */
const hasDottedName = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.some(hasDottedName)
    : isObject(value) && Object.entries(value).some(([name, inner]) => name.includes('.') || hasDottedName(inner));

/**
 * Compiles an EventBridge pattern (its JSON text) to closures. Throws ServiceError InvalidEventPatternException that
 * names the field. Rules: EventBridge user guide, "Amazon EventBridge event patterns".
 */
export const compilePattern = (text: string): EventMatcher => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return invalid('it is no JSON');
  }
  if (!isObject(parsed)) return invalid('it must be a JSON object');
  const test = compileFields(nested(parsed) as Fields, []);
  return (event) => isObject(event) && test((hasDottedName(event) ? nested(event) : event) as Fields);
};
