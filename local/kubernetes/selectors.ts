import { isObject, type KubeObject } from './object.ts';
import { badRequest } from './status.ts';

export type Matcher = (object: KubeObject) => boolean;

const labelName = /^([A-Za-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

const requirement = (text: string): ((labels: Readonly<Record<string, string>>) => boolean) => {
  const fault = (): never => {
    throw badRequest(
      `unable to parse requirement: "${text}" is no label requirement; write key=value, key in (a,b) or !key`,
    );
  };
  const name = (key: string | undefined): string =>
    key !== undefined && labelName.test(key.trim()) ? key.trim() : fault();
  const set = /^([^!=\s,()]+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set) {
    const key = name(set[1]);
    const values = set[3]!.split(',').map((value) => value.trim());
    return (labels) =>
      values.includes(labels[key] ?? '') === (set[2] === 'in') && (set[2] === 'notin' || key in labels);
  }
  const pair = /^([^!=]+)(!=|==|=)(.*)$/.exec(text);
  if (pair) {
    const key = name(pair[1]);
    const value = pair[3]!.trim();
    return (labels) => (pair[2] === '!=' ? labels[key] !== value : labels[key] === value);
  }
  if (text.startsWith('!')) {
    const key = name(text.slice(1));
    return (labels) => !(key in labels);
  }
  const key = name(text);
  return (labels) => key in labels;
};

/** Splits at commas outside parentheses. */
const parts = (text: string): string[] =>
  text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** `app=web,tier in (a,b),!canary`. Throws 400 for what is no selector. */
export const labelMatcher = (selector: string | null): Matcher => {
  const requirements = parts(selector ?? '').map(requirement);
  return ({ metadata }) => requirements.every((fits) => fits(metadata.labels ?? {}));
};

const fieldValue = (object: unknown, path: readonly string[]): string => {
  const found = path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), object);
  return found === undefined || found === null ? '' : String(found);
};

/** `metadata.name=a,status.phase!=Running`. Any field may be named; a real API knows a few per kind. */
export const fieldMatcher = (selector: string | null): Matcher => {
  const terms = parts(selector ?? '').map((text) => {
    const [, path, operator, value] = /^([^!=]+)(!=|==|=)(.*)$/.exec(text) ?? [];
    if (path === undefined) throw badRequest(`invalid field selector "${text}"; write field=value`);
    const names = path.trim().split('.');
    return (object: KubeObject) => (fieldValue(object, names) === value) === (operator !== '!=');
  });
  return (object) => terms.every((fits) => fits(object));
};

/** A `metav1.LabelSelector`: matchLabels and matchExpressions. An empty one selects everything. */
export const objectSelector = (selector: unknown): ((labels: Readonly<Record<string, string>>) => boolean) => {
  const { matchLabels = {}, matchExpressions = [] } = (selector ?? {}) as {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  };
  return (labels) =>
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return key in labels;
      if (operator === 'DoesNotExist') return !(key in labels);
      if (operator === 'In') return key in labels && values.includes(labels[key]!);
      return !(key in labels) || !values.includes(labels[key]!);
    });
};
