import type { Column, TenantTable } from '../../domain/scope.ts';

/** A column that may be null and has no default. */
export const column = (name: string, type = 'text', more: Partial<Column> = {}): Column => ({
  name,
  type,
  notNull: false,
  generated: false,
  identity: null,
  ...more,
});

/** A table of the schema `public` that refers to no other one, with the key `tenant_id, id`. */
export const table = (name: string, more: Partial<TenantTable> = {}): TenantTable => ({
  schema: 'public',
  name,
  columns: [column('tenant_id'), column('id', 'bigint')],
  primaryKey: ['tenant_id', 'id'],
  foreignKeys: [],
  leaves: [],
  sequences: {},
  ...more,
});
