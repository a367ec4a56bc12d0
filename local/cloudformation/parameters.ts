import { invalid, notHere } from './refusals.ts';
import type { Json, ParameterDeclaration, Template } from './template.ts';

/** A parameter's value as `Ref` gives it: text, or a list for the types that are lists. */
export type ParameterValue = string | readonly string[];

export interface GivenParameter {
  readonly ParameterKey?: string | undefined;
  readonly ParameterValue?: string | undefined;
  readonly UsePreviousValue?: boolean | undefined;
}

const isList = (type: string): boolean => type === 'CommaDelimitedList' || type.startsWith('List<');

/** Types beside these read Systems Manager, or are unknown to AWS as well. */
const typePattern = /^(String|Number|CommaDelimitedList|List<Number>|List<String>|(List<)?AWS::[\w:]+>?)$/;

const itemsOf = (declared: ParameterDeclaration, value: string): string[] =>
  isList(declared.Type) ? value.split(',').map((item) => item.trim()) : [value];

const textOf = (value: Json | undefined): string | undefined => (value === undefined ? undefined : String(value));

/** The constraint that a value breaks, in CloudFormation's words. */
const broken = (declared: ParameterDeclaration, value: string): string | undefined => {
  const { AllowedValues, AllowedPattern, MinLength, MaxLength, MinValue, MaxValue } = declared;
  if (AllowedValues && !AllowedValues.some((allowed) => String(allowed) === value))
    return `Member must satisfy enum value set: [${AllowedValues.join(', ')}]`;
  if (AllowedPattern !== undefined && !new RegExp(`^(?:${AllowedPattern})$`).test(value))
    return `Member must satisfy regular expression pattern: ${AllowedPattern}`;
  if (MinLength !== undefined && value.length < Number(MinLength))
    return `Member must have length greater than or equal to ${textOf(MinLength)}`;
  if (MaxLength !== undefined && value.length > Number(MaxLength))
    return `Member must have length less than or equal to ${textOf(MaxLength)}`;
  if (MinValue !== undefined && Number(value) < Number(MinValue))
    return `Member must be greater than or equal to ${textOf(MinValue)}`;
  if (MaxValue !== undefined && Number(value) > Number(MaxValue))
    return `Member must be less than or equal to ${textOf(MaxValue)}`;
  return undefined;
};

const check = (name: string, declared: ParameterDeclaration, value: string): void => {
  const numeric = declared.Type === 'Number' || declared.Type === 'List<Number>';
  for (const item of itemsOf(declared, value)) {
    if (numeric && (item === '' || Number.isNaN(Number(item))))
      throw invalid(`Parameter '${name}' must be a number; it is "${item}".`);
    const constraint = broken(declared, item);
    if (constraint !== undefined)
      throw invalid(
        `Parameter '${name}' failed to satisfy constraint: ${declared.ConstraintDescription ?? constraint} (value "${item}")`,
      );
  }
};

/**
 * The text of every parameter: as given, else its default. Throws ValidationError for one without a value, one that the template
 * does not declare, and one that breaks its constraints.
 */
export const parameterTexts = (template: Template, given: readonly GivenParameter[] = []): Record<string, string> => {
  const values = new Map(given.map(({ ParameterKey = '', ParameterValue }) => [ParameterKey, ParameterValue ?? '']));
  if (given.some(({ UsePreviousValue }) => UsePreviousValue)) throw notHere('UsePreviousValue');
  const foreign = [...values.keys()].filter((name) => !(name in template.Parameters));
  if (foreign.length > 0) throw invalid(`Parameters: [${foreign.join(', ')}] do not exist in the template`);
  const resolved = Object.entries(template.Parameters).map(([name, declared]): [string, string | undefined] => {
    if (!typePattern.test(declared.Type) || declared.Type.startsWith('AWS::SSM'))
      throw notHere(`the type ${declared.Type} of parameter ${name}`);
    return [name, values.get(name) ?? textOf(declared.Default)];
  });
  const missing = resolved.filter(([, value]) => value === undefined).map(([name]) => name);
  if (missing.length > 0) throw invalid(`Parameters: [${missing.join(', ')}] must have values`);
  const texts = Object.fromEntries(resolved) as Record<string, string>;
  for (const [name, value] of Object.entries(texts)) check(name, template.Parameters[name]!, value);
  return texts;
};

export const parameterValue = (declared: ParameterDeclaration, text: string): ParameterValue => {
  if (!isList(declared.Type)) return text;
  return text === '' ? [] : itemsOf(declared, text);
};
