import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withFigures } from '../../bench/figures.ts';
import { stallPicture } from '../../bench/picture.ts';
import { parseRows as parseArgument } from '../../cli/rows.ts';
import { parseRows } from '../../domain/rows.ts';
import type { TenantTable } from '../../domain/scope.ts';

const readme = readFileSync('README.md', 'utf8');

test('the figures of the README are those that the bench wrote, none was typed', () => {
  const measured = existsSync('docs/bench.json') ? JSON.parse(readFileSync('docs/bench.json', 'utf8')) : undefined;
  if (measured === undefined) expect(readme).toContain('<!-- figures -->\n<!-- /figures -->');
  else expect(withFigures(readme, measured)).toBe(readme);
});

test('the picture of the stall is drawn from the same figures', () => {
  const measured = JSON.parse(readFileSync('docs/bench.json', 'utf8'));
  expect(readFileSync('docs/stall.svg', 'utf8')).toBe(stallPicture(measured));
});

test('every file that the README names exists', () => {
  for (const [, path] of readme.matchAll(/`((?:docs|lib|domain|sample-app|state-machines|lambdas)\/[\w./-]*)`/g))
    expect(existsSync(path!), path).toBe(true);
});

test('every tenantry command that the README names exists', () => {
  const commands = new Set(
    'tenant domain dns place backup restore migrate drill schema exec event status kubeconfig'.split(' '),
  );
  for (const [, command] of readme.matchAll(/npx tenantry (\w+)/g)) expect(commands, command).toContain(command);
});

/** The columns of the team chat that the examples ask for. */
const messages: TenantTable = {
  schema: 'public',
  name: 'messages',
  columns: Object.entries({ tenant_id: 'text', id: 'bigint', sender_id: 'bigint', sent_at: 'timestamptz' }).map(
    ([name, type]) => ({ name, type, notNull: true, generated: false, identity: null }),
  ),
  primaryKey: ['tenant_id', 'id'],
  foreignKeys: [],
  leaves: [],
  sequences: {},
};

test('every --rows that the README shows is one that the restore takes', () => {
  const shown = [...readme.matchAll(/--rows "(messages: [^"]+)"/g)].map(([, rows]) => rows!);
  expect(shown).not.toHaveLength(0);
  for (const rows of shown) expect(parseRows(parseArgument(rows), messages)).toMatchObject({ kind: 'where' });
});
