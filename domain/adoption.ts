import type {
  AdoptionFacts,
  AdoptionKey,
  AdoptionRequest,
  AdoptionTable,
  AdoptionTrigger,
  AdoptionView,
} from './adoption/facts.ts';
import { type CarriedKey, carriedKeys, keysToWiden } from './adoption/keys.ts';
import { findPaths, hasTenantColumn, type Source, tenantColumn } from './adoption/paths.ts';
import {
  refuseForeignKey,
  refuseKey,
  refuseLoose,
  refuseShared,
  refuseSuspects,
  refuseTable,
} from './adoption/refusals.ts';
import { planViews } from './adoption/views.ts';
import { StepFailure } from './errors.ts';
import type { SchemaFinding } from './schema-rule.ts';
import { slugProblem } from './tenant.ts';

export interface AdoptionPlan {
  readonly root: AdoptionTable;
  /** What stands before the key in a tenant id. */
  readonly prefix: string;
  /** Where each tenant table's tenant comes from, in an order in which they can be filled. */
  readonly sources: ReadonlyMap<string, Source>;
  /** Tables that get the column, in that order. */
  readonly filled: readonly string[];
  readonly keys: readonly AdoptionKey[];
  /** Tables that get UNIQUE (tenant_id), because a key points to nothing else of them. */
  readonly uniqueTenants: readonly AdoptionTable[];
  readonly foreignKeys: readonly CarriedKey[];
  /** Tables whose replica identity was an index that is made again. */
  readonly replicas: readonly string[];
  /** Triggers that must not see the filling. */
  readonly triggers: readonly AdoptionTrigger[];
  readonly rebuiltViews: readonly AdoptionView[];
  readonly invokers: readonly string[];
  /** Tables without a way to a tenant. */
  readonly shared: readonly string[];
  /** Functions whose ON CONFLICT names columns. */
  readonly conflictFunctions: readonly string[];
}

export type Adoption =
  | { readonly outcome: 'refused'; readonly refusals: readonly SchemaFinding[] }
  | { readonly outcome: 'adopted'; readonly shared: readonly string[] }
  | { readonly outcome: 'planned'; readonly plan: AdoptionPlan };

const wrong = (message: string): StepFailure => new StepFailure('InvalidStepInput', message);

/** A table as an operator names it: `schema.table`, or the table alone where one schema has it. */
const named = <Named extends { readonly path: string }>(option: string, all: readonly Named[], text: string): Named => {
  const exact = all.find(({ path }) => path === text);
  const loose = all.filter(({ path }) => path.endsWith(`.${text}`));
  const [only] = loose;
  if (exact) return exact;
  if (only && loose.length === 1) return only;
  throw wrong(
    loose.length > 1
      ? `${option}: "${text}" is in several schemas (${loose.map(({ path }) => path).join(', ')}); name one of them`
      : `${option}: there is no "${text}"; give schema.table as the catalog spells it`,
  );
};

const singlePrimaryKey = (facts: AdoptionFacts, root: AdoptionTable): string | undefined => {
  const columns = facts.keys.find(({ relation, kind }) => relation === root.path && kind === 'primary')?.columns;
  const rest = columns?.filter((name) => name !== tenantColumn);
  return rest?.length === 1 ? (rest[0] ?? undefined) : undefined;
};

const keyColumn = (facts: AdoptionFacts, root: AdoptionTable, wanted: string | undefined) => {
  const name = wanted ?? singlePrimaryKey(facts, root);
  if (name === undefined)
    throw wrong(
      `--tenant-key: the primary key of ${root.path} is not one column; name the one that tells tenants apart`,
    );
  const column = root.columns.find((one) => one.name === name);
  if (!column)
    throw wrong(
      `--tenant-key: ${root.path} has no column "${name}"; it has ${root.columns.map((one) => one.name).join(', ')}`,
    );
  return column;
};

const refuseTenantKey = (facts: AdoptionFacts, root: AdoptionTable, key: AdoptionTable['columns'][number]) => {
  const unique = facts.keys.some(
    ({ relation, columns, partial, kind }) =>
      relation === root.path && !partial && kind !== 'exclusion' && columns.length === 1 && columns[0] === key.name,
  );
  if (key.notNull && unique) return [];
  const breaks = `column ${key.name} cannot name tenants: it is not ${key.notNull ? 'unique' : 'NOT NULL'}`;
  return [{ object: root.path, breaks, fix: 'make it NOT NULL UNIQUE, or choose another --tenant-key' }];
};

/** Tables that `--tenant-column` ties to the root: a bare column name stands for every table that has it. */
const tiedByColumn = (facts: AdoptionFacts, root: AdoptionTable, key: string, texts: readonly string[]) => {
  const rootColumns = [singlePrimaryKey(facts, root), key].map((name) =>
    root.columns.find((column) => column.name === name),
  );
  const refusals: SchemaFinding[] = [];
  const found = new Map<string, Source>();
  for (const text of texts) {
    const dot = text.lastIndexOf('.');
    const name = text.slice(dot + 1);
    const all = dot < 0 ? facts.tables : [named('--tenant-column', facts.tables, text.slice(0, dot))];
    const tables = all.filter((table) => table !== root && table.columns.some((column) => column.name === name));
    if (tables.length === 0) throw wrong(`--tenant-column: no table has a column "${text}"; give schema.table.column`);
    for (const table of tables) {
      const column = table.columns.find((one) => one.name === name)!;
      const target = rootColumns.find((one) => one?.type === column.type);
      if (target && column.notNull) found.set(table.path, { kind: 'column', column: name, rootColumn: target.name });
      else
        refusals.push({
          object: table.path,
          breaks: target
            ? `column ${name} may be NULL: a row without it would belong to nobody`
            : `column ${name} is ${column.type}, unlike the key of ${root.path}`,
          fix: target ? `SET NOT NULL on ${name}` : 'give it the type of that key',
        });
    }
  }
  return { found, refusals };
};

const isText = (type: string): boolean => /^(text|character varying|character|citext|.*\.citext)(\(\d+\))?$/.test(type);

/** Tables that need UNIQUE (tenant_id): the root, where another table's tenant_id was its foreign key to it. */
const uniqueTenants = (facts: AdoptionFacts, root: AdoptionTable, carried: readonly CarriedKey[]) => {
  const bare = carried.filter(({ columns }) => columns.length === 1);
  const refusals = bare
    .filter(({ before }) => before.references !== root.path)
    .map(({ before }) => ({
      object: before.table,
      breaks: `foreign key ${before.name} takes tenant_id for a key of ${before.references}`,
      fix: `reference tenant_id of ${before.references}, or drop the key`,
    }));
  const has = facts.keys.some(
    ({ relation, columns, kind }) =>
      relation === root.path && kind !== 'index' && columns.length === 1 && columns[0] === tenantColumn,
  );
  return { tables: bare.length > refusals.length && !has ? [root] : [], refusals };
};

/**
 * What has to be done to a schema so that it keeps the schema rule (domain/schema-rule.ts) and every row says whose it is:
 * a plan, or everything that stands in the way by name. Nothing is planned while anything is refused.
 * Throws StepFailure InvalidStepInput when the request names what is not there.
 */
export const planAdoption = (facts: AdoptionFacts, request: AdoptionRequest): Adoption => {
  const root = named('--tenant-root', facts.tables, request.tenantRoot);
  const key = keyColumn(facts, root, request.tenantKey);
  const shared = new Set((request.references ?? []).map((text) => named('--reference', facts.tables, text).path));
  if (shared.has(root.path)) throw wrong(`--reference: ${root.path} is the tenant root; leave it out`);
  const unmaterialize = new Set(
    (request.unmaterialize ?? []).map((text) => named('--unmaterialize', facts.views, text).path),
  );
  const byColumn = tiedByColumn(facts, root, key.name, request.tenantColumns ?? []);
  const paths = findPaths(facts, new Map([[root.path, { kind: 'root', column: key.name }], ...byColumn.found]), shared);
  const { tied, sources } = paths;
  const tables = facts.tables.filter(({ path }) => tied.has(path));
  const added = new Set(tables.filter((table) => !hasTenantColumn(table)).map(({ path }) => path));
  const filled = [...sources.keys()].filter((path) => added.has(path));
  const foreignKeys = carriedKeys(facts, tied);
  const keys = keysToWiden(facts, tied, added, foreignKeys);
  const unique = uniqueTenants(facts, root, foreignKeys);
  const widened = new Set(keys.flatMap(({ kind, table }) => (kind === 'primary' ? [table] : [])));
  const views = planViews(facts, tied, widened, unmaterialize);
  const refusals = [
    ...(hasTenantColumn(root) ? [] : refuseTenantKey(facts, root, key)),
    ...tables.flatMap((table) => refuseTable(table, facts.keys)),
    ...tables.filter(({ path }) => !sources.has(path)).map((table) => refuseLoose(facts, paths, table)),
    ...byColumn.refusals,
    ...foreignKeys.flatMap(refuseForeignKey),
    ...keys.flatMap((one) => refuseKey(one, facts.textMethods)),
    ...unique.refusals,
    ...refuseShared(facts, tied, shared),
    ...refuseSuspects(facts, root, tied, shared),
    ...views.refusals,
    ...(facts.largeObjects > 0
      ? [
          {
            object: 'pg_largeobject',
            breaks: `${facts.largeObjects} large objects belong to no tenant`,
            fix: 'keep such data in a bytea column of a tenant table, and lo_unlink the objects',
          },
        ]
      : []),
  ];
  if (refusals.length > 0) return { outcome: 'refused', refusals };
  const common = facts.tables.filter(({ path }) => !tied.has(path)).map(({ path }) => path);
  const steps = [filled, keys, foreignKeys, views.rebuilt, views.invokers];
  if (steps.every((list) => list.length === 0)) return { outcome: 'adopted', shared: common };
  const again = new Set(keys.map(({ name, relation }) => `${relation}.${name}`));
  const plan: AdoptionPlan = {
    root,
    prefix: request.tenantPrefix ?? (isText(key.type) ? '' : 't-'),
    sources,
    filled,
    keys,
    uniqueTenants: unique.tables,
    foreignKeys,
    replicas: tables.flatMap(({ path, replicaIndex }) =>
      replicaIndex !== null && again.has(`${path}.${replicaIndex}`) ? [path] : [],
    ),
    triggers: facts.triggers.filter(({ table }) => added.has(table)),
    rebuiltViews: views.rebuilt,
    invokers: views.invokers,
    shared: common,
    conflictFunctions: facts.conflictFunctions,
  };
  return { outcome: 'planned', plan };
};

/** Tenant ids that nobody could sign up with, as one refusal that names the first of them. */
export const refuseTenantIds = (root: string, ids: readonly string[]): SchemaFinding[] => {
  const bad = ids.flatMap((id) => {
    const problem = slugProblem(id);
    return problem === undefined ? [] : [`${JSON.stringify(id)} ${problem}`];
  });
  if (bad.length === 0) return [];
  return [
    {
      object: root,
      breaks: `${bad.length} of ${ids.length} tenant ids cannot be used: ${bad.slice(0, 5).join('; ')}`,
      fix: 'choose a --tenant-key whose values are DNS labels, or a --tenant-prefix that makes them so',
    },
  ];
};
