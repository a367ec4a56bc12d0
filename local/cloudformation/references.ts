import { attributeOf, intrinsicOf, substitutionOf, substitutionPattern } from './intrinsics.ts';
import { isObject, type Json } from './template.ts';

export interface Reference {
  readonly name: string;
  /** Undefined for a `Ref`. */
  readonly attribute?: string;
}

const named = (name: string): Reference => {
  if (!name.includes('.')) return { name };
  const [resource, attribute] = attributeOf(name);
  return { name: resource, attribute };
};

const inSubstitution = (argument: Json): Reference[] => {
  const { text, names } = substitutionOf(argument);
  const used = [...text.matchAll(substitutionPattern)]
    .filter(([, literal, name]) => !literal && !(name! in names))
    .map(([, , name]) => named(name!));
  return [...used, ...Object.values(names).flatMap((value) => referencesIn(value, () => true))];
};

/**
 * What a value refers to. Of `Fn::If` only the branch that `condition` chooses counts, as in CloudFormation: the other may
 * name a resource that is not made.
 */
export const referencesIn = (value: Json, condition: (name: string) => boolean): Reference[] => {
  const [intrinsic, argument] = intrinsicOf(value) ?? [];
  if (intrinsic === 'Ref') return [{ name: String(argument) }];
  if (intrinsic === 'Fn::GetAtt') {
    const [name, attribute] = attributeOf(argument!);
    return [{ name, attribute }];
  }
  if (intrinsic === 'Fn::Sub') return inSubstitution(argument!);
  if (intrinsic === 'Fn::If' && Array.isArray(argument) && argument.length === 3) {
    const [name, yes, no] = argument as unknown as readonly [Json, Json, Json];
    return referencesIn(condition(String(name)) ? yes : no, condition);
  }
  if (Array.isArray(value)) return value.flatMap((item: Json) => referencesIn(item, condition));
  if (!isObject(value)) return [];
  return Object.values(value).flatMap((item) => referencesIn(item, condition));
};
