import type { ClientBase } from 'pg';
import { type Scope, tableName } from '../../domain/scope.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { isMadeMeanwhile } from '../postgres/sql.ts';

/**
 * The tenant's rows of every table and its barrier. A filter takes no parameter, hence the literal. TRUNCATE is left out: it
 * knows no filter. Through the root, so that both sides may have other partitions.
 */
export const publicationSql = (name: string, scope: Pick<Scope, 'tables'>, tenantId: string): string => {
  const filter = `WHERE (tenant_id = ${literal(tenantId)})`;
  const tables = [...scope.tables.map(tableName), 'tenantry.barriers'].map((table) => `${identPath(table)} ${filter}`);
  return `CREATE PUBLICATION ${ident(name)} FOR TABLE ${tables.join(', ')}
    WITH (publish = 'insert, update, delete', publish_via_partition_root = true)`;
};

/** Makes the publication unless it is there. */
export const createPublication = async (
  client: ClientBase,
  name: string,
  scope: Pick<Scope, 'tables'>,
  tenantId: string,
): Promise<void> => {
  const { rowCount } = await client.query('SELECT FROM pg_publication WHERE pubname = $1', [name]);
  if (rowCount) return;
  try {
    await client.query(publicationSql(name, scope, tenantId));
  } catch (error) {
    if (!isMadeMeanwhile(error)) throw error;
  }
};

export const dropPublication = async (client: ClientBase, name: string): Promise<void> => {
  await client.query(`DROP PUBLICATION IF EXISTS ${ident(name)}`);
};
