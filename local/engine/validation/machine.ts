import { type Diagnostic, type Findings, isObject, type Json, openFindings } from './diagnostic.ts';
import { machineFields } from './fields.ts';
import { checkState } from './state.ts';

/** CreateStateMachine: a definition has at most 1 MB. */
export const definitionLimit = 1_048_576;

export interface Walk {
  readonly findings: Findings;
  /** Every state name so far: they are unique over the whole definition, branches included. */
  readonly names: Set<string>;
}

const reachable = (machine: Json, targets: ReadonlyMap<string, readonly string[]>): Set<string> => {
  const seen = new Set<string>();
  const open = [String(machine.StartAt)];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(targets.get(name) ?? []));
  }
  return seen;
};

const checkHead = (machine: Json, location: string, { findings }: Walk): void => {
  for (const field of Object.keys(machine)) {
    if (!machineFields.has(field))
      findings.error(`${location}/${field}`, `the field '${field}' does not belong to a state machine`);
  }
  const { TimeoutSeconds } = machine;
  if (TimeoutSeconds !== undefined && (!Number.isInteger(TimeoutSeconds) || Number(TimeoutSeconds) < 1)) {
    findings.error(
      `${location}/TimeoutSeconds`,
      `TimeoutSeconds is ${JSON.stringify(TimeoutSeconds)}, give a whole number of at least 1`,
    );
  }
};

/**
 * Checks one line of states: the machine, a branch or an item processor. Answers the variables it assigns. `outer` are the
 * variables around it: an inner line may read them and may not assign them (developer guide, "Variable scope").
 */
export const checkMachine = (
  machine: unknown,
  location: string,
  walk: Walk,
  outer: ReadonlySet<string>,
): Set<string> => {
  const { findings } = walk;
  const assigned = new Set<string>();
  if (!isObject(machine) || !isObject(machine.States) || Object.keys(machine.States).length === 0) {
    findings.error(`${location}/States`, 'States must be an object with at least one state');
    return assigned;
  }
  checkHead(machine, location, walk);
  const states = machine.States;
  if (typeof machine.StartAt !== 'string' || !Object.hasOwn(states, machine.StartAt)) {
    findings.error(
      `${location}/StartAt`,
      `StartAt is ${JSON.stringify(machine.StartAt)}, which is no state here`,
      'MISSING_TRANSITION_TARGET',
    );
  }
  const targets = new Map<string, readonly string[]>();
  const inner: (() => void)[] = [];
  let ends = false;
  for (const [name, state] of Object.entries(states)) {
    const place = `${location}/States/${name}`;
    if (walk.names.has(name))
      findings.error(place, `the state name '${name}' is used twice; names are unique over all branches`);
    if (name.length > 80)
      findings.error(place, `the state name '${name}' has ${name.length} characters, 80 are allowed`);
    walk.names.add(name);
    const checked = checkState(state, name, place, walk);
    for (const variable of checked.assigned) assigned.add(variable);
    inner.push(...checked.inner.map((check) => () => check(new Set([...outer, ...assigned]))));
    ends ||= checked.ends;
    targets.set(
      name,
      checked.targets.map(([, target]) => String(target)),
    );
    for (const [where, target] of checked.targets) {
      if (typeof target !== 'string' || !Object.hasOwn(states, target)) {
        findings.error(where, `${JSON.stringify(target)} is no state of this machine`, 'MISSING_TRANSITION_TARGET');
      }
    }
  }
  for (const check of inner) check();
  const seen = reachable(machine, targets);
  for (const name of Object.keys(states)) {
    if (!seen.has(name))
      findings.error(`${location}/States/${name}`, `State "${name}" is not reachable.`, 'MISSING_TRANSITION_TARGET');
  }
  if (!ends) findings.error(location, 'no state ends this machine: give one End, Succeed or Fail', 'NO_TERMINAL_STATE');
  for (const variable of assigned) {
    if (outer.has(variable))
      findings.error(location, `the variable '${variable}' is assigned outside too; an inner scope cannot assign it`);
  }
  return assigned;
};

/** Promise: everything that is wrong with the text of a definition; empty means that the engine runs it. */
export const validateDefinition = (text: string): Diagnostic[] => {
  const findings = openFindings();
  if (Buffer.byteLength(text) > definitionLimit) {
    findings.error('', `the definition has ${Buffer.byteLength(text)} bytes, ${definitionLimit} are allowed`);
    return findings.list;
  }
  let machine: unknown;
  try {
    machine = JSON.parse(text);
  } catch (error) {
    findings.error(
      '',
      `not JSON: ${error instanceof Error ? error.message : String(error)}`,
      'INVALID_JSON_DESCRIPTION',
    );
    return findings.list;
  }
  if (!isObject(machine) || machine.QueryLanguage !== 'JSONata') {
    const found = isObject(machine) ? JSON.stringify(machine.QueryLanguage ?? 'JSONPath') : 'missing';
    findings.error(
      '/QueryLanguage',
      `QueryLanguage is ${found}; only machines with "QueryLanguage": "JSONata" are run here`,
    );
    return findings.list;
  }
  checkMachine(machine, '', { findings, names: new Set() }, new Set());
  return findings.list;
};
