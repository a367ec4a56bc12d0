import { timestamp } from '../controllers/objects.ts';
import type { Container, ContainerState, ContainerStatus, Pod } from '../controllers/workloads.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import { ConfigError, environmentOf, expand, type KeySources } from './environment.ts';
import { pause } from './pause.ts';
import { runProbe } from './probe.ts';
import type { ContainerProcess, Exit } from './process.ts';

export interface ContainerParts {
  readonly container: Container;
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly sources: KeySources;
  readonly policy: 'Always' | 'OnFailure' | 'Never';
  /** Status that an earlier run of the laptop left; its process is gone. */
  readonly before: ContainerStatus | undefined;
  /** Called after every change of `status()`. */
  readonly changed: () => void;
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export interface RunningContainer {
  status(): ContainerStatus;
  /** Resolves with the exit code when the container is over for good; never for one that is restarted for ever. */
  readonly completed: Promise<number>;
  /** Ends the process; resolves when it is gone. */
  end(graceMillis: number): Promise<void>;
}

/** Pauses in milliseconds, doubled each time. A container that ran for `healthy` begins again with the first. */
const pauses = {
  restart: { first: 200, longest: 30_000, healthy: 10_000 },
  pull: { first: 500, longest: 30_000 },
  configure: { first: 250, longest: 5_000 },
} as const;

const doubled = ({ first, longest }: { first: number; longest: number }, times: number): number =>
  Math.min(first * 2 ** times, longest);

const terminated = ({ exitCode, signal }: Exit, startedAt: string): ContainerState => ({
  terminated: {
    exitCode,
    ...(signal !== undefined && { signal }),
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt,
    finishedAt: timestamp(),
  },
});

/** Nobody saw how a process ended that an earlier run of the laptop had started. */
const lost: ContainerState = {
  terminated: {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    finishedAt: timestamp(),
  },
};

const graceOf = ({ spec }: Pod): number => (spec.terminationGracePeriodSeconds ?? 30) * 1_000;

/** Runs one container of a pod and keeps it running as the pod's restart policy says. */
export const runContainer = (parts: ContainerParts): RunningContainer => {
  const { container, pod, runtime, sources, policy, before, changed, tell } = parts;
  const ending = new AbortController();
  const wasRunning = before?.state.running !== undefined;
  let state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  let lastState: ContainerState | undefined = wasRunning ? lost : before?.lastState;
  let restartCount = (before?.restartCount ?? 0) + (wasRunning ? 1 : 0);
  let started = false;
  let ready = false;
  let process_: ContainerProcess | undefined;
  let imageTries = 0;
  let crashes = 0;

  const set = (next: ContainerState): void => {
    state = next;
    changed();
  };

  const wait = (reason: string, message: string): void => {
    if (state.waiting?.reason !== reason || state.waiting.message !== message) set({ waiting: { reason, message } });
  };

  const pulled = async (): Promise<string | undefined> => {
    for (; !ending.signal.aborted; imageTries += 1) {
      const program = runtime.program(container.image);
      if (program !== undefined) {
        imageTries = 0;
        return program;
      }
      if (imageTries === 0) {
        const message = `Failed to pull image "${container.image}": not found: no program of that name runs on this laptop`;
        tell('Warning', 'Failed', message);
        wait('ErrImagePull', message);
      } else {
        const message = `Back-off pulling image "${container.image}"`;
        if (imageTries === 1) tell('Warning', 'BackOff', message);
        wait('ImagePullBackOff', message);
      }
      await pause(doubled(pauses.pull, imageTries), ending.signal);
    }
    return undefined;
  };

  const environment = async (): Promise<Record<string, string> | undefined> => {
    for (let tries = 0; !ending.signal.aborted; tries += 1) {
      try {
        return await environmentOf(container, pod, sources);
      } catch (error) {
        if (!(error instanceof ConfigError) && ending.signal.aborted) return undefined;
        const message = error instanceof Error ? error.message : String(error);
        if (tries === 0) tell('Warning', 'Failed', `Error: ${message}`);
        wait('CreateContainerConfigError', message);
        await pause(doubled(pauses.configure, tries), ending.signal);
      }
    }
    return undefined;
  };

  const probe = (running: ContainerProcess, signal: AbortSignal): void => {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    const target = { port: running.port, listening: running.listening, signal };
    const kill = (kind: string): void => {
      tell('Normal', 'Killing', `Container ${container.name} failed ${kind} probe, will be restarted`);
      void running.stop(graceOf(pod));
    };
    const complain = (kind: string) => (reason: string) =>
      tell('Warning', 'Unhealthy', `${kind} probe failed: ${reason}`);
    const decide = (isStarted: boolean, isReady: boolean): void => {
      if (signal.aborted || (started === isStarted && ready === isReady)) return;
      started = isStarted;
      ready = isReady;
      changed();
    };
    const begin = (): void => {
      decide(true, !readinessProbe);
      if (readinessProbe) {
        const judge = (healthy: boolean): void => decide(true, healthy);
        void runProbe({ ...target, probe: readinessProbe, judge, complain: complain('Readiness') });
      }
      if (livenessProbe) {
        const judge = (healthy: boolean): void => void (healthy || kill('liveness'));
        void runProbe({ ...target, probe: livenessProbe, judge, complain: complain('Liveness') });
      }
    };
    if (!startupProbe) {
      begin();
      return;
    }
    const startup = new AbortController();
    const judge = (healthy: boolean): void => {
      startup.abort();
      if (healthy) begin();
      else kill('startup');
    };
    const until = AbortSignal.any([signal, startup.signal]);
    void runProbe({ ...target, probe: startupProbe, signal: until, judge, complain: complain('Startup') });
  };

  const once = async (program: string, env: Record<string, string>): Promise<Exit> => {
    const startedAt = timestamp();
    const args = (container.args ?? []).map((arg) => expand(arg, env));
    const name = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
    const running = runtime.start(pod.metadata.uid, { program, args, env, name });
    process_ = running;
    tell('Normal', 'Started', `Started container ${container.name}`);
    set({ running: { startedAt } });
    const probing = new AbortController();
    probe(running, probing.signal);
    const exit = await running.ended;
    probing.abort();
    started = false;
    ready = false;
    process_ = undefined;
    set(terminated(exit, startedAt));
    return exit;
  };

  const run = async (): Promise<number> => {
    if (wasRunning && policy === 'Never') {
      set(lost);
      return 137;
    }
    for (;;) {
      const program = await pulled();
      if (container.command && !ending.signal.aborted) {
        wait('RunContainerError', 'a laptop runs the program of the image: leave `command` out and use `args`');
        await new Promise((over) => ending.signal.addEventListener('abort', over, { once: true }));
      }
      const env = program === undefined ? undefined : await environment();
      if (program === undefined || env === undefined || ending.signal.aborted) return 143;
      const began = performance.now();
      const exit = await once(program, env);
      if (ending.signal.aborted || policy === 'Never' || (policy === 'OnFailure' && exit.exitCode === 0))
        return exit.exitCode;
      if (performance.now() - began > pauses.restart.healthy) crashes = 0;
      const wanted = doubled(pauses.restart, crashes);
      crashes += 1;
      restartCount += 1;
      lastState = state;
      const message = `back-off ${wanted}ms restarting failed container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid})`;
      tell('Warning', 'BackOff', `Back-off restarting failed container ${container.name}`);
      wait('CrashLoopBackOff', message);
      await pause(wanted, ending.signal);
    }
  };

  // The runtime refuses to start anything once it is closed.
  const completed = run().catch((error: unknown) => {
    wait('RunContainerError', error instanceof Error ? error.message : String(error));
    return 128;
  });
  return {
    status: () => ({
      name: container.name,
      image: container.image,
      imageID: '',
      ready,
      started,
      restartCount,
      state,
      ...(lastState && { lastState }),
    }),
    completed,
    end: async (graceMillis) => {
      ending.abort();
      ready = false;
      await process_?.stop(graceMillis);
      await completed;
    },
  };
};
