import { parseResource } from '../tasks/resource.ts';
import { isObject, type Json } from './diagnostic.ts';
import { jsonPathOnly, stateFields, templates } from './fields.ts';
import type { Walk } from './machine.ts';
import { checkMachine } from './machine.ts';
import { checkMap } from './map.ts';
import { checkRecovery } from './recovery.ts';
import { checkAssign, checkTemplate } from './templates.ts';

export interface CheckedState {
  /** Where a transition stands and what it names. */
  readonly targets: readonly (readonly [string, unknown])[];
  readonly assigned: readonly string[];
  /** Checks of the lines inside, to be made once the variables of this line are known. */
  readonly inner: readonly ((outer: ReadonlySet<string>) => void)[];
  readonly ends: boolean;
}

const checkFields = (state: Json, type: string, name: string, location: string, { findings }: Walk): void => {
  for (const field of Object.keys(state)) {
    if (stateFields[type]!.has(field)) continue;
    findings.error(
      `${location}/${field}`,
      jsonPathOnly.has(field)
        ? `the field '${field}' of the state '${name}' is JSONPath; only JSONata machines are run here`
        : `the field '${field}' is not supported by the ${type} state '${name}'`,
    );
  }
  if (state.QueryLanguage !== undefined && state.QueryLanguage !== 'JSONata') {
    findings.error(
      `${location}/QueryLanguage`,
      `QueryLanguage of the state '${name}' is ${JSON.stringify(state.QueryLanguage)}, only JSONata is run here`,
    );
  }
};

const checkChoice = (state: Json, name: string, location: string, { findings }: Walk): CheckedState => {
  const rules = Array.isArray(state.Choices) ? state.Choices.filter(isObject) : [];
  if (rules.length === 0) findings.error(`${location}/Choices`, `the Choice state '${name}' needs at least one rule`);
  const assigned = rules.flatMap((rule, index) => {
    const place = `${location}/Choices/${index}`;
    for (const field of Object.keys(rule)) {
      if (!['Condition', 'Next', 'Output', 'Assign', 'Comment'].includes(field)) {
        const why =
          jsonPathOnly.has(field) || /^(String|Numeric|Boolean|Timestamp|Is)/.test(field)
            ? 'is JSONPath; write a Condition'
            : 'is not supported in a rule';
        findings.error(`${place}/${field}`, `the field '${field}' of the state '${name}' ${why}`);
      }
    }
    if (rule.Condition === undefined) findings.error(`${place}/Condition`, 'a rule needs a Condition');
    checkTemplate(rule.Condition, `${place}/Condition`, findings);
    checkTemplate(rule.Output, `${place}/Output`, findings);
    return checkAssign(rule.Assign, `${place}/Assign`, findings);
  });
  const targets = rules.map((rule, index) => [`${location}/Choices/${index}/Next`, rule.Next] as const);
  return {
    targets: state.Default === undefined ? targets : [...targets, [`${location}/Default`, state.Default]],
    assigned,
    inner: [],
    ends: false,
  };
};

const checkTask = (state: Json, location: string, { findings }: Walk): void => {
  const resource = typeof state.Resource === 'string' ? parseResource(state.Resource) : 'Resource must be an ARN';
  if (typeof resource === 'string') findings.error(`${location}/Resource`, resource);
  const { TimeoutSeconds, HeartbeatSeconds } = state;
  for (const [field, value] of Object.entries({ TimeoutSeconds, HeartbeatSeconds })) {
    if (typeof value === 'number' && (!Number.isInteger(value) || value < 1 || value > 99_999_999)) {
      findings.error(`${location}/${field}`, `${field} is ${value}, give a whole number from 1 to 99999999`);
    }
  }
  if (
    typeof TimeoutSeconds === 'number' &&
    typeof HeartbeatSeconds === 'number' &&
    HeartbeatSeconds >= TimeoutSeconds
  ) {
    findings.error(
      `${location}/HeartbeatSeconds`,
      `HeartbeatSeconds is ${HeartbeatSeconds}, it must be below TimeoutSeconds (${TimeoutSeconds})`,
    );
  }
};

const checkWait = (state: Json, location: string, { findings }: Walk): void => {
  if ((state.Seconds === undefined) === (state.Timestamp === undefined)) {
    findings.error(location, 'a Wait state needs Seconds or Timestamp, and not both');
  }
  const { Seconds } = state;
  if (typeof Seconds === 'number' && (!Number.isInteger(Seconds) || Seconds < 0 || Seconds > 99_999_999)) {
    findings.error(`${location}/Seconds`, `Seconds is ${Seconds}, give a whole number from 0 to 99999999`);
  }
};

const checkTransition = (
  state: Json,
  type: string,
  name: string,
  location: string,
  { findings }: Walk,
): CheckedState['targets'] => {
  if (type === 'Succeed' || type === 'Fail') return [];
  if ((state.Next === undefined) === (state.End !== true)) {
    findings.error(location, `the state '${name}' needs either Next or "End": true`);
  }
  return state.Next === undefined ? [] : [[`${location}/Next`, state.Next]];
};

const checkBranches = (state: Json, location: string, walk: Walk): CheckedState['inner'] => {
  const branches = Array.isArray(state.Branches) ? state.Branches : [];
  if (branches.length === 0) walk.findings.error(`${location}/Branches`, 'a Parallel state needs at least one branch');
  return branches.map(
    (branch, index) => (outer) => void checkMachine(branch, `${location}/Branches/${index}`, walk, outer),
  );
};

/** Checks one state and what it names; the lines inside it are left to the caller. */
export const checkState = (state: unknown, name: string, location: string, walk: Walk): CheckedState => {
  const { findings } = walk;
  if (!isObject(state) || typeof state.Type !== 'string' || !Object.hasOwn(stateFields, state.Type)) {
    findings.error(
      `${location}/Type`,
      `Type of the state '${name}' must be one of ${Object.keys(stateFields).join(', ')}`,
    );
    return { targets: [], assigned: [], inner: [], ends: false };
  }
  const type = state.Type;
  checkFields(state, type, name, location, walk);
  for (const field of templates) if (field !== 'Assign') checkTemplate(state[field], `${location}/${field}`, findings);
  const assigned = checkAssign(state.Assign, `${location}/Assign`, findings);
  if (type === 'Choice') {
    const checked = checkChoice(state, name, location, walk);
    return { ...checked, assigned: [...assigned, ...checked.assigned] };
  }
  if (type === 'Task') checkTask(state, location, walk);
  if (type === 'Wait') checkWait(state, location, walk);
  const recovery = checkRecovery(state, location, findings);
  const inner =
    type === 'Parallel' ? checkBranches(state, location, walk) : type === 'Map' ? checkMap(state, location, walk) : [];
  return {
    targets: [...checkTransition(state, type, name, location, walk), ...recovery.targets],
    assigned: [...assigned, ...recovery.assigned],
    inner,
    ends: type === 'Succeed' || type === 'Fail' || state.End === true,
  };
};
