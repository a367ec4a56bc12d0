import { evaluate, holds, type Scope } from './intrinsics.ts';
import { parameterValue } from './parameters.ts';
import { type Reference, referencesIn } from './references.ts';
import { type Account, formatError, invalid, templateError } from './refusals.ts';
import { attributesOfType } from './resource-types.ts';
import type { Json, JsonObject, OutputDeclaration, Template } from './template.ts';

/** A resource that the stack will have. */
export interface PlannedResource {
  readonly id: string;
  readonly type: string;
  readonly properties: JsonObject;
  /** Whether a deletion leaves it, and whether the rollback of a creation does. */
  readonly retain: { readonly deletion: boolean; readonly rollback: boolean };
  /** Logical ids that must be there before, by DependsOn and by reference. */
  readonly after: readonly string[];
}

/** A template under its parameters: which resources there are, in which order, and what the outputs are. */
export interface Plan {
  readonly resources: ReadonlyMap<string, PlannedResource>;
  readonly outputs: Readonly<Record<string, OutputDeclaration>>;
  /** Works a value out, given what the resources that it refers to have become. */
  resolve(value: Json, made: (id: string) => MadeResource | undefined): Json;
}

/** What a reference to a resource reads. */
export interface MadeResource {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, Json>>;
}

export interface StackNames {
  readonly stackId: string;
  readonly stackName: string;
}

const pseudo = (
  { region, accountId }: Account,
  { stackId, stackName }: StackNames,
): Readonly<Record<string, Json>> => ({
  'AWS::AccountId': accountId,
  'AWS::Region': region,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackId': stackId,
  'AWS::StackName': stackName,
  'AWS::NotificationARNs': [],
});

const unresolved = (names: readonly string[], where: string): Error =>
  formatError(`Unresolved resource dependencies [${names.join(', ')}] in the ${where} block of the template`);

/** Throws where resources wait for each other, naming those that can never begin. */
const checkOrder = (resources: ReadonlyMap<string, PlannedResource>): void => {
  const waiting = new Map([...resources].map(([id, { after }]) => [id, new Set(after)]));
  for (;;) {
    const ready = [...waiting].filter(([, after]) => after.size === 0).map(([id]) => id);
    if (ready.length === 0) break;
    for (const id of ready) {
      waiting.delete(id);
      for (const after of waiting.values()) after.delete(id);
    }
  }
  if (waiting.size > 0) throw invalid(`Circular dependency between resources: [${[...waiting.keys()].join(', ')}]`);
};

const checkTypes = (template: Template): void => {
  const unknown = Object.values(template.Resources)
    .map(({ Type }) => Type)
    .filter((type) => attributesOfType(type) === undefined);
  if (unknown.length > 0) throw formatError(`Unrecognized resource types: [${[...new Set(unknown)].join(', ')}]`);
};

const checkAttribute = (template: Template, { name, attribute }: Reference): void => {
  if (attribute === undefined) return;
  const known = attributesOfType(template.Resources[name]!.Type)!;
  if (!known.includes(attribute))
    throw templateError(`resource ${name} does not support attribute type ${attribute} in Fn::GetAtt`);
};

/** Throws ValidationError, in CloudFormation's words, for whatever can be seen to be wrong before anything is made. */
export const planStack = (
  template: Template,
  texts: Readonly<Record<string, string>>,
  account: Account,
  names: StackNames,
): Plan => {
  checkTypes(template);
  const known: Record<string, Json> = { ...pseudo(account, names) };
  for (const [name, declared] of Object.entries(template.Parameters))
    known[name] = parameterValue(declared, texts[name]!);
  const conditions = new Map<string, boolean>();
  const fixed: Scope = {
    region: account.region,
    ref: (name) => {
      const value = known[name];
      if (value === undefined) throw unresolved([name], 'Conditions');
      return value;
    },
    attribute: (resource, attribute) => {
      throw templateError(`Fn::GetAtt ${resource}.${attribute} cannot stand in a condition`);
    },
    mapping: (map, top, second) => {
      const value = template.Mappings[map]?.[top]?.[second];
      if (value === undefined) throw templateError(`Unable to get mapping for ${map}::${top}::${second}`);
      return value;
    },
    condition: (name) => {
      const before = conditions.get(name);
      if (before !== undefined) return before;
      const expression = template.Conditions[name];
      if (expression === undefined) throw formatError(`Unresolved condition dependency ${name}`);
      const result = holds(expression, fixed);
      conditions.set(name, result);
      return result;
    },
  };
  for (const name of Object.keys(template.Conditions)) fixed.condition(name);

  const live = Object.entries(template.Resources).filter(
    ([, { Condition }]) => Condition === undefined || fixed.condition(Condition),
  );
  const ids = new Set(live.map(([id]) => id));
  const referencesOf = (value: Json, where: string): string[] => {
    const references = referencesIn(value, fixed.condition);
    const missing = references.filter(({ name, attribute }) =>
      attribute === undefined ? !ids.has(name) && known[name] === undefined && name !== 'AWS::NoValue' : !ids.has(name),
    );
    if (missing.length > 0)
      throw unresolved(
        missing.map(({ name }) => name),
        where,
      );
    for (const reference of references) checkAttribute(template, reference);
    return references.map(({ name }) => name).filter((name) => ids.has(name));
  };
  const resources = new Map(
    live.map(([id, { Type, Properties = {}, DependsOn = [], DeletionPolicy }]): [string, PlannedResource] => {
      const declared = [DependsOn].flat() as string[];
      const foreign = declared.filter((name) => !(name in template.Resources));
      if (foreign.length > 0) throw unresolved(foreign, 'Resources');
      const after = [...referencesOf(Properties, 'Resources'), ...declared.filter((name) => ids.has(name))];
      const rollback = DeletionPolicy === 'Retain';
      const retain = { rollback, deletion: rollback || DeletionPolicy === 'RetainExceptOnCreate' };
      return [id, { id, type: Type, properties: Properties, retain, after: [...new Set(after)] }];
    }),
  );
  checkOrder(resources);
  const outputs = Object.fromEntries(
    Object.entries(template.Outputs).filter(
      ([, { Condition }]) => Condition === undefined || fixed.condition(Condition),
    ),
  );
  for (const { Value } of Object.values(outputs)) referencesOf(Value, 'Outputs');
  return {
    resources,
    outputs,
    resolve: (value, made) =>
      evaluate(value, {
        ...fixed,
        ref: (name) => {
          const value = known[name] ?? made(name)?.ref;
          if (value === undefined) throw unresolved([name], 'Resources');
          return value;
        },
        attribute: (resource, attribute) => {
          const value = made(resource)?.attributes[attribute];
          if (value === undefined)
            throw templateError(`resource ${resource} does not support attribute type ${attribute} in Fn::GetAtt`);
          return value;
        },
      }),
  };
};
