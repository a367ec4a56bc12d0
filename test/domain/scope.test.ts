import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inForeignKeyOrder, type TenantTable, tableName } from '../../domain/scope.ts';

const table = (name: string, references: readonly string[]): TenantTable => ({
  schema: 'public',
  name,
  columns: [],
  primaryKey: [],
  leaves: [],
  sequences: {},
  foreignKeys: references.map((other) => ({
    name: `${name}_${other}`,
    columns: [],
    references: `public.${other}`,
    referencedColumns: [],
  })),
});

test('tables come after the tables that they reference, whatever the order they were found in', () => {
  // Every table references only tables with a smaller number: no cycles.
  const graphs = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(graphs, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (links, random) => {
      const tables = links.map((targets, place) =>
        table(`t${place}`, place === 0 ? [] : [...new Set(targets.map((target) => `t${target % place}`)), `t${place}`]),
      );
      const shuffled = tables
        .map((one) => ({ one, key: random.next().value as number }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ one }) => one);
      const order = inForeignKeyOrder(shuffled).map(tableName);
      expect(order.toSorted()).toEqual(tables.map(tableName).toSorted());
      for (const { name, foreignKeys } of tables)
        for (const { references } of foreignKeys)
          if (references !== `public.${name}`)
            expect(order.indexOf(references)).toBeLessThan(order.indexOf(`public.${name}`));
    }),
  );
});

test('a cycle of references is ordered all the same, and what hangs on it comes after', () => {
  const order = inForeignKeyOrder([
    table('leaf', ['a']),
    table('a', ['b']),
    table('b', ['a', 'root']),
    table('root', []),
  ]).map(tableName);
  expect(new Set(order).size).toBe(4);
  expect(order.indexOf('public.root')).toBeLessThan(order.indexOf('public.b'));
  expect(order.indexOf('public.a')).toBeLessThan(order.indexOf('public.leaf'));
});
