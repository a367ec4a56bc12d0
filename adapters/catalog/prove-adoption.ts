import type { ClientBase } from 'pg';
import type { Source } from '../../domain/adoption/paths.ts';
import { type AdoptionPlan, refuseTenantIds } from '../../domain/adoption.ts';
import type { SchemaFinding } from '../../domain/schema-rule.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';

interface Way {
  readonly joins: string;
  /** Expression of the tenant id at the end of the way. */
  readonly tenant: string;
}

const equal = (left: string, names: readonly string[], right: string, others: readonly string[]): string =>
  names.map((name, place) => `${left}.${ident(name)} = ${right}.${ident(others[place]!)}`).join(' AND ');

/** Joins from `alias`, a row of `path`, along the sources up to where the tenant is known. */
const wayFrom = (plan: AdoptionPlan, path: string, alias: string): Way => {
  const joins: string[] = [];
  let [at, name] = [path, alias];
  for (let hop = 1; ; hop += 1) {
    const source: Source | undefined = plan.sources.get(at);
    if (!source) throw new Error(`${at} has no source of its tenant`);
    if (source.kind === 'own') return { joins: joins.join('\n'), tenant: `${name}.tenant_id` };
    if (source.kind === 'root')
      return { joins: joins.join('\n'), tenant: `${literal(plan.prefix)} || ${name}.${ident(source.column)}::text` };
    const next = `${alias}_${hop}`;
    if (source.kind === 'column') {
      joins.push(
        `JOIN ${identPath(plan.root.path)} ${next} ON ${equal(name, [source.column], next, [source.rootColumn])}`,
      );
      at = plan.root.path;
    } else {
      const { key } = source;
      joins.push(
        `JOIN ${identPath(key.references)} ${next} ON ${equal(name, key.columns, next, key.referencedColumns)}`,
      );
      at = key.references;
    }
    name = next;
  }
};

const count = async (client: ClientBase, text: string): Promise<number> =>
  Number((await client.query<{ count: string }>(text)).rows[0]?.count);

/** Foreign keys that lead some row to another tenant than the way by which it gets its own. */
const proveAgreement = async (client: ClientBase, plan: AdoptionPlan): Promise<SchemaFinding[]> => {
  const findings: SchemaFinding[] = [];
  for (const { before: key } of plan.foreignKeys) {
    const source = plan.sources.get(key.table);
    if (source?.kind === 'key' && source.key === key) continue;
    const [own, other] = [wayFrom(plan, key.table, 't'), wayFrom(plan, key.references, 'p')];
    const rows = await count(
      client,
      `SELECT count(*) FROM ${identPath(key.table)} t ${own.joins}
JOIN ${identPath(key.references)} p ON ${equal('t', key.columns, 'p', key.referencedColumns)} ${other.joins}
WHERE ${own.tenant} IS DISTINCT FROM ${other.tenant}`,
    );
    if (rows === 0) continue;
    const way = source?.kind === 'key' ? source.key.name : 'its own tenant';
    findings.push({
      object: key.table,
      breaks: `${rows} rows reach another tenant by ${key.name} (${key.columns.join(', ')}) than by ${way}`,
      fix: `correct these rows, or drop ${key.name}`,
    });
  }
  return findings;
};

/** Rows whose column names no tenant; foreign keys cannot have such. */
const proveColumns = async (client: ClientBase, plan: AdoptionPlan): Promise<SchemaFinding[]> => {
  const findings: SchemaFinding[] = [];
  for (const [path, source] of plan.sources) {
    if (source.kind !== 'column') continue;
    const rows = await count(
      client,
      `SELECT count(*) FROM ${identPath(path)} t WHERE NOT EXISTS (SELECT FROM ${identPath(plan.root.path)} p
        WHERE ${equal('t', [source.column], 'p', [source.rootColumn])})`,
    );
    if (rows > 0)
      findings.push({
        object: path,
        breaks: `${rows} rows have a ${source.column} that is in no row of ${plan.root.path}`,
        fix: 'delete these rows, or give them a tenant',
      });
  }
  return findings;
};

/**
 * What the rows say against a plan: tenant ids that nobody may have, keys that lead to two tenants, columns that lead to
 * none. Reads all rows of tables with more than one way to the tenant, in the caller's snapshot.
 */
export const proveAdoption = async (client: ClientBase, plan: AdoptionPlan): Promise<SchemaFinding[]> => {
  const { tenant } = wayFrom(plan, plan.root.path, 't');
  const ids = await client.query<{ id: string }>(
    `SELECT ${tenant} AS id FROM ${identPath(plan.root.path)} t ORDER BY 1`,
  );
  return [
    ...refuseTenantIds(
      plan.root.path,
      ids.rows.map(({ id }) => id),
    ),
    ...(await proveColumns(client, plan)),
    ...(await proveAgreement(client, plan)),
  ];
};
