import { describe, expect, test } from 'vitest'
import { PATIENCE } from '../../host/batch/patience.ts'
import type { Retry } from '../../host/batch/retry.ts'
import { RoundPacer } from '../../host/settle/pacer.ts'

const round = (count: number, savesUs = 0, costUs = 0): Retry => ({
  count,
  savesUs,
  costUs,
  add() {},
  run: () => Promise.resolve(true),
})

/** Conflicts that are left to their places from now on, at most so many. */
const passed = (pacer: RoundPacer, most = 5_000): number => {
  let count = 0
  while (count < most && pacer.passes()) count++
  return count
}

describe('the pacer of rounds', () => {
  test('runs a round that saves more than it costs, and not one that saves as much', () => {
    const pacer = new RoundPacer(false)
    expect([pacer.pays(round(100, 11, 10)), pacer.pays(round(100, 10, 10))]).toEqual([true, false])
  })

  test('calls a round paid by what those saved that hold after it', () => {
    const pacer = new RoundPacer(false)
    expect(pacer.paid(round(100, 50, 10), round(80, 39))).toBe(true)
    expect(pacer.paid(round(100, 50, 10), round(80, 40))).toBe(false)
  })

  test('runs rounds of two or more whatever they cost where it is to, as long as each halves those left', () => {
    const pacer = new RoundPacer(true)
    expect([pacer.pays(round(1, 9, 0)), pacer.pays(round(PATIENCE.leastStale, 0, 9))]).toEqual([false, true])
    expect([pacer.paid(round(10), round(5)), pacer.paid(round(10), round(6))]).toEqual([true, false])
  })

  test('looks again ever more rarely after rounds in vain', () => {
    const pacer = new RoundPacer(false)
    const pauses = [1, 2, 3].map(() => {
      pacer.afterVain()
      return passed(pacer)
    })
    expect(pauses).toEqual([
      PATIENCE.pause,
      PATIENCE.pause * PATIENCE.pauseGrowth,
      PATIENCE.pause * PATIENCE.pauseGrowth ** 2,
    ])
  })

  test('leaves those to their places for which no round pays, and some more', () => {
    const pacer = new RoundPacer(false)
    pacer.afterNone(7)
    expect(passed(pacer)).toBe(7 + PATIENCE.pause)
    expect(pacer.passes()).toBe(false)
  })

  test('ends with the last round of a batch, and where nothing is left to run again', () => {
    const counted = new RoundPacer(false)
    counted.rounds = PATIENCE.rounds - 1
    expect([counted.isDone, counted.passes()]).toEqual([false, false])
    counted.rounds++
    expect([counted.isDone, passed(counted)]).toEqual([true, 5_000])
    const ended = new RoundPacer(true)
    ended.end()
    expect([ended.isDone, passed(ended)]).toEqual([true, 5_000])
  })
})
