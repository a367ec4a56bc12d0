import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withFigures } from '../../bench/figures.ts';
import { stallPicture } from '../../bench/picture.ts';

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
  const commands = new Set(['tenant', 'backup', 'restore', 'migrate', 'drill', 'schema', 'exec', 'event', 'status']);
  for (const [, command] of readme.matchAll(/npx tenantry (\w+)/g)) expect(commands, command).toContain(command);
});
