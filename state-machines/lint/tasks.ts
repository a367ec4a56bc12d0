import { failures } from '../../domain/errors.ts';
import { type TaskStep, tasks } from '../../domain/task-steps.ts';
import { type StepName, steps } from '../../domain/workflows.ts';
import { allStates, type MachineFile } from './machine-file.ts';

/** Error names that AWS itself gives, by what stands before the dot. */
const services = /^(?:States|Lambda|Runtime|Sandbox|EventBridge|StepFunctions|S3|ECS)\.[A-Za-z.]+$/;

const orderFindings = (state: object): string[] => {
  const fields = Object.keys(state);
  const [retry, catches] = [fields.indexOf('Retry'), fields.indexOf('Catch')];
  if (retry < 0) return ['has no Retry'];
  return catches >= 0 && catches < retry ? ['has Catch before Retry; it is read in the order in which it acts'] : [];
};

/** Seconds that the step behind a state may take: as a function, or as a task in the state `<Step>AsTask`. */
const secondsOf = (name: string): number | undefined => {
  if (Object.hasOwn(steps, name)) return steps[name as StepName].timeout;
  const step = name.replace(/AsTask$/, '');
  return step !== name && Object.hasOwn(tasks, step) ? tasks[step as TaskStep].seconds : undefined;
};

const timeoutFindings = (name: string, timeout: number | string | undefined): string[] => {
  if (timeout === undefined) return ['has no TimeoutSeconds; AWS would wait for a year'];
  const seconds = secondsOf(name);
  if (seconds === undefined || typeof timeout !== 'number' || timeout >= seconds) return [];
  return [`has TimeoutSeconds ${timeout}, its handler may take ${seconds}`];
};

/** Every Task says what it is, how long it may take, and retries with jitter before it gives up. */
export const taskFindings = ({ machine }: MachineFile): string[] =>
  allStates(machine).flatMap(({ name, state }) => {
    if (state.Type !== 'Task') return [];
    const retriers = state.Retry ?? [];
    return [
      ...(state.Comment ? [] : ['has no Comment']),
      ...timeoutFindings(name, state.TimeoutSeconds),
      ...orderFindings(state),
      ...retriers.flatMap(({ JitterStrategy, ErrorEquals }) =>
        JitterStrategy === 'FULL' ? [] : [`retries ${ErrorEquals.join(', ')} without JitterStrategy FULL`],
      ),
    ].map((finding) => `${name} ${finding}`);
  });

/** Every name in ErrorEquals is one that AWS or a step gives; every Fail state is called what it reports. */
export const errorNameFindings = ({ machine }: MachineFile): string[] =>
  allStates(machine).flatMap(({ name, state }) => {
    if (state.Type === 'Fail')
      return state.Error === name ? [] : [`${name} fails as '${state.Error}'; name and Error must be equal`];
    const rules = [...(('Retry' in state && state.Retry) || []), ...(('Catch' in state && state.Catch) || [])];
    return rules
      .flatMap(({ ErrorEquals }) => ErrorEquals)
      .filter((error) => !services.test(error) && !Object.hasOwn(failures, error))
      .map((error) => `${name} names the error '${error}', which neither AWS nor domain/errors.ts knows`);
  });

/** Every failure of the class `retry` is retried by some Task of some machine. */
export const unretriedFindings = (files: readonly MachineFile[]): string[] => {
  const retried = new Set(
    files.flatMap(({ machine }) =>
      allStates(machine).flatMap(({ state }) =>
        (('Retry' in state && state.Retry) || []).flatMap(({ ErrorEquals }) => ErrorEquals),
      ),
    ),
  );
  return Object.entries(failures)
    .filter(([name, kind]) => kind === 'retry' && !retried.has(name))
    .map(([name]) => `domain/errors.ts: '${name}' is of class retry and no machine retries it`);
};
