import { type Findings, isObject, type Json } from './diagnostic.ts';
import { checkAssign, checkTemplate } from './templates.ts';

const checkErrorNames = (rule: Json, location: string, isLast: boolean, findings: Findings): void => {
  const names = rule.ErrorEquals;
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== 'string' || name === '')) {
    findings.error(`${location}/ErrorEquals`, 'ErrorEquals must be a list of error names');
    return;
  }
  if (!names.includes('States.ALL')) return;
  if (names.length > 1) findings.error(`${location}/ErrorEquals`, "'States.ALL' must stand alone");
  if (!isLast) findings.error(`${location}/ErrorEquals`, "'States.ALL' must stand in the last rule");
};

const checkNumber = (
  rule: Json,
  field: string,
  location: string,
  least: number,
  whole: boolean,
  findings: Findings,
): void => {
  const value = rule[field];
  if (value === undefined) return;
  if (typeof value !== 'number' || value < least || (whole && !Number.isInteger(value))) {
    findings.error(
      `${location}/${field}`,
      `${field} is ${JSON.stringify(value)}, give ${whole ? 'a whole number' : 'a number'} of at least ${least}`,
    );
  }
};

const retrierFields = new Set([
  'ErrorEquals',
  'IntervalSeconds',
  'MaxAttempts',
  'BackoffRate',
  'MaxDelaySeconds',
  'JitterStrategy',
  'Comment',
]);
const catcherFields = new Set(['ErrorEquals', 'Next', 'Output', 'Assign', 'Comment']);

const checkFields = (rule: Json, allowed: ReadonlySet<string>, location: string, findings: Findings): void => {
  for (const field of Object.keys(rule)) {
    if (!allowed.has(field))
      findings.error(`${location}/${field}`, `the field '${field}' is not supported here under JSONata`);
  }
};

const rulesOf = (value: unknown, location: string, findings: Findings): Json[] => {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isObject)) return value;
  findings.error(location, 'must be a list of objects');
  return [];
};

/** Retry and Catch of one state; answers the targets and the variables of its catchers. */
export const checkRecovery = (
  state: Json,
  location: string,
  findings: Findings,
): { targets: [string, unknown][]; assigned: string[] } => {
  const retriers = rulesOf(state.Retry, `${location}/Retry`, findings);
  for (const [index, rule] of retriers.entries()) {
    const place = `${location}/Retry/${index}`;
    checkFields(rule, retrierFields, place, findings);
    checkErrorNames(rule, place, index === retriers.length - 1, findings);
    checkNumber(rule, 'IntervalSeconds', place, 1, true, findings);
    checkNumber(rule, 'MaxAttempts', place, 0, true, findings);
    checkNumber(rule, 'BackoffRate', place, 1, false, findings);
    checkNumber(rule, 'MaxDelaySeconds', place, 1, true, findings);
    if (rule.JitterStrategy !== undefined && rule.JitterStrategy !== 'FULL' && rule.JitterStrategy !== 'NONE') {
      findings.error(
        `${place}/JitterStrategy`,
        `JitterStrategy is ${JSON.stringify(rule.JitterStrategy)}, give 'FULL' or 'NONE'`,
      );
    }
  }
  const catchers = rulesOf(state.Catch, `${location}/Catch`, findings);
  const assigned = catchers.flatMap((rule, index) => {
    const place = `${location}/Catch/${index}`;
    checkFields(rule, catcherFields, place, findings);
    checkErrorNames(rule, place, index === catchers.length - 1, findings);
    checkTemplate(rule.Output, `${place}/Output`, findings);
    return checkAssign(rule.Assign, `${place}/Assign`, findings);
  });
  return { targets: catchers.map((rule, index) => [`${location}/Catch/${index}/Next`, rule.Next]), assigned };
};
