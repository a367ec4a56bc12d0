import { timestamp, withCondition } from '../controllers/objects.ts';
import type { ContainerStatus, Pod, PodStatus } from '../controllers/workloads.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import { type RunningContainer, runContainer } from './container.ts';
import type { KeySources } from './environment.ts';
import { pause } from './pause.ts';

export interface PodParts {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly sources: KeySources;
  readonly startDelayMillis: number;
  readonly changed: () => void;
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export interface RunningPod {
  status(): PodStatus;
  /** Ends its processes; resolves when they are gone. Safe to call twice, the shorter grace counts. */
  end(graceMillis: number): Promise<void>;
}

type Phase = NonNullable<PodStatus['phase']>;

/** The kubelet's rule: pending until every container has run once, then running until none will run again. */
export const phaseOf = (statuses: readonly ContainerStatus[], policy: string, initialised: boolean): Phase => {
  const never = statuses.some(({ state, lastState }) => state.waiting && !lastState?.terminated);
  if (!initialised || never) return 'Pending';
  const codes = statuses.map(({ state }) => state.terminated?.exitCode);
  if (policy === 'Always' || codes.some((code) => code === undefined)) return 'Running';
  if (codes.every((code) => code === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
};

const waiting = ({ name, image }: { name: string; image: string }, reason: string): ContainerStatus => ({
  name,
  image,
  imageID: '',
  ready: false,
  started: false,
  restartCount: 0,
  state: { waiting: { reason } },
});

/** Runs a pod: its init containers one after the other, then all containers, each as a process. */
export const runPod = ({ pod, runtime, sources, startDelayMillis, changed, tell }: PodParts): RunningPod => {
  const { spec } = pod;
  const policy = spec.restartPolicy ?? 'Always';
  const ending = new AbortController();
  const inits = new Map<string, RunningContainer>();
  const mains = new Map<string, RunningContainer>();
  const startTime = pod.status?.startTime ?? timestamp();
  let conditions = pod.status?.conditions ?? [];
  let initialised = (spec.initContainers ?? []).length === 0;
  let failedInit = false;

  const launch = (container: Pod['spec']['containers'][number], isInit: boolean): RunningContainer => {
    const statuses = isInit ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
    const before = statuses?.find(({ name }) => name === container.name);
    // An init container that succeeds is over, whatever the policy of the pod.
    const own = isInit && policy === 'Always' ? 'OnFailure' : policy;
    return runContainer({ container, pod, runtime, sources, policy: own, before, changed, tell });
  };

  const run = async (): Promise<void> => {
    if (startDelayMillis > 0 && !(await pause(startDelayMillis, ending.signal))) return;
    for (const container of spec.initContainers ?? []) {
      const running = launch(container, true);
      inits.set(container.name, running);
      failedInit = (await running.completed) !== 0;
      if (failedInit || ending.signal.aborted) return changed();
    }
    initialised = true;
    for (const container of spec.containers) mains.set(container.name, launch(container, false));
    changed();
  };
  const started = run();

  const phase = (statuses: readonly ContainerStatus[]): Phase =>
    failedInit ? 'Failed' : phaseOf(statuses, policy, initialised);

  return {
    status: () => {
      const containerStatuses = spec.containers.map(
        (container) =>
          mains.get(container.name)?.status() ??
          waiting(container, initialised ? 'ContainerCreating' : 'PodInitializing'),
      );
      const ready = containerStatuses.every((container) => container.ready) && !ending.signal.aborted;
      const done = phase(containerStatuses);
      const reason = done === 'Succeeded' ? 'PodCompleted' : 'ContainersNotReady';
      const said = ready ? {} : { reason };
      for (const [type, holds] of [
        ['PodScheduled', true],
        ['Initialized', initialised],
        ['ContainersReady', ready],
        ['Ready', ready],
      ] as const)
        conditions = withCondition(conditions, {
          type,
          status: holds ? 'True' : 'False',
          ...(type.endsWith('Ready') && said),
        });
      return {
        phase: done,
        conditions,
        hostIP: '127.0.0.1',
        podIP: '127.0.0.1',
        podIPs: [{ ip: '127.0.0.1' }],
        startTime,
        ...(inits.size > 0 && { initContainerStatuses: [...inits.values()].map((init) => init.status()) }),
        containerStatuses,
      };
    },
    end: async (graceMillis) => {
      const isFirst = !ending.signal.aborted;
      ending.abort();
      const sleep = Math.max(0, ...spec.containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0));
      const began = performance.now();
      if (isFirst && sleep > 0 && mains.size > 0)
        await pause(Math.min(sleep * 1_000, graceMillis), new AbortController().signal);
      const left = Math.max(0, graceMillis - (performance.now() - began));
      await Promise.all([...inits.values(), ...mains.values()].map((container) => container.end(left)));
      await started;
    },
  };
};
