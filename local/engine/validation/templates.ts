import { compileError, isExpression } from '../query.ts';
import { type Findings, isObject } from './diagnostic.ts';

/** Reports every expression inside `template` that does not compile, and strings that look like one and are not. */
export const checkTemplate = (template: unknown, location: string, findings: Findings): void => {
  if (typeof template === 'string') {
    const value: unknown = template;
    if (isExpression(value)) {
      const error = compileError(template);
      if (error !== undefined)
        findings.error(location, `the JSONata expression does not compile: ${error}`, 'INVALID_JSONATA_EXPRESSION');
    } else if (template.trimStart().startsWith('{%') || template.trimEnd().endsWith('%}')) {
      findings.error(
        location,
        `'${template.slice(0, 80)}' is no expression: it must start with '{%' and end with '%}'`,
      );
    }
    return;
  }
  const members = Array.isArray(template)
    ? [...template.entries()]
    : isObject(template)
      ? Object.entries(template)
      : [];
  for (const [key, value] of members) {
    if (typeof key === 'string' && key.endsWith('.$')) {
      findings.error(
        `${location}/${key}`,
        `'${key}' is a JSONPath field; write '${key.slice(0, -2)}' with a {% %} expression`,
      );
    }
    checkTemplate(value, `${location}/${key}`, findings);
  }
};

const variableName = /^[A-Za-z_]\w{0,79}$/;

/** Assign: an object of variable names; `states` is AWS's own. */
export const checkAssign = (assign: unknown, location: string, findings: Findings): string[] => {
  if (assign === undefined) return [];
  if (!isObject(assign)) {
    findings.error(location, 'Assign must be an object of variables');
    return [];
  }
  for (const name of Object.keys(assign)) {
    if (!variableName.test(name) || name === 'states') {
      findings.error(
        `${location}/${name}`,
        `'${name}' cannot be a variable: use letters, digits and '_', at most 80, and not 'states'`,
      );
    }
  }
  checkTemplate(assign, location, findings);
  return Object.keys(assign);
};
