import type { Finding } from '../../domain/move.ts';
import { leavesOf, tableName } from '../../domain/scope.ts';
import { ident, identPath, literal } from '../postgres/identifier.ts';
import { finding, type Look, type Looked } from './look.ts';
import { publicationSql } from './publication.ts';
import { conninfoText, type MoveSide } from './side.ts';
import { quietly } from './subscription.ts';

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Ends every probe: nothing of it stays. */
class RolledBack extends Error {}

const rolledBack = async (work: () => Promise<unknown>, run: (work: () => Promise<never>) => Promise<unknown>) => {
  try {
    await run(async () => {
      await work();
      throw new RolledBack();
    });
    return undefined;
  } catch (error) {
    return error instanceof RolledBack ? undefined : error;
  }
};

const loginSql = `
SELECT r.rolsuper OR r.rolbypassrls AS sees,
  r.rolreplication OR r.rolsuper OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication'
    AND pg_has_role(r.oid, m.oid, 'MEMBER')) AS replicates,
  has_schema_privilege(r.oid, 'tenantry', 'USAGE') AND has_table_privilege(r.oid, 'tenantry.barriers', 'SELECT') AS barriers,
  (SELECT coalesce(array_agg(path), '{}') FROM unnest($2::text[]) path WHERE NOT has_table_privilege(r.oid, path, 'SELECT')) AS closed
FROM pg_roles r WHERE r.rolname = $1`;

interface Login {
  readonly sees: boolean;
  readonly replicates: boolean;
  readonly barriers: boolean;
  readonly closed: readonly string[];
}

/** A login that a policy binds copies no row and says nothing, so its attributes are looked at, and nothing is tried. */
const loginFaults = async ({ client, side, name, scope }: Looked): Promise<string[]> => {
  const { username } = side.conninfo;
  const { rows } = await client.query<Login>(loginSql, [username, scope.tables.map(tableName).map(identPath)]);
  const [login] = rows;
  if (!login) return [`${name}: there is no login ${username}`];
  return [
    ...(login.sees ? [] : [`${name}: row-level security binds ${username}, so its copy would be empty`]),
    ...(login.replicates ? [] : [`${name}: ${username} may not replicate`]),
    ...(login.barriers ? [] : [`${name}: ${username} may not read tenantry.barriers`]),
    ...(login.closed.length > 0 ? [`${name}: ${username} may not read ${login.closed.join(', ')}`] : []),
  ];
};

/** The owner applies the changes, sets where a subscription begins, and reads every row for the comparison. */
const ownerFaults = async ({ client, name, scope }: Looked): Promise<string[]> => {
  const { rows } = await client.query<{ bound: string[]; origin: boolean; login: string }>(
    `SELECT current_user AS login, has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'EXECUTE') AS origin,
       (SELECT coalesce(array_agg(path), '{}') FROM unnest($1::text[]) path WHERE row_security_active(path)) AS bound`,
    [[...new Set(scope.tables.flatMap((table) => [tableName(table), ...leavesOf(table)]))].map(identPath)],
  );
  const owner = rows[0]!;
  return [
    ...(owner.bound.length > 0
      ? [`${name}: row-level security binds ${owner.login} on ${owner.bound.join(', ')}`]
      : []),
    ...(owner.origin ? [] : [`${name}: ${owner.login} may not execute pg_replication_origin_advance`]),
  ];
};

/** The publication and an UPDATE of every table under it, which is where PostgreSQL first looks at the replica identity. */
const publicationFault = async ({ client, scope, name }: Looked, tenantId: string): Promise<string[]> => {
  const probe = async (): Promise<void> => {
    await client.query(`SET LOCAL session_replication_role = 'replica'`);
    await client.query(publicationSql('tn_move_probe', scope, tenantId));
    for (const path of new Set(scope.tables.flatMap((table) => [tableName(table), ...leavesOf(table)])))
      await client.query(
        `UPDATE ${identPath(path)} SET tenant_id = tenant_id WHERE tenant_id = $1 AND tenant_id <> $1`,
        [tenantId],
      );
  };
  const error = await rolledBack(probe, (work) => quietly(client, work));
  return error === undefined ? [] : [`${name}: ${said(error)}`];
};

/** A subscription that connects and is rolled back: the other server is reached, and its login is let in. */
const connectionFault = async ({ client, name }: Looked, publisher: MoveSide): Promise<string[]> => {
  const probe = (): Promise<unknown> =>
    client.query(
      `CREATE SUBSCRIPTION ${ident('tn_move_probe')} CONNECTION ${literal(conninfoText(publisher.conninfo))} PUBLICATION tn_move_probe
       WITH (create_slot = false, enabled = false, slot_name = NONE, copy_data = false)`,
    );
  const error = await rolledBack(probe, (work) => quietly(client, work));
  return error === undefined ? [] : [`${name}: ${said(error)}`];
};

export const probeFindings = async ({ source, target, sides, request }: Look): Promise<Finding[]> => {
  const [rights, publications]: [string[], string[]] = [[], []];
  for (const side of sides) {
    rights.push(...(await loginFaults(side)), ...(await ownerFaults(side)));
    publications.push(...(await publicationFault(side, request.tenantId)));
  }
  const connections = target
    ? [...(await connectionFault(target, source.side)), ...(await connectionFault(source, target.side))]
    : [];
  return [
    finding('privileges', 'live', rights, {
      well: 'the logins see and may do what a move needs',
      fix: 'run set-up; the login replicate needs REPLICATION and BYPASSRLS, the owner BYPASSRLS or to be a superuser',
    }),
    ...(target
      ? [
          finding('connection', 'live', connections, {
            well: 'the servers reach each other',
            fix: 'let each server connect to the other: address, port, security group, secret of the login replicate',
          }),
        ]
      : []),
    finding('publication', 'live', publications, {
      well: 'the publication was made, tried and rolled back',
      fix: 'see what the server said; mostly a key or a replica identity without tenant_id',
    }),
  ];
};
