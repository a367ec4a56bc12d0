import { isObject, sameJson } from '../object.ts';
import { StatusError } from '../status.ts';

interface Operation {
  readonly op?: string;
  readonly path?: string;
  readonly from?: string;
  readonly value?: unknown;
}

const refuse = (message: string): never => {
  throw new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`);
};

const pointer = (text: string | undefined): string[] => {
  if (text === undefined || (text !== '' && !text.startsWith('/'))) return refuse(`"${text}" is no JSON pointer`);
  return text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
};

const child = (parent: unknown, step: string): unknown => {
  if (Array.isArray(parent)) return parent[Number(step)];
  return isObject(parent) ? parent[step] : undefined;
};

const find = (root: unknown, steps: readonly string[]): unknown => steps.reduce<unknown>(child, root);

const position = (list: unknown[], step: string, most: number): number => {
  const index = step === '-' ? list.length : Number(step);
  return Number.isInteger(index) && index >= 0 && index <= most
    ? index
    : refuse(`list position "${step}" is not there`);
};

const add = (root: unknown, path: string | undefined, value: unknown, replaces: boolean): unknown => {
  const steps = pointer(path);
  const last = steps.pop();
  if (last === undefined) return value;
  const parent = find(root, steps);
  if (Array.isArray(parent)) {
    if (replaces) parent[position(parent, last, parent.length - 1)] = value;
    else parent.splice(position(parent, last, parent.length), 0, value);
  } else if (isObject(parent) && (!replaces || last in parent)) parent[last] = value;
  else refuse(`${replaces ? 'replace' : 'add'} operation does not apply: doc is missing path: "${path}"`);
  return root;
};

const remove = (root: unknown, path: string | undefined): unknown => {
  const steps = pointer(path);
  const last = steps.pop() ?? '';
  const parent = find(root, steps);
  const value = child(parent, last);
  if (value === undefined) refuse(`remove operation does not apply: doc is missing path: "${path}"`);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) delete parent[last];
  return value;
};

/** RFC 6902 on a copy that belongs to the caller. Throws 422 where an operation does not fit. */
export const applyJsonPatch = (document: unknown, patch: unknown): unknown => {
  if (!Array.isArray(patch)) return refuse('a JSON patch is a list of operations');
  let root = document;
  for (const { op, path, from, value } of patch as Operation[]) {
    if (op === 'add' || op === 'replace') root = add(root, path, structuredClone(value), op === 'replace');
    else if (op === 'remove') remove(root, path);
    else if (op === 'test') {
      if (!sameJson(find(root, pointer(path)), value)) refuse(`testing value ${path} failed`);
    } else if (op === 'move') root = add(root, path, remove(root, from), false);
    else if (op === 'copy') root = add(root, path, structuredClone(find(root, pointer(from))), false);
    else refuse(`unknown operation "${op}"`);
  }
  return root;
};
