import { availableParallelism } from 'node:os'

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/needs.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A new process for each file would spend a third of the time on loading the same modules again; what a test changes
    // in its process it puts back (onTestFinished).
    isolate: false,
    // Most tests wait for processes: a worker for each processor would leave a third of them idle.
    maxWorkers: availableParallelism() + 1,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary'],
      // Of the tests that CI counts, see .ci/run; all of them together cover more.
      thresholds: { statements: 81, branches: 73, functions: 81, lines: 82 },
    },
  },
})
