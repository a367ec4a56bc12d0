import { type Scope, type TenantTable, tableName } from './scope.ts';

/** What is wrong with one object of an app's schema, and what its authors do about it. */
export interface SchemaFinding {
  /** `schema.name` of the table, view, index or function. */
  readonly object: string;
  readonly breaks: string;
  readonly fix: string;
}

/** What the rule needs to know beyond the scope; read by adapters/catalog. */
export interface SchemaFacts {
  readonly uniqueIndexes: readonly {
    readonly table: string;
    readonly name: string;
    /** Key columns; null stands for an expression. */
    readonly columns: readonly (string | null)[];
  }[];
  /** Tables without tenant_id that reference another table. */
  readonly references: readonly {
    readonly table: string;
    readonly references: string;
    readonly columns: readonly string[];
  }[];
  /** Views that read a tenant table, directly or through other views. */
  readonly views: readonly { readonly name: string; readonly materialized: boolean; readonly invoker: boolean }[];
  readonly definers: readonly {
    readonly name: string;
    readonly searchPath: string | null;
    /** Its owner, where row-level security does not bind that role (superuser, BYPASSRLS). */
    readonly unboundOwner: string | null;
  }[];
  readonly foreignTables: readonly string[];
  /** Permissive policies on tenant tables and leaves that are not Tenantry's. */
  readonly openPolicies: readonly { readonly table: string; readonly name: string }[];
  /** Tenant tables that inherit from another table; partitions are none. */
  readonly inherited: readonly { readonly table: string; readonly parent: string }[];
  readonly unlogged: readonly string[];
  readonly largeObjects: number;
}

const tenantTypes = new Set(['text', 'character varying']);

const column = (table: TenantTable) => {
  const tenant = table.columns.find(({ name }) => name === 'tenant_id');
  const object = tableName(table);
  if (!tenant || !tenantTypes.has(tenant.type.replace(/\(\d+\)$/, '')))
    return [
      { object, breaks: `tenant_id is ${tenant?.type ?? 'missing'}`, fix: 'make it text: tenant ids are DNS labels' },
    ];
  if (tenant.notNull) return [];
  const fix = `ALTER TABLE ${object} ALTER COLUMN tenant_id SET NOT NULL`;
  return [{ object, breaks: 'tenant_id may be NULL: such a row belongs to nobody', fix }];
};

/** A random key collides with nobody's, so a single uuid column may stand alone (DESIGN section 6). */
const isUuid = (table: TenantTable, columns: readonly (string | null)[]): boolean =>
  columns.length === 1 && table.columns.some(({ name, type }) => name === columns[0] && type === 'uuid');

const primaryKey = (table: TenantTable): SchemaFinding[] => {
  const object = tableName(table);
  if (table.primaryKey.length === 0)
    return [{ object, breaks: 'it has no primary key', fix: 'add PRIMARY KEY (tenant_id, id)' }];
  if (table.primaryKey.includes('tenant_id') || isUuid(table, table.primaryKey)) return [];
  const columns = table.primaryKey.join(', ');
  return [
    {
      object,
      breaks: `its primary key (${columns}) lacks tenant_id: two databases hand out the same keys`,
      fix: `make it PRIMARY KEY (tenant_id, ${columns}), or a uuid`,
    },
  ];
};

const foreignKeys = (table: TenantTable, tenantTables: ReadonlySet<string>): SchemaFinding[] =>
  table.foreignKeys
    .filter((key) => tenantTables.has(key.references))
    .filter((key) => {
      const at = key.columns.indexOf('tenant_id');
      return at < 0 || key.referencedColumns[at] !== 'tenant_id';
    })
    .map((key) => ({
      object: tableName(table),
      breaks: `foreign key ${key.name} (${key.columns.join(', ')}) does not carry the tenant: a row may hang on another tenant's row`,
      fix: `make it FOREIGN KEY (tenant_id, ${key.columns.filter((name) => name !== 'tenant_id').join(', ')}) REFERENCES ${key.references} (tenant_id, ${key.referencedColumns.filter((name) => name !== 'tenant_id').join(', ')})`,
    }));

const uniqueness = (scope: Scope, facts: SchemaFacts): SchemaFinding[] => {
  const owners = new Map(
    scope.tables.flatMap((table) => [tableName(table), ...table.leaves].map((name) => [name, table])),
  );
  return facts.uniqueIndexes.flatMap((index) => {
    const table = owners.get(index.table);
    if (!table || index.columns.includes('tenant_id') || isUuid(table, index.columns)) return [];
    // The primary key has its own sentence.
    if (index.columns.join() === table.primaryKey.join()) return [];
    return [
      {
        object: index.table,
        breaks: `unique index ${index.name} lacks tenant_id: a duplicate-key error tells one tenant what another has`,
        fix: 'put tenant_id first in the index',
      },
    ];
  });
};

/** Tables without tenant_id that hang on a tenant table through foreign keys, however many hops away. */
const untenanted = (scope: Scope, facts: SchemaFacts): SchemaFinding[] => {
  const tied = new Set(scope.tables.map(tableName));
  const findings = new Map<string, SchemaFinding>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const { table, references, columns } of facts.references) {
      if (tied.has(table) || !tied.has(references)) continue;
      tied.add(table);
      grew = true;
      findings.set(table, {
        object: table,
        breaks: `it has no tenant_id and hangs on ${references} by (${columns.join(', ')})`,
        fix: `add tenant_id text NOT NULL, fill it from ${references}, and carry it in the keys`,
      });
    }
  }
  return [...findings.values()];
};

const views = (facts: SchemaFacts): SchemaFinding[] =>
  facts.views.flatMap(({ name, materialized, invoker }) => {
    if (materialized)
      return [
        {
          object: name,
          breaks: 'a materialized view has no row-level security: it shows every tenant to whoever may read it',
          fix: 'make it a tenant table that the app fills, or a view WITH (security_invoker = true)',
        },
      ];
    if (invoker) return [];
    const fix = `ALTER VIEW ${name} SET (security_invoker = true)`;
    return [{ object: name, breaks: "it reads tenant tables with its owner's rights", fix }];
  });

/** pg_temp is searched first unless it is named: a tenant's temporary table would stand in for the app's. */
const hasSafePath = (searchPath: string | null): boolean => {
  const last = searchPath?.split(',').at(-1);
  return last?.trim().replaceAll('"', '') === 'pg_temp';
};

const definers = (facts: SchemaFacts): SchemaFinding[] => [
  ...facts.definers
    .filter(({ searchPath }) => !hasSafePath(searchPath))
    .map(({ name, searchPath }) => ({
      object: name,
      breaks: `SECURITY DEFINER with ${searchPath === null ? 'no search_path' : `search_path ${searchPath}`}: a caller can put own objects in front`,
      fix: `ALTER FUNCTION ${name} SET search_path = pg_catalog, public, pg_temp`,
    })),
  ...facts.definers.flatMap(({ name, unboundOwner }) =>
    unboundOwner === null
      ? []
      : [
          {
            object: name,
            breaks: `SECURITY DEFINER owned by ${unboundOwner}, whom row-level security does not bind: every tenant that calls it acts on all tenants`,
            fix: `ALTER FUNCTION ${name} SECURITY INVOKER, or give it an owner without SUPERUSER and BYPASSRLS`,
          },
        ],
  ),
];

const storage = (facts: SchemaFacts): SchemaFinding[] => [
  ...facts.openPolicies.map(({ table, name }) => ({
    object: table,
    breaks: `policy ${name} is permissive: the rows that it allows are added to those of the tenant`,
    fix: 'drop it, or make it AS RESTRICTIVE',
  })),
  ...facts.inherited.map(({ table, parent }) => ({
    object: table,
    breaks: `it inherits from ${parent}: whoever reads that table gets these rows a second time`,
    fix: `make it a partition, or ALTER TABLE ${table} NO INHERIT ${parent}`,
  })),
  ...facts.unlogged.map((object) => ({
    object,
    breaks: 'it is unlogged: a crash empties it and a move does not carry it',
    fix: `ALTER TABLE ${object} SET LOGGED`,
  })),
];

const outOfReach = (facts: SchemaFacts): SchemaFinding[] => [
  ...facts.foreignTables.map((object) => ({
    object,
    breaks: 'a foreign table has tenant_id, but its rows are on another server',
    fix: 'make it a plain table, or drop its tenant_id column',
  })),
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

/** Everything that keeps tenants of this schema from being separated, in the order of its tables; empty when sound. */
export const checkSchemaRule = (scope: Scope, facts: SchemaFacts): SchemaFinding[] => {
  const tenantTables = new Set(scope.tables.map(tableName));
  return [
    ...scope.tables.flatMap((table) => [...column(table), ...primaryKey(table), ...foreignKeys(table, tenantTables)]),
    ...untenanted(scope, facts),
    ...uniqueness(scope, facts),
    ...views(facts),
    ...definers(facts),
    ...storage(facts),
    ...outOfReach(facts),
  ];
};

/** The findings as one message: `public.notes: tenant_id may be NULL ... (fix: ...)`, a line each. */
export const explainFindings = (findings: readonly SchemaFinding[]): string =>
  findings.map(({ object, breaks, fix }) => `${object}: ${breaks} (fix: ${fix})`).join('\n');
