import { formatError, notHere } from './refusals.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface ParameterDeclaration {
  readonly Type: string;
  readonly Default?: Json;
  readonly AllowedValues?: readonly Json[];
  readonly AllowedPattern?: string;
  readonly ConstraintDescription?: string;
  readonly MinLength?: Json;
  readonly MaxLength?: Json;
  readonly MinValue?: Json;
  readonly MaxValue?: Json;
  readonly NoEcho?: Json;
  readonly Description?: string;
}

export interface ResourceDeclaration {
  readonly Type: string;
  readonly Properties?: JsonObject;
  readonly DependsOn?: string | readonly string[];
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
}

export interface OutputDeclaration {
  readonly Value: Json;
  readonly Description?: string;
  readonly Condition?: string;
  readonly Export?: { readonly Name: Json };
}

export interface Template {
  readonly Description?: string;
  readonly Parameters: Readonly<Record<string, ParameterDeclaration>>;
  readonly Mappings: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Json>>>>>>;
  readonly Conditions: JsonObject;
  readonly Resources: Readonly<Record<string, ResourceDeclaration>>;
  readonly Outputs: Readonly<Record<string, OutputDeclaration>>;
}

/** CloudFormation's quotas: bytes of a template in a call and in S3, and what may be declared. */
export const templateQuotas = { body: 51_200, url: 1_048_576, resources: 500, parameters: 200, outputs: 200 } as const;

const sections = ['Description', 'Metadata', 'Parameters', 'Mappings', 'Conditions', 'Resources', 'Outputs'];
const absent = ['Transform', 'Rules', 'Hooks'];
const policies = ['Delete', 'Retain', 'RetainExceptOnCreate'];

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const checkResource = (id: string, declared: ResourceDeclaration): void => {
  if (!/^[a-zA-Z0-9]{1,255}$/.test(id)) throw formatError(`Resource name ${id} is non alphanumeric.`);
  if (!isObject(declared) || typeof declared.Type !== 'string')
    throw formatError(`[/Resources/${id}] Every Resources object must contain a Type member.`);
  const policy = declared.DeletionPolicy;
  if (policy === 'Snapshot') throw notHere(`DeletionPolicy Snapshot (resource ${id})`);
  if (policy !== undefined && !policies.includes(policy))
    throw formatError(`Unrecognized DeletionPolicy ${policy} for resource ${id}`);
};

const parse = (text: string): JsonObject => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw formatError(`JSON not well-formed. (${(error as Error).message}; YAML is not read here.)`);
  }
  if (isObject(value)) return value;
  throw formatError('unsupported structure.');
};

const checkCounts = ({ Resources, Parameters, Outputs }: Template): void => {
  for (const [what, found, most] of [
    ['resources', Resources, templateQuotas.resources],
    ['parameters', Parameters, templateQuotas.parameters],
    ['outputs', Outputs, templateQuotas.outputs],
  ] as const) {
    const count = Object.keys(found).length;
    if (count > most) throw formatError(`Number of ${what}, ${count}, is greater than maximum allowed, ${most}`);
  }
};

/** Reads a JSON template and checks its form. Throws ValidationError in CloudFormation's words. */
export const readTemplate = (text: string): Template => {
  const given = parse(text);
  for (const key of Object.keys(given)) {
    if (absent.includes(key)) throw notHere(`the template section ${key}`);
    if (key !== 'AWSTemplateFormatVersion' && !sections.includes(key))
      throw formatError(`Invalid template property or properties [${key}]`);
  }
  const template = {
    Parameters: {},
    Mappings: {},
    Conditions: {},
    Outputs: {},
    Resources: {},
    ...given,
  } as unknown as Template;
  if (Object.keys(template.Resources).length === 0) throw formatError('At least one Resources member must be defined.');
  checkCounts(template);
  for (const [id, declared] of Object.entries(template.Resources)) checkResource(id, declared);
  for (const [name, declared] of Object.entries(template.Parameters))
    if (typeof declared.Type !== 'string')
      throw formatError(`Every Parameters object must contain a Type member; ${name} has none.`);
  return template;
};
