import { isDistributed, type Machine, type State } from '../../local/engine/definition.ts';
import { freeVariables } from './free-variables.ts';
import { linesInside, type MachineFile } from './machine-file.ts';

interface Edge {
  readonly to: string;
  readonly assigned: readonly string[];
}

const names = (assign: object | undefined): string[] => Object.keys(assign ?? {});

/** Where a state leads and which variables are assigned on that way. */
const edges = (state: State): Edge[] => {
  if (state.Type === 'Fail' || state.Type === 'Succeed') return [];
  const caught = (('Catch' in state && state.Catch) || []).map(({ Next, Assign }) => ({
    to: Next,
    assigned: names(Assign),
  }));
  if (state.Type === 'Choice') {
    const rules = state.Choices.map(({ Next, Assign }) => ({ to: Next, assigned: names(Assign) }));
    return state.Default === undefined ? rules : [...rules, { to: state.Default, assigned: names(state.Assign) }];
  }
  return state.Next === undefined ? caught : [...caught, { to: state.Next, assigned: names(state.Assign) }];
};

/** State -> variables that some path has assigned when it is entered. */
const knownOnEntry = (machine: Machine, outer: ReadonlySet<string>): Map<string, Set<string>> => {
  const known = new Map<string, Set<string>>([[machine.StartAt, new Set(outer)]]);
  const open = [machine.StartAt];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const here = known.get(name)!;
    for (const { to, assigned } of edges(machine.States[name]!)) {
      const there = known.get(to);
      const next = new Set([...(there ?? []), ...here, ...assigned]);
      if (there && next.size === there.size) continue;
      known.set(to, next);
      open.push(to);
    }
  }
  return known;
};

/** The state without the lines inside it, which have variables of their own. */
const ownFields = (state: State): object => {
  const { Branches: _branches, ItemProcessor: _processor, ...own } = state as unknown as Record<string, unknown>;
  return own;
};

const lineFindings = async (machine: Machine, outer: ReadonlySet<string>): Promise<string[]> => {
  const findings: string[] = [];
  for (const [name, known] of knownOnEntry(machine, outer)) {
    const state = machine.States[name]!;
    for (const variable of await freeVariables(ownFields(state))) {
      if (!known.has(variable)) findings.push(`${name} reads $${variable}, which no path to it assigns`);
    }
    const visible = state.Type === 'Map' && isDistributed(state) ? new Set<string>() : known;
    for (const line of linesInside(state)) findings.push(...(await lineFindings(line, visible)));
  }
  return findings;
};

/** Promise: every variable that is read where nothing can have assigned it. */
export const variableFindings = ({ machine }: MachineFile): Promise<string[]> => lineFindings(machine, new Set());
