import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failures } from '../../domain/errors.ts';

const runbook = readFileSync('docs/runbook.md', 'utf8');

test('the runbook has a section for every failure name and no other', () => {
  const [, names = ''] = /## Failure names\n([\s\S]*?)\n## /.exec(runbook) ?? [];
  expect([...names.matchAll(/^### (\w+)$/gm)].map(([, name]) => name).sort()).toEqual(Object.keys(failures).sort());
});

test('the runbook explains every end at which a machine fails', () => {
  for (const file of readdirSync('state-machines').filter((name) => name.endsWith('.asl.json'))) {
    const { States } = JSON.parse(readFileSync(`state-machines/${file}`, 'utf8')) as {
      States: Record<string, { Type: string }>;
    };
    for (const [name, { Type }] of Object.entries(States))
      if (Type === 'Fail') expect(runbook, `${file}: ${name}`).toContain(`| ${name} |`);
  }
});
