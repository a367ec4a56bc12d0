import type { AdoptionKey, AdoptionTrigger, AdoptionView, ReferenceAction } from '../../domain/adoption/facts.ts';
import type { CarriedKey } from '../../domain/adoption/keys.ts';
import type { Source } from '../../domain/adoption/paths.ts';
import type { AdoptionPlan } from '../../domain/adoption.ts';
import { ident, identPath, literal, qualified } from '../postgres/identifier.ts';

const fillFunction = 'tenantry_fill_tenant_id';
/** Its name sorts behind the app's own triggers of most names; it fills only what they left empty. */
const fillTrigger = 'tenantry_fill';

const columns = (names: readonly string[]): string => names.map(ident).join(', ');

/** A name may hold a line feed, which would end the comment and begin a statement. */
const commented = (text: string): string => text.replaceAll(/^/gm, '-- ').replaceAll(/[\r\f\v\u2028\u2029]/g, ' ');

const describe = (plan: AdoptionPlan, path: string): string => {
  const source = plan.sources.get(path);
  if (source?.kind === 'key') return `${path}: by ${source.key.name} from ${source.key.references}`;
  if (source?.kind === 'column') return `${path}: by column ${source.column} from ${plan.root.path}`;
  return `${path}: ${source?.kind === 'root' ? `${plan.prefix}<${source.column}>, the tenant root` : 'has it'}`;
};

const header = (plan: AdoptionPlan): string => {
  const { filled, shared, conflictFunctions, rebuiltViews, keys } = plan;
  const lines = [
    'Makes this schema fit Tenantry (docs/app-contract.md). One transaction; it locks the tables below from start to end.',
    'Each table is filled by one UPDATE, which writes every row anew: leave disk for a second copy of the largest table, and',
    'VACUUM afterwards.',
    'Row-level security, its policies on every partition and the fence trigger are not in here: set-up puts them on every',
    'table that has tenant_id, in the transaction of the last migration (tenantry.protect_app).',
    '',
    filled.length > 0 ? 'Tables that get tenant_id:' : 'No table gets a new column.',
    ...filled.map((path) => `  ${describe(plan, path)}`),
    shared.length > 0 ? 'Shared by all tenants; the app may only read them:' : 'No table is shared by all tenants.',
    ...shared.map((path) => `  ${path}`),
    ...(keys.length > 0
      ? ['Unique only within a tenant from now on; an ON CONFLICT that names their columns has to name tenant_id too:']
      : []),
    ...keys.map(({ relation, name }) => `  ${relation}: ${name}`),
    ...(conflictFunctions.length > 0 ? ['Functions with an ON CONFLICT target, to be looked at:'] : []),
    ...conflictFunctions.map((name) => `  ${name}`),
    ...rebuiltViews
      .filter(({ materialized }) => materialized)
      .map(({ path }) => `${path} becomes a plain view: REFRESH MATERIALIZED VIEW and its indexes go.`),
  ];
  return commented(lines.join('\n'));
};

const makeFunction = ({ root }: AdoptionPlan): string =>
  `CREATE OR REPLACE FUNCTION ${qualified(root.schema, fillFunction)}() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  NEW.tenant_id := coalesce(NEW.tenant_id, nullif(current_setting('app.tenant_id', true), ''));
  RETURN NEW;
END $fill$;`;

/** ONLY: each partition has its own copy of the trigger, which may be switched otherwise. */
const switchTrigger = ({ relation, name }: AdoptionTrigger, how: string): string =>
  `ALTER TABLE ONLY ${identPath(relation)} ${how} TRIGGER ${ident(name)};`;

const switchBack = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

const fill = ({ root, prefix }: AdoptionPlan, path: string, source: Source | undefined): string => {
  const table = identPath(path);
  if (source?.kind === 'root')
    return `UPDATE ${table} SET tenant_id = ${literal(prefix)} || ${ident(source.column)}::text;`;
  if (source?.kind === 'column')
    return `UPDATE ${table} AS t SET tenant_id = p.tenant_id FROM ${identPath(root.path)} AS p WHERE t.${ident(source.column)} = p.${ident(source.rootColumn)};`;
  if (source?.kind !== 'key') throw new Error(`${path} has no source of its tenant`);
  const { key } = source;
  const on = key.columns.map((name, place) => `t.${ident(name)} = p.${ident(key.referencedColumns[place]!)}`);
  return `UPDATE ${table} AS t SET tenant_id = p.tenant_id FROM ${identPath(key.references)} AS p WHERE ${on.join(' AND ')};`;
};

const dropKey = ({ relation, name, kind }: AdoptionKey): string =>
  kind === 'index'
    ? `DROP INDEX ${qualified(relation.slice(0, relation.indexOf('.')), name)};`
    : `ALTER TABLE ${identPath(relation)} DROP CONSTRAINT ${ident(name)};`;

const makeKey = ({ relation, name, kind, method, head, tail, comment }: AdoptionKey): string[] => {
  const first = kind === 'exclusion' ? 'tenant_id WITH =' : 'tenant_id';
  const [table, note] = [identPath(relation), comment === null ? [] : [literal(comment)]];
  if (kind === 'index') {
    const index = qualified(relation.slice(0, relation.indexOf('.')), name);
    return [
      `CREATE UNIQUE INDEX ${ident(name)} ON ${table} USING ${ident(method)} (${first}, ${tail};`,
      ...note.map((text) => `COMMENT ON INDEX ${index} IS ${text};`),
    ];
  }
  return [
    `ALTER TABLE ${table} ADD CONSTRAINT ${ident(name)} ${head}(${first}, ${tail};`,
    ...note.map((text) => `COMMENT ON CONSTRAINT ${ident(name)} ON ${table} IS ${text};`),
  ];
};

const actions: Readonly<Record<ReferenceAction, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

const makeForeignKey = ({ before, columns: own, referencedColumns, fullMatch, setColumns, together }: CarriedKey) => {
  const table = identPath(before.table);
  const cleared = setColumns.length > 0 ? ` (${columns(setColumns)})` : '';
  const timing = before.deferrable ? ` DEFERRABLE INITIALLY ${before.deferred ? 'DEFERRED' : 'IMMEDIATE'}` : '';
  return [
    `ALTER TABLE ${table} ADD CONSTRAINT ${ident(before.name)} FOREIGN KEY (${columns(own)}) REFERENCES ${identPath(before.references)} (${columns(referencedColumns)})${fullMatch ? ' MATCH FULL' : ''} ON UPDATE ${actions[before.onUpdate]} ON DELETE ${actions[before.onDelete]}${cleared}${timing};`,
    ...(together.length > 0
      ? [`ALTER TABLE ${table} ADD CHECK (num_nulls(${columns(together)}) IN (0, ${together.length}));`]
      : []),
    ...(before.comment === null
      ? []
      : [`COMMENT ON CONSTRAINT ${ident(before.name)} ON ${table} IS ${literal(before.comment)};`]),
  ];
};

const makeView = ({ path, options, definition, grants, triggers, comment }: AdoptionView): string[] => {
  const view = identPath(path);
  return [
    `CREATE VIEW ${view} WITH (${['security_invoker=true', ...options.filter((option) => /^(check_option|security_barrier)=/.test(option))].join(', ')}) AS\n${definition}`,
    ...grants.map(
      ({ grantee, privilege, grantable }) =>
        `GRANT ${privilege} ON ${view} TO ${grantee === null ? 'PUBLIC' : ident(grantee)}${grantable ? ' WITH GRANT OPTION' : ''};`,
    ),
    ...triggers.map((trigger) => `${trigger};`),
    ...(comment === null ? [] : [`COMMENT ON VIEW ${view} IS ${literal(comment)};`]),
  ];
};

const dropView = ({ path, materialized }: AdoptionView): string =>
  `DROP ${materialized ? 'MATERIALIZED ' : ''}VIEW ${identPath(path)};`;

const steps = (plan: AdoptionPlan): readonly (readonly [string, readonly string[]])[] => {
  const { filled, triggers, keys, foreignKeys, rebuiltViews, invokers, root } = plan;
  const touched = [
    ...new Set([...filled, ...keys.map(({ table }) => table), ...foreignKeys.map((key) => key.before.table)]),
  ];
  const call = `${qualified(root.schema, fillFunction)}()`;
  return [
    [
      'All locks first: no deadlock half-way.',
      touched.length > 0 ? [`LOCK TABLE ${touched.map(identPath).join(', ')} IN ACCESS EXCLUSIVE MODE;`] : [],
    ],
    ['Views that have to be made again.', rebuiltViews.toReversed().map(dropView)],
    [
      'The app\u2019s own triggers do not see the filling.',
      triggers.map((trigger) => switchTrigger(trigger, 'DISABLE')),
    ],
    ['The column.', filled.map((path) => `ALTER TABLE ${identPath(path)} ADD COLUMN tenant_id text;`)],
    [
      'Its values: the root first, then what hangs on it.',
      filled.map((path) => fill(plan, path, plan.sources.get(path))),
    ],
    ['', triggers.map((trigger) => switchTrigger(trigger, switchBack[trigger.enabled]))],
    ['', filled.map((path) => `ALTER TABLE ${identPath(path)} ALTER COLUMN tenant_id SET NOT NULL;`)],
    [
      'Keys without the tenant.',
      foreignKeys.map(({ before }) => `ALTER TABLE ${identPath(before.table)} DROP CONSTRAINT ${ident(before.name)};`),
    ],
    ['', keys.map(dropKey)],
    [
      'The same keys with the tenant.',
      [
        ...keys.flatMap(makeKey),
        ...plan.uniqueTenants.map(({ path }) => `ALTER TABLE ${identPath(path)} ADD UNIQUE (tenant_id);`),
      ],
    ],
    ['', plan.replicas.map((path) => `ALTER TABLE ${identPath(path)} REPLICA IDENTITY DEFAULT;`)],
    ['A row that hangs on another tenant\u2019s row ends the migration here.', foreignKeys.flatMap(makeForeignKey)],
    [
      'The tenant of rows that an app inserts without tenant_id.',
      filled.length > 0
        ? [
            makeFunction(plan),
            ...filled.map(
              (path) =>
                `CREATE TRIGGER ${ident(fillTrigger)} BEFORE INSERT ON ${identPath(path)} FOR EACH ROW EXECUTE FUNCTION ${call};`,
            ),
          ]
        : [],
    ],
    [
      'Views read with the rights of who asks.',
      [
        ...rebuiltViews.flatMap(makeView),
        ...invokers.map((path) => `ALTER VIEW ${identPath(path)} SET (security_invoker = true);`),
      ],
    ],
  ];
};

/**
 * The migration of a plan as text, to be run once in one transaction by the owner of the tables, as setUpPool runs every
 * migration. It ends with an error and without effect where a row has no tenant or hangs on another tenant's row.
 */
export const adoptionSql = (plan: AdoptionPlan): string => {
  const blocks = steps(plan)
    .filter(([, statements]) => statements.length > 0)
    .map(([title, statements]) => [...(title ? [`-- ${title}`] : []), ...statements].join('\n'));
  return `${[
    header(plan),
    // Otherwise a pool's event trigger would force row-level security on tables that are being filled.
    "SET LOCAL tenantry.protecting = 'on';",
    ...blocks,
    "SET LOCAL tenantry.protecting = 'off';",
  ].join('\n\n')}\n`;
};
