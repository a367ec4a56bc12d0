import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { synthTenantTemplate } from '../tenant-stack.ts';

/** Where the laptop's deployment reads the template: synthesising it takes 4 s, which no start of the laptop should. */
export const templateFile = join(import.meta.dirname, 'template.json');

export const templateText = (): string => `${JSON.stringify(synthTenantTemplate(), null, 2)}\n`;

if (import.meta.main) writeFileSync(templateFile, templateText());
