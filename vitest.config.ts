import { accessSync, constants, statfsSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';

const gigabyte = 2 ** 30;

/**
 * Where the clouds of the tests live. A cloud makes and removes thousands of files, and ext4 looks at every inode that was freed
 * lately before it hands one out: a cloud started in 4.0 s there and in 2.0 s in memory. The suite has 0.8 GB at once.
 */
const scratch = ((): string => {
  const memory = '/dev/shm';
  try {
    accessSync(memory, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize > 4 * gigabyte && totalmem() > 12 * gigabyte ? memory : tmpdir();
  } catch {
    return tmpdir();
  }
})();

/** For every process below this one, the workers and the commands that they run: a fifth of the time of test/cli (67 s, 54 s). */
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules', '.cache', 'tenantry', 'compiled');

/** The proofs take many minutes and show for all what the tests show for some: `npm run test:proofs`. */
const proofs = 'test/proofs/**/*.test.ts';

export default defineConfig({
  test: {
    include: process.env.TENANTRY_PROOFS ? [proofs] : ['test/**/*.test.ts'],
    exclude: process.env.TENANTRY_PROOFS ? configDefaults.exclude : [...configDefaults.exclude, proofs],
    globalSetup: ['test/bundles.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A second, which is the standard, is less than a step takes on a machine that does ten other things.
    expect: { poll: { timeout: 15_000 } },
    pool: 'forks',
    // One more than the cores of a small machine: most of the time a test waits for PostgreSQL or for a retry.
    maxWorkers: 3,
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT', TMPDIR: scratch },
  },
});
