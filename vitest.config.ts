import { defineConfig } from 'vitest/config'

const limits = { testTimeout: 300_000, hookTimeout: 120_000, pool: 'forks' } as const

/** Null tests first, on all cores and without a process of their own: they share no device. Then the others. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...limits,
          name: 'null',
          include: ['test/null/**/*.test.ts'],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...limits,
          name: 'device',
          include: ['test/**/*.test.ts'],
          exclude: ['test/null/**'],
          // Two workers: a kernel compiles on one core, and a dispatch takes all of them.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
