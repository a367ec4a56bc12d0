import { configDefaults, defineConfig } from 'vitest/config';

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
    // CI shares its machine: what fails there once and then passes is shown as flaky, what fails twice fails.
    retry: process.env.CI ? 1 : 0,
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT' },
  },
});
