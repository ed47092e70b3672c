import { describe, expect, test } from 'vitest'
import { PATIENCE } from '../../host/batch/patience.ts'
import type { Retry } from '../../host/batch/retry.ts'
import { RoundPacer, type Stale } from '../../host/settle/pacer.ts'

/** Stale transactions of which `count` may run at once; `empty`: what a round costs at least. */
const stale = (
  count: number,
  savesUs = 0,
  costUs = 0,
  { again = 0, widths = [count], emptyUs = costUs } = {},
): Stale => {
  const retry: Retry = { count, savesUs, costUs, add() {}, run: () => Promise.resolve(true) }
  return { retry, emptyUs, count: widths.reduce((sum, width) => sum + width, 0), again, widths }
}

/** Conflicts that are left to their places from now on, at most so many. */
const passed = (pacer: RoundPacer, most = 5_000): number => {
  let count = 0
  while (count < most && pacer.passes()) count++
  return count
}

describe('the pacer of rounds', () => {
  test('runs a round that saves more than it costs, and not one that saves as much', () => {
    const pacer = new RoundPacer(false)
    expect([pacer.pays(stale(100, 11, 10)), pacer.pays(stale(100, 10, 10))]).toEqual([true, false])
  })

  test('counts in what waits for the round, up to the round that pays', () => {
    const pacer = new RoundPacer(false)
    const first = (...widths: number[]) => pacer.pays(stale(1, 3, 11, { widths: [1, ...widths], emptyUs: 10 }))
    // Each saves 2 us, each round takes 10.
    expect([first(), first(9), first(10), first(4, 10), first(4, 11)]).toEqual([false, false, true, false, true])
    expect(pacer.pays(stale(0, 0, 10, { widths: [0, 100] }))).toBe(false)
  })

  test('does not count rounds that the batch has no more', () => {
    const pacer = new RoundPacer(false)
    pacer.rounds = PATIENCE.rounds - 1
    expect(pacer.pays(stale(1, 3, 11, { widths: [1, 100], emptyUs: 10 }))).toBe(false)
    pacer.rounds--
    expect(pacer.pays(stale(1, 3, 11, { widths: [1, 100], emptyUs: 10 }))).toBe(true)
  })

  test('calls a round paid by what those saved that hold after it, whatever waited for it', () => {
    const pacer = new RoundPacer(false)
    expect(pacer.paid(stale(100, 50, 10), stale(90, 45, 9, { again: 79 }))).toBe(true)
    expect(pacer.paid(stale(100, 50, 10), stale(90, 45, 9, { again: 80 }))).toBe(false)
  })

  test('calls one that was run for those after it paid where half of it holds', () => {
    const pacer = new RoundPacer(false)
    expect(pacer.paid(stale(4, 5, 10), stale(90, 45, 9, { again: 2 }))).toBe(true)
    expect(pacer.paid(stale(4, 5, 10), stale(90, 45, 9, { again: 3 }))).toBe(false)
  })

  test('runs rounds of two or more whatever they cost where it is to, as long as each halves those left', () => {
    const pacer = new RoundPacer(true)
    expect([pacer.pays(stale(1, 9, 0)), pacer.pays(stale(PATIENCE.leastStale, 0, 9))]).toEqual([false, true])
    expect([pacer.paid(stale(10), stale(5)), pacer.paid(stale(10), stale(6))]).toEqual([true, false])
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
