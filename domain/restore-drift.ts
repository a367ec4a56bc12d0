import type { Manifest } from './archive.ts';
import type { ColumnDrift, SchemaRule } from './restore-report.ts';
import { copiedColumns, type TenantTable, tableName } from './scope.ts';

type Lines = readonly string[];

interface DescribedColumn {
  readonly type: string;
  readonly notNull: boolean;
  readonly computed: boolean;
  /** A default, an identity or a formula: rows without a value get one. */
  readonly filled: boolean;
}

/** The text behind a column's name in a description, in the order in which adapters/catalog/fingerprint.ts prints it. */
const columnText = /^(.+?)( not null)?( identity always| identity by default)?( generated)?( default .*)?$/s;

/** Column -> what a schema description (`Scope.lines`) says of it. A name may hold spaces: the longest known one counts. */
const describedColumns = (lines: Lines, table: string, known: readonly string[]): Map<string, DescribedColumn> => {
  const names = known.toSorted((a, b) => b.length - a.length);
  const prefix = `column ${table}.`;
  const found = new Map<string, DescribedColumn>();
  for (const line of lines) {
    if (!line.startsWith(prefix)) continue;
    const text = line.slice(prefix.length);
    const name = names.find((candidate) => text.startsWith(`${candidate} `)) ?? text.slice(0, text.indexOf(' '));
    const [, type = '', notNull, identity, computed, fallback] = columnText.exec(text.slice(name.length + 1)) ?? [];
    found.set(name, {
      type,
      notNull: notNull !== undefined,
      computed: computed !== undefined,
      filled: (identity ?? computed ?? fallback) !== undefined,
    });
  }
  return found;
};

/** `public.mood` of `public.mood[]`, as the line of a type spells it: without quotes, brackets and length. */
const baseType = (type: string): string =>
  type
    .replace(/(\[\])+$/, '')
    .replace(/\([\d,]+\)$/, '')
    .replaceAll('"', '');

const typeDefinition = (lines: Lines, type: string): string | undefined => {
  const prefix = `type ${baseType(type)} `;
  return lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
};

const labelsOf = (definition: string): string[] =>
  [...definition.matchAll(/'((?:[^']|'')*)'/g)].map(([, label]) => label!);

/** Whether every value of the type of then is one of the type that has that definition now. */
const covers = (then: string | undefined, now: string | undefined): boolean => {
  if (then === now) return true;
  if (!then?.startsWith('enum ') || !now?.startsWith('enum ')) return false;
  const labels = new Set(labelsOf(now));
  return labelsOf(then).every((label) => labels.has(label));
};

/** Whether a type that the backup's schema names means the same in the schema of now; an enum may have got labels. */
export const typeStands = (type: string, then: Lines, now: Lines): boolean =>
  covers(typeDefinition(then, type), typeDefinition(now, type));

/** Type of every column of a table as the backup's schema describes it. */
export const typesThen = (
  { schema, members }: Pick<Manifest, 'schema' | 'members'>,
  table: string,
): ReadonlyMap<string, string> => {
  const known = members.find(({ root }) => root === table)?.columns ?? [];
  return new Map([...describedColumns(schema.lines, table, known)].map(([name, { type }]) => [name, type]));
};

/** Name of a constraint or unique index in its line of a description; undefined for any other line. */
const ruleOf = (line: string, table: string): SchemaRule | undefined => {
  const constraint = `constraint ${table}.`;
  if (line.startsWith(constraint)) {
    const [, name, text] =
      /^(.+?) ((?:CHECK|UNIQUE|PRIMARY KEY|EXCLUDE)\b.*)$/s.exec(line.slice(constraint.length)) ?? [];
    return name === undefined ? undefined : { name, text: text! };
  }
  const [, name, on] = /^index CREATE UNIQUE INDEX (.+?) ON (?:ONLY )?(.+?) USING /s.exec(line) ?? [];
  if (name === undefined || on?.replaceAll('"', '') !== table) return undefined;
  return { name: name.replaceAll('"', ''), text: line.slice('index CREATE '.length) };
};

/** Rules of a table that rows of the backup were never held against. Foreign keys are checked whole in any case. */
const newRules = (then: Lines, now: Lines, table: string): SchemaRule[] => {
  const known = new Set(then);
  const rules = now.filter((line) => !known.has(line)).flatMap((line) => ruleOf(line, table) ?? []);
  // A primary key is told twice, as a constraint and as its index.
  return rules.filter(({ name }, place) => rules.findIndex((rule) => rule.name === name) === place);
};

/** How one table changed between the backup and now. Columns meet by name: positions move when one is dropped. */
export const tableDrift = (
  manifest: Pick<Manifest, 'schema' | 'members'>,
  table: TenantTable,
  lines: Lines,
): ColumnDrift => {
  const name = tableName(table);
  const members = manifest.members.find(({ root }) => root === name)?.columns;
  const described = describedColumns(manifest.schema.lines, name, members ?? []);
  const then = members ?? [...described].filter(([, { computed }]) => !computed).map(([column]) => column);
  const now = new Map(table.columns.map((column) => [column.name, column]));
  const describedNow = describedColumns(lines, name, [...now.keys()]);
  const added = copiedColumns(table).filter((column) => !then.includes(column.name));
  const stays = then.flatMap((column) => now.get(column) ?? []).filter(({ generated }) => !generated);
  return {
    table: name,
    removed: then.filter((column) => !now.has(column)),
    added: added.map((column) => column.name),
    required: added
      .filter((column) => column.notNull && !column.identity && !describedNow.get(column.name)?.filled)
      .map((column) => column.name),
    computed: then.filter((column) => now.get(column)?.generated),
    retyped: stays
      .filter(({ name: column, type }) => {
        const old = described.get(column)?.type;
        return old !== type || !typeStands(type, manifest.schema.lines, lines);
      })
      .map((column) => column.name),
    tightened: stays
      .filter(({ name: column, notNull }) => notNull && described.get(column)?.notNull === false)
      .map((column) => column.name),
    rules: newRules(manifest.schema.lines, lines, name),
  };
};

export const hasDrift = ({ table: _, ...drift }: ColumnDrift): boolean =>
  Object.values(drift).some((list: readonly unknown[]) => list.length > 0);

/** A change of one table since the backup in the words of an operator, one sentence each. */
export const driftWarnings = (drift: ColumnDrift): string[] => {
  const { table, removed, added, required, computed, retyped, tightened, rules } = drift;
  return [
    ...removed.map((column) => `${table}.${column} was dropped since the backup: not restored`),
    ...added
      .filter((column) => !required.includes(column))
      .map((column) => `${table}.${column} was added since the backup: rows that come back get its default`),
    ...required.map(
      (column) =>
        `${table}.${column} was added since the backup, NOT NULL and without a default: rows that are gone now cannot come back`,
    ),
    ...computed.map((column) => `${table}.${column} is computed now: the backup's values are not restored`),
    ...retyped.map(
      (column) =>
        `${table}.${column} has another type now: old values are converted, and refused where one would change`,
    ),
    ...tightened.map(
      (column) => `${table}.${column} must not be null since the backup: rows without a value are refused`,
    ),
    ...rules.map(
      ({ name, text }) => `${table} got a rule since the backup (${name} ${text}): rows that break it are refused`,
    ),
  ];
};

/**
 * Lines of one schema description only that speak of a table, or of a type that one of those lines names: `-` then, `+` now.
 * At most ten: enough to see why.
 */
export const differingLines = (then: Lines, now: Lines, table: string): string[] => {
  const speaks = (line: string): boolean => line.includes(`${table}.`) || line.includes(`${table} `);
  const named = [...then, ...now].filter(speaks).join('\n').replaceAll('"', '');
  const ofUsedType = (line: string): boolean => {
    const [, name] = /^type (\S+) /.exec(line) ?? [];
    return name !== undefined && named.includes(` ${name}`);
  };
  const only = (lines: Lines, others: Lines, sign: string): string[] => {
    const known = new Set(others);
    return lines
      .filter((line) => (speaks(line) || ofUsedType(line)) && !known.has(line))
      .map((line) => `${sign} ${line}`);
  };
  return [...only(then, now, '-'), ...only(now, then, '+')].slice(0, 10);
};
