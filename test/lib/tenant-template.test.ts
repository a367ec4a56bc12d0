import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { templateFile, templateText } from '../../lib/tenant-stack/write-template.ts';

test('the laptop makes tenants their clusters from the template that is deployed on AWS; else run npm run template', () => {
  expect(readFileSync(templateFile, 'utf8')).toBe(templateText());
});
