import { once } from 'node:events';
import { startS3 } from './laptop-s3.ts';

// A process of its own, for tests that kill it or weigh it: `node s3-process.ts <directory>` tells its endpoint, then
// answers every line on its input with its resident memory in MiB, after collecting garbage where it may.
const s3 = await startS3({ directory: process.argv[2]! });
process.stdout.write(`${s3.endpoint}\n`);
const weigh = async (): Promise<void> => {
  for await (const _ of process.stdin) {
    globalThis.gc?.();
    process.stdout.write(`${process.memoryUsage().rss / 2 ** 20}\n`);
  }
};
await Promise.race([weigh(), once(process, 'SIGTERM')]);
await s3.stop();
// Its input, still open, would keep the process alive.
process.exit(0);
