import { describe, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { SLOW_STATE_TESTS, stateTestFolders } from '../fixtures/state_test_sample.ts'
import { runStateTestCase, stateTestCases } from '../fixtures/t8n_state_test.ts'

/** Fixed; `scripts/t8n_state_tests.ts` runs all of them. */
const SEED = 17
const CASES = 32

const folders = stateTestFolders()

describe.skipIf(folders.size === 0)(
  'state tests as t8n cases (skipped where ../shared/data/state-tests is absent)',
  () => {
    test(`${CASES} of as many folders give root, logs and rejection of the test`, async () => {
      const random = createRandom(SEED, 't8n')
      const names = [...folders.keys()].filter((name) => !SLOW_STATE_TESTS.test(name)).sort()
      let rejected = 0
      for (let n = 0; n < CASES; n++) {
        const files = folders.get(names[random.below(names.length)]!)!
        const { path, bytes } = files[random.below(files.length)]!
        const cases = stateTestCases(path, new TextDecoder().decode(bytes))
        const one = cases[random.below(cases.length)]!
        expect(await runStateTestCase(one), one.title).toBeUndefined()
        if (one.expected.expectException !== undefined) rejected++
      }
      expect(rejected).toBeGreaterThan(0)
    })

    test('of which one fails where another root, other logs or a rejection is expected', async () => {
      const [path, bytes] = [...folders.values()].flat().map((file) => [file.path, file.bytes] as const)[0]!
      const [one] = stateTestCases(path, new TextDecoder().decode(bytes))
      const { expected } = one!
      const zero = `0x${'0'.repeat(64)}`
      expect(await runStateTestCase({ ...one!, expected: { ...expected, hash: zero } })).toMatch(/^state root/)
      expect(await runStateTestCase({ ...one!, expected: { ...expected, logs: zero } })).toMatch(/^logs hash/)
      const { expectException, ...others } = expected
      const flipped = expectException === undefined ? { ...others, expectException: 'x' } : others
      expect(await runStateTestCase({ ...one!, expected: flipped })).toMatch(/^rejected/)
    })
  },
)
