import jsonata from 'jsonata';
import { isExpression } from '../../local/engine/query.ts';

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

const bound = (node: Node): string[] => {
  if (node.type === 'bind' && isNode(node.lhs)) return [String(node.lhs.value)];
  if (node.type === 'lambda' && Array.isArray(node.arguments))
    return node.arguments.map((name: Node) => String(name.value));
  return [];
};

/** `$x := ...` counts from its statement to the end of its block, which is close enough for the whole expression. */
const walk = (node: unknown, used: Set<string>, own: Set<string>): void => {
  if (Array.isArray(node)) {
    for (const member of node) walk(member, used, own);
    return;
  }
  if (!isNode(node)) return;
  for (const name of bound(node)) own.add(name);
  for (const name of [node.focus, node.index]) if (typeof name === 'string') own.add(name);
  if (node.type === 'variable' && typeof node.value === 'string') used.add(node.value);
  for (const [key, member] of Object.entries(node)) {
    if (!['position', 'type', 'value'].includes(key)) walk(member, used, own);
    else if (key === 'value' && isNode(member)) walk(member, used, own);
  }
};

const awsFunctions = new Set(['partition', 'range', 'hash', 'random', 'uuid', 'parse']);
const builtIn = new Map<string, boolean>();

const isFunction = async (name: string): Promise<boolean> => {
  if (awsFunctions.has(name)) return true;
  const known = builtIn.get(name) ?? ((await jsonata(`$exists($${name})`).evaluate(undefined)) as boolean);
  builtIn.set(name, known);
  return known;
};

const inExpression = async (text: string): Promise<string[]> => {
  const used = new Set<string>();
  const own = new Set(['', '$', 'states']);
  walk(jsonata(text.slice(2, -2)).ast(), used, own);
  const names: string[] = [];
  for (const name of used) if (!own.has(name) && !(await isFunction(name))) names.push(name);
  return names;
};

/** Promise: the workflow variables that the expressions inside `template` read. */
export const freeVariables = async (template: unknown): Promise<Set<string>> => {
  if (isExpression(template)) return new Set(await inExpression(template));
  const names = new Set<string>();
  if (typeof template !== 'object' || template === null) return names;
  for (const member of Object.values(template)) for (const name of await freeVariables(member)) names.add(name);
  return names;
};
