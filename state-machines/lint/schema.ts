import { createRequire } from 'node:module';
import { isExpression } from '../../local/engine/query.ts';
import { validateDefinition } from '../../local/engine/validation/machine.ts';
import type { MachineFile } from './machine-file.ts';

/** A CommonJS module without types. */
const aslValidator: (definition: unknown) => { isValid: boolean; errorsText(): string } = createRequire(
  import.meta.url,
)('asl-validator');

/**
 * asl-validator 4.0.0 rejects two valid things: an expression of several lines and an Output that is a plain literal. Every
 * expression is compiled by our own validator, so here each stands as one short one, and literals as expressions.
 */
const tamed = (value: unknown, field?: string): unknown => {
  if (isExpression(value) || (field === 'Output' && typeof value !== 'object')) return '{% $x %}';
  if (Array.isArray(value)) return value.map((member) => tamed(member));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, tamed(member, key)]));
};

/** Findings of our own definition validator and of asl-validator. */
export const schemaFindings = ({ filled }: MachineFile): string[] => {
  const own = validateDefinition(filled).map(({ location, message }) => `${location || '/'}: ${message}`);
  if (own.length > 0) return own;
  const other = aslValidator(tamed(JSON.parse(filled)));
  return other.isValid ? [] : [`asl-validator: ${other.errorsText()}`];
};
