import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { repairLines } from '../../cli/repair_progress.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

test('a repair is told at first, every five seconds and at its end, also a second one', () => {
  const lines: string[] = []
  const onRepair = repairLines({ write: (line) => lines.push(String(line)) > 0 })
  for (let repair = 0; repair < 2; repair++) {
    for (let made = 1; made <= 30; made++) {
      onRepair(made, 30)
      vi.advanceTimersByTime(1000)
    }
  }
  const told = [3, 20, 36, 53, 70, 86, 100].map((percent) => `the trie of the state is made anew: ${percent} %\n`)
  expect(lines.slice(0, 7)).toEqual(told)
  expect(lines.at(-1)).toBe('the trie of the state is made anew: 100 %\n')
  expect(lines.length).toBeLessThan(16)
})
