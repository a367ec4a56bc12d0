import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/bundles.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than the cores of a small machine: most of the time a test waits for PostgreSQL or for a retry.
    maxWorkers: 3,
    // CI shares its machine: what fails there once and then passes is shown as flaky, what fails twice fails.
    retry: process.env.CI ? 1 : 0,
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT' },
  },
});
