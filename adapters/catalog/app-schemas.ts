/**
 * Condition on a schema name that keeps the app's own schemas: not the server's, not Tenantry's, and no staging schema of
 * a restore (`tn_...`).
 */
export const appSchema = (column: string): string =>
  `${column} <> 'tenantry' AND ${column} <> 'information_schema' AND ${column} !~ '^(pg_|tn_)'`;

/** Condition that keeps objects which no extension brought along: `class` is the catalog of `oid`. */
export const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
