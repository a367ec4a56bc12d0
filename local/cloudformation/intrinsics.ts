import { subnetsOf } from './cidr.ts';
import { notHere, templateError } from './refusals.ts';
import { isObject, type Json, type JsonObject } from './template.ts';

/** What intrinsic functions read. Each member throws ValidationError for a name that it does not know. */
export interface Scope {
  ref(name: string): Json;
  attribute(resource: string, attribute: string): Json;
  condition(name: string): boolean;
  mapping(map: string, top: string, second: string): Json;
  readonly region: string;
}

/** `AWS::NoValue`: takes the property or item away that has it. */
export const noValue: unique symbol = Symbol('AWS::NoValue');

type Value = Json | typeof noValue;

/** The one intrinsic of an object that has a function's key and no other. */
export const intrinsicOf = (value: Json): readonly [name: string, argument: Json] | undefined => {
  if (!isObject(value)) return undefined;
  const [entry, ...more] = Object.entries(value);
  if (!entry || more.length > 0) return undefined;
  return entry[0] === 'Ref' || entry[0] === 'Condition' || entry[0].startsWith('Fn::') ? entry : undefined;
};

/** `Fn::GetAtt`'s two forms. */
export const attributeOf = (argument: Json): readonly [resource: string, attribute: string] => {
  if (typeof argument === 'string' && argument.includes('.')) {
    const dot = argument.indexOf('.');
    return [argument.slice(0, dot), argument.slice(dot + 1)];
  }
  if (Array.isArray(argument) && argument.length === 2 && argument.every((part) => typeof part === 'string'))
    return argument as unknown as readonly [string, string];
  throw templateError(
    'Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute',
  );
};

const listOf = (name: string, argument: Json, length?: number): readonly Json[] => {
  if (Array.isArray(argument) && (length === undefined || argument.length === length)) return argument;
  throw templateError(`${name} needs a list${length === undefined ? '' : ` of ${length}`}`);
};

const textOf = (name: string, value: Json): string => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw templateError(`every ${name} object must get text where it needs text; it got ${JSON.stringify(value)}`);
};

/** `${Name}`, `${Resource.Attribute}` and `${!literal}`. */
export const substitutionPattern = /\$\{(!?)([^}]+)\}/g;

/** Both forms of `Fn::Sub`. */
export const substitutionOf = (argument: Json): { readonly text: string; readonly names: JsonObject } => {
  if (typeof argument === 'string') return { text: argument, names: {} };
  const [text, names] = listOf('Fn::Sub', argument, 2);
  if (typeof text !== 'string' || !isObject(names ?? null))
    throw templateError('Fn::Sub needs a text, or a list of a text and a map');
  return { text, names: names as JsonObject };
};

/** True or false of a condition's expression. */
export const holds = (expression: Json, scope: Scope): boolean => {
  const [name, argument] = intrinsicOf(expression) ?? [];
  const parts = (): readonly Json[] => listOf(name!, argument!);
  switch (name) {
    case 'Condition':
      return scope.condition(textOf(name, argument!));
    case 'Fn::Equals': {
      const [one, other] = listOf(name, argument!, 2).map((part) => evaluate(part, scope));
      return JSON.stringify(one) === JSON.stringify(other);
    }
    case 'Fn::And':
      return parts().every((part) => holds(part, scope));
    case 'Fn::Or':
      return parts().some((part) => holds(part, scope));
    case 'Fn::Not':
      return !holds(listOf(name, argument!, 1)[0]!, scope);
    default:
      throw templateError(
        `a condition must be Fn::And, Fn::Or, Fn::Not, Fn::Equals or Condition, not ${JSON.stringify(expression)}`,
      );
  }
};

const substitute = (argument: Json, scope: Scope): string => {
  const { text, names } = substitutionOf(argument);
  return text.replaceAll(substitutionPattern, (_, literal: string, name: string) => {
    if (literal) return `\${${name}}`;
    const given = names[name];
    if (given !== undefined) return textOf('Fn::Sub', evaluate(given, scope));
    return textOf('Fn::Sub', name.includes('.') ? scope.attribute(...attributeOf(name)) : scope.ref(name));
  });
};

const select = (argument: Json, scope: Scope): Json => {
  const [index, items] = listOf('Fn::Select', argument, 2).map((part) => evaluate(part, scope));
  const list = listOf('Fn::Select', items!);
  const found = list[Number(index)];
  if (found === undefined)
    throw templateError(`Fn::Select cannot select nonexistent value at index ${JSON.stringify(index)}`);
  return found;
};

type Intrinsic = (argument: Json, scope: Scope) => Value;

const texts = (name: string, argument: Json, scope: Scope, length?: number): string[] =>
  listOf(name, evaluate(argument, scope), length).map((part) => textOf(name, part));

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope) => {
    const name = textOf('Ref', argument);
    return name === 'AWS::NoValue' ? noValue : scope.ref(name);
  },
  'Fn::GetAtt': (argument, scope) => scope.attribute(...attributeOf(argument)),
  'Fn::Sub': substitute,
  'Fn::Join': (argument, scope) => {
    const [separator, items] = listOf('Fn::Join', argument, 2);
    return texts('Fn::Join', items!, scope).join(textOf('Fn::Join', separator!));
  },
  'Fn::Select': select,
  'Fn::Split': (argument, scope) => {
    const [separator, text] = texts('Fn::Split', argument, scope, 2);
    return text!.split(separator!);
  },
  'Fn::If': (argument, scope) => {
    const [condition, yes, no] = listOf('Fn::If', argument, 3);
    return value(scope.condition(textOf('Fn::If', condition!)) ? yes! : no!, scope);
  },
  // Three zones as most regions have; AWS answers those with a default subnet.
  'Fn::GetAZs': (argument, scope) => {
    const region = textOf('Fn::GetAZs', evaluate(argument, scope)) || scope.region;
    return [`${region}a`, `${region}b`, `${region}c`];
  },
  'Fn::Cidr': (argument, scope) => {
    const [block, count, bits] = texts('Fn::Cidr', argument, scope, 3);
    return subnetsOf(block!, Number(count), Number(bits));
  },
  'Fn::FindInMap': (argument, scope) => {
    const [map, top, second] = texts('Fn::FindInMap', argument, scope, 3);
    return scope.mapping(map!, top!, second!);
  },
  'Fn::Base64': (argument, scope) =>
    Buffer.from(textOf('Fn::Base64', evaluate(argument, scope)), 'utf8').toString('base64'),
};

const value = (given: Json, scope: Scope): Value => {
  const [name, argument] = intrinsicOf(given) ?? [];
  if (name !== undefined && name !== 'Condition') {
    const intrinsic = intrinsics[name];
    if (!intrinsic) throw notHere(`the intrinsic function ${name}`);
    return intrinsic(argument!, scope);
  }
  if (Array.isArray(given)) return given.map((item) => value(item, scope)).filter((item) => item !== noValue);
  if (!isObject(given)) return given;
  const entries = Object.entries(given).map(([key, item]) => [key, value(item, scope)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== noValue)) as JsonObject;
};

/** A value with every intrinsic function worked out. Throws ValidationError, and NotImplemented for functions that are not here. */
export const evaluate = (given: Json, scope: Scope): Json => {
  const found = value(given, scope);
  return found === noValue ? {} : found;
};
