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
      // Of all tests but the journeys, most of which have the server in a process of its own, where nothing is counted.
      thresholds: { statements: 85, branches: 79, functions: 86, lines: 86 },
    },
  },
})
