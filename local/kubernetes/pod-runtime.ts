import { type ContainerProcess, type ProcessOptions, startProcess } from './pod-runtime/process.ts';

/** Runs the containers of all clusters of a laptop as processes. */
export interface PodRuntime {
  /** The program of an image; undefined for an image that nobody can pull here. */
  program(image: string): string | undefined;
  start(podUid: string, options: Omit<ProcessOptions, 'log'> & { readonly name: string }): ContainerProcess;
  /** Where the pod listens now; undefined before that, while it ends and after. */
  port(podUid: string): number | undefined;
  /** Process ids of what runs for the pod. */
  pids(podUid: string): number[];
  /** Ends every process, with at most 5 s of grace. */
  close(): Promise<void>;
}

export interface PodRuntimeOptions {
  /** Image -> program file; asked at every start, so it may grow. An image without a program is unknown. */
  readonly images: () => ReadonlyMap<string, string>;
  readonly log: (line: string) => void;
}

const patience = 5_000;

/** A runtime without isolation: a pod is a child process of ours with the environment of its container and nothing of ours. */
export const createPodRuntime = ({ images, log }: PodRuntimeOptions): PodRuntime => {
  const running = new Map<string, Set<ContainerProcess>>();
  let closed = false;
  const of = (podUid: string): ContainerProcess[] => [...(running.get(podUid) ?? [])];
  return {
    program: (image) => images().get(image),
    start: (podUid, { name, ...options }) => {
      if (closed) throw new Error(`The pod runtime is closed; ${name} is not started.`);
      const process_ = startProcess({ ...options, log: (line) => log(`${name}: ${line}`) });
      const processes = running.get(podUid) ?? new Set();
      running.set(podUid, processes.add(process_));
      void process_.ended.then(() => {
        processes.delete(process_);
        if (processes.size === 0 && running.get(podUid) === processes) running.delete(podUid);
      });
      return process_;
    },
    port: (podUid) => {
      for (const process_ of running.get(podUid) ?? []) {
        const port = process_.port();
        if (port !== undefined) return port;
      }
      return undefined;
    },
    pids: (podUid) => of(podUid).flatMap(({ pid }) => pid ?? []),
    close: async () => {
      closed = true;
      await Promise.all([...running.keys()].flatMap(of).map((process_) => process_.stop(patience)));
    },
  };
};
