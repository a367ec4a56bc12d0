import { taskWorkflows } from '../../domain/task-steps.ts';
import { nestedWorkflows, steps, workflows } from '../../domain/workflows.ts';
import { allStates, holesIn, type MachineFile } from './machine-file.ts';

/** Holes that name neither a step nor a machine. */
const places = new Set(['BusName', 'TasksCluster', 'TasksSubnets', 'TasksSecurityGroup']);

const pascal = (workflow: string): string =>
  workflow
    .split('-')
    .map((word) => `${word[0]!.toUpperCase()}${word.slice(1)}`)
    .join('');

const table = <T>(entries: object, name: string): readonly T[] =>
  ((entries as Record<string, readonly T[]>)[name] ?? []) as readonly T[];

/** A step's hole stands in the state of its own name: `${ClaimTenantArn}` in ClaimTenant, as Resource or FunctionName. */
const misplaced = ({ machine }: MachineFile): string[] =>
  allStates(machine).flatMap(({ name, state }) => {
    if (state.Type !== 'Task') return [];
    const own = JSON.stringify([state.Resource, state.Arguments ?? null]);
    const called = [...own.matchAll(/function:(\w+)Arn/g)]
      .map((match) => match[1]!)
      .filter((step) => step !== name)
      .map((step) => `${name} calls \${${step}Arn}; a step is called by the state of its own name`);
    const run = [...own.matchAll(/(\w+)TaskDefinition"/g)]
      .map((match) => match[1]!)
      .filter((step) => step !== '' && `${step}AsTask` !== name)
      .map((step) => `${name} runs \${${step}TaskDefinition}; a step runs as a task in the state ${step}AsTask`);
    return [...called, ...run];
  });

/** Holes against the workflow table: what the machine uses is what `lib` and `local` give it, no more and no less. */
export const holeFindings = (file: MachineFile): string[] => {
  const { name, text } = file;
  if (!Object.hasOwn(workflows, name)) return [`${name} is no workflow in domain/workflows.ts`];
  const holes = new Set(holesIn(text));
  const ownSteps = table<string>(workflows, name);
  const nested = table<string>(nestedWorkflows, name);
  const expected = new Set([
    ...ownSteps.map((step) => `${step}Arn`),
    ...nested.map((other) => `${pascal(other)}MachineArn`),
    ...table<string>(taskWorkflows, name).map((step) => `${step}TaskDefinition`),
  ]);
  return [
    ...[...holes]
      .filter((hole) => !expected.has(hole) && !places.has(hole))
      .map((hole) => `\${${hole}} is not in domain/workflows.ts for ${name}`),
    ...[...expected]
      .filter((hole) => !holes.has(hole))
      .map((hole) => `\${${hole}} of domain/workflows.ts is used nowhere`),
    ...ownSteps
      .filter((step) => !Object.hasOwn(steps, step))
      .map((step) => `${step} has no handler in domain/workflows.ts`),
    ...misplaced(file),
  ];
};
