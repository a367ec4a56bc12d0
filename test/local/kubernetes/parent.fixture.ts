import { createPodRuntime } from '../../../local/kubernetes/pod-runtime.ts';

// A laptop with one pod, whose program does not listen for the end of its parent.
const program = process.argv[2] ?? '';
const runtime = createPodRuntime({ images: () => new Map([['app:1', program]]), log: () => undefined });
const { pid, listening } = runtime.start('uid', { program, args: [], env: {}, name: 'app' });
await listening;
process.send?.({ pid });
