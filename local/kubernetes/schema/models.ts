import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Kind } from '../kinds.ts';
import { isObject, type KubeObject } from '../object.ts';

/** What kubernetes-models' compiled validator says of one fault; the names are ajv's. */
export interface SchemaFault {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

/** The published schema of one kind. */
export interface Schema {
  /** Types, required members, enums. */
  faults(object: KubeObject): readonly SchemaFault[];
  /** `spec.replicaz`, for each member that the kind does not have. */
  unknownFields(object: KubeObject): string[];
}

const models = dirname(createRequire(import.meta.url).resolve('kubernetes-models/package.json'));

type Model = new (data: unknown) => { validate(): void };

const loadModel = async (kind: Kind): Promise<Model | undefined> => {
  const file = join(models, kind.group, kind.version, `${kind.kind}.js`);
  if (!existsSync(file)) return undefined;
  const loaded = (await import(pathToFileURL(file).href)) as Record<string, Model>;
  return loaded[kind.kind];
};

const attributesOf = (client: Readonly<Record<string, unknown>>, type: string): readonly Attribute[] | undefined =>
  (client[type] as { attributeTypeMap?: readonly Attribute[] } | undefined)?.attributeTypeMap;

const findUnknown = (
  client: Readonly<Record<string, unknown>>,
  value: unknown,
  type: string,
  path: string,
  into: string[],
): void => {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list) {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) findUnknown(client, item, list, `${path}[${index}]`, into);
    }
    return;
  }
  if (!isObject(value)) return;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (map) {
    for (const [name, below] of Object.entries(value)) findUnknown(client, below, map, `${path}.${name}`, into);
    return;
  }
  const attributes = attributesOf(client, type);
  if (!attributes) return;
  for (const [name, below] of Object.entries(value)) {
    const at = path ? `${path}.${name}` : name;
    const attribute = attributes.find(({ baseName }) => baseName === name);
    if (attribute) findUnknown(client, below, attribute.type, at, into);
    else into.push(at);
  }
};

/** The model class of a kind in @kubernetes/client-node; two kinds are prefixed there by their group. */
const clientType = ({ kind, group, version }: Kind): string => {
  const prefix = version[0]!.toUpperCase() + version.slice(1);
  return kind === 'Event' && group === '' ? 'CoreV1Event' : `${prefix}${kind}`;
};

const schemas = new Map<string, Promise<Schema | undefined>>();

const openSchema = async (kind: Kind): Promise<Schema> => {
  const [model, client] = await Promise.all([
    loadModel(kind),
    import('@kubernetes/client-node') as Promise<Readonly<Record<string, unknown>>>,
  ]);
  return {
    faults: (object) => {
      if (!model) return [];
      try {
        // The constructor fills in apiVersion and kind; it must not do so in the caller's object.
        new model({ ...object }).validate();
        return [];
      } catch (error) {
        const { errors } = error as { errors?: readonly SchemaFault[] };
        if (errors) return errors;
        throw error;
      }
    },
    unknownFields: (object) => {
      const found: string[] = [];
      findUnknown(client, object, clientType(kind), '', found);
      return found;
    },
  };
};

/**
 * The schema of a kind, loaded at its first use; undefined for custom kinds. Types, required members and enums come from
 * kubernetes-models (which accepts unknown members), unknown members from the models of @kubernetes/client-node (which know
 * nothing else).
 */
export const schemaOf = (kind: Kind): Promise<Schema | undefined> => {
  if (kind.custom) return Promise.resolve(undefined);
  const key = `${kind.group}/${kind.version}/${kind.kind}`;
  const known = schemas.get(key);
  if (known) return known;
  const opened = openSchema(kind);
  schemas.set(key, opened);
  return opened;
};
