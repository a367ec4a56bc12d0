import { NormalizedSchema } from '@smithy/core/schema';

/** One operation of a service, as its SDK client describes it. */
export interface OperationShape {
  readonly name: string;
  readonly input: NormalizedSchema;
  readonly output: NormalizedSchema;
  /** Method, path template and success status; only REST services have them. */
  readonly http: { readonly method: string; readonly uri: string; readonly status: number } | undefined;
}

export interface ErrorShape {
  readonly name: string;
  readonly status: number;
  /** The code in query answers, and in `x-amzn-query-error`, where it differs from the name. */
  readonly queryCode: string | undefined;
  readonly schema: NormalizedSchema;
}

export interface ServiceModel {
  readonly operations: ReadonlyMap<string, OperationShape>;
  /** By name and by query code. */
  readonly errors: ReadonlyMap<string, ErrorShape>;
}

/** Kinds in the static schemas that SDK clients export: element 0 of the array. */
const operationKind = 9;
const errorKind = -3;

interface OperationTraits {
  readonly http?: readonly [string, string, number];
}

interface ErrorTraits {
  readonly error?: 'client' | 'server';
  readonly httpError?: number;
  readonly awsQueryError?: readonly [string, number];
}

type StaticSchema = readonly [kind: number, namespace: string, name: string, traits: unknown, ...rest: unknown[]];
type Normalizable = Parameters<typeof NormalizedSchema.of>[0];

const isStatic = (value: unknown): value is StaticSchema => Array.isArray(value) && typeof value[0] === 'number';

const operationShape = ([, , name, traits, input, output]: StaticSchema): OperationShape => {
  const http = (traits as OperationTraits | 0 | undefined) || {};
  return {
    name,
    input: NormalizedSchema.of(input as Normalizable),
    output: NormalizedSchema.of(output as Normalizable),
    http: http.http && { method: http.http[0], uri: http.http[1], status: http.http[2] },
  };
};

const errorShape = (schema: StaticSchema): ErrorShape => {
  const traits = ((schema[3] as ErrorTraits | 0 | undefined) || {}) as ErrorTraits;
  return {
    name: schema[2],
    status: traits.httpError ?? traits.awsQueryError?.[1] ?? (traits.error === 'server' ? 500 : 400),
    queryCode: traits.awsQueryError?.[0],
    schema: NormalizedSchema.of(schema as unknown as Normalizable),
  };
};

/** Reads what a client module exports under names that end in `$`. Public but young: a contract test walks what we use. */
export const readModel = (client: Readonly<Record<string, unknown>>): ServiceModel => {
  const schemas = Object.entries(client).flatMap(([name, value]) =>
    name.endsWith('$') && isStatic(value) ? [value] : [],
  );
  const operations = schemas.filter(([kind]) => kind === operationKind).map(operationShape);
  const errors = schemas.filter(([kind]) => kind === errorKind).map(errorShape);
  return {
    operations: new Map(operations.map((shape) => [shape.name, shape])),
    errors: new Map([
      ...errors.flatMap((shape) => (shape.queryCode ? [[shape.queryCode, shape] as const] : [])),
      ...errors.map((shape) => [shape.name, shape] as const),
    ]),
  };
};

/** Names of the members without which AWS refuses the structure; the schema lists them first and ends with their count. */
export const requiredMembers = (schema: NormalizedSchema): readonly string[] => {
  const raw = schema.getSchema() as unknown as [unknown, unknown, unknown, unknown, string[], unknown, number?];
  return raw[4].slice(0, raw[6] ?? 0);
};
