import { defineConfig } from 'vitest/config'

/** One worker: the device tests share one adapter and two cores. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    pool: 'forks',
  },
})
