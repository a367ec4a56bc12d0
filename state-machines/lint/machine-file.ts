import type { Machine, State } from '../../local/engine/definition.ts';

/** One file of this folder: its text with `${...}` holes, and its definition with the holes filled. */
export interface MachineFile {
  /** Workflow name: the file name before `.asl.json`. */
  readonly name: string;
  readonly text: string;
  readonly filled: string;
  readonly machine: Machine;
}

/** A state anywhere in a definition, branches and item processors included. */
export interface PlacedState {
  readonly name: string;
  readonly state: State;
}

const holes = /\$\{(\w+)\}/g;

const fill = (hole: string): string => {
  if (hole.endsWith('MachineArn')) return `arn:aws:states:eu-central-1:000000000000:stateMachine:${hole}`;
  if (hole.endsWith('Arn')) return `arn:aws:lambda:eu-central-1:000000000000:function:${hole}`;
  return hole;
};

export const readMachine = (name: string, text: string): MachineFile => {
  const filled = text.replaceAll(holes, (_whole, hole: string) => fill(hole));
  return { name, text, filled, machine: JSON.parse(filled) as Machine };
};

/** Names of the holes in a text, each as often as it stands there. */
export const holesIn = (text: string): string[] => [...text.matchAll(holes)].map((match) => match[1]!);

/** The lines of states inside a state: branches of a Parallel, the processor of a Map. */
export const linesInside = (state: State): readonly Machine[] => {
  if (state.Type === 'Parallel') return state.Branches;
  return state.Type === 'Map' ? [state.ItemProcessor] : [];
};

export const allStates = (machine: Machine): PlacedState[] =>
  Object.entries(machine.States).flatMap(([name, state]) => [
    { name, state },
    ...linesInside(state).flatMap((line) => allStates(line)),
  ]);
