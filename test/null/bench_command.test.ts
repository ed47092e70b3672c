import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chooseSize, LARGEST_SIZE, SMALLEST_SIZE } from '../../bench/calibrate.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import { chooseWorkloads, parseFork, parseLevel, parsePeers } from '../../cli/commands/bench.ts'
import { UserError } from '../../cli/fail.ts'
import { checkResultPath, parseWhole } from '../../cli/result_file.ts'

/** The list, in words that users type. */
const PROMISED = [
  ...['transfers', 'erc20', 'erc20-hot-sender', 'erc20-hot-recipient', 'erc20-zipf', 'usdt', 'usdc-proxy', 'weth'],
  ...['uniswap-v2', 'mixed', 'conflict-0', 'conflict-10', 'conflict-35', 'conflict-50', 'conflict-90'],
]

const names = (asked: readonly string[]) => chooseWorkloads(asked, WORKLOADS).map(({ name }) => name)

describe('the workloads of wgevm bench', () => {
  test('hold every promised name once, each with a title of one line', () => {
    const known = WORKLOADS.map(({ name }) => name)
    for (const name of PROMISED) expect(known).toContain(name)
    expect(new Set(known).size).toBe(known.length)
    for (const { title } of WORKLOADS) expect(title).toMatch(/^[^\n]{10,110}$/)
  })

  test('are those that were named, in that order, each once', () => {
    expect(names(['weth', 'erc20', 'weth'])).toEqual(['weth', 'erc20'])
  })

  test('are all of them for `all`, and a choice that holds erc20 for none', () => {
    expect(names(['all'])).toHaveLength(WORKLOADS.length)
    expect(names([])).toContain('erc20')
    expect(names([]).length).toBeLessThan(WORKLOADS.length)
    const ofBlocks = chooseWorkloads([], WORKLOADS, 'block').map(({ name }) => name)
    expect(ofBlocks).toEqual(['transfers', 'erc20', 'mixed', 'uniswap-v2'])
  })
})

describe('bad input to wgevm bench', () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ['an unknown workload', () => names(['erc21']), "unknown workload 'erc21'; there is transfers, erc20, "],
    ['a size that is no number', () => parseWhole('size', 'abc', 1, 9), '--size takes a whole number from 1 to 9'],
    ['a size of zero', () => parseWhole('size', '0', 1, 9), "got '0'"],
    ['a size above the largest', () => parseWhole('size', '10', 1, 9), "got '10'"],
    ['half a sample', () => parseWhole('samples', '1.5', 1, 9), '--samples takes a whole number'],
    ['a negative seed', () => parseWhole('seed', '-1', 0, 9), '--seed takes'],
    ['a number in exponent form', () => parseWhole('size', '1e1', 1, 99), "got '1e1'"],
    ['no number at all', () => parseWhole('size', '', 1, 9), "got ''"],
    ['an unknown peer', () => parsePeers('revm,geth'), "unknown peer 'geth'; there is revm"],
    [
      'the peer of another level',
      () => parsePeers('revm', 'block'),
      "unknown peer 'revm'; there is anvil at level block",
    ],
    ['an unknown level', () => parseLevel('blocks', undefined), "--level takes execute or block, got 'blocks'"],
    [
      'a level that the earlier run had not',
      () => parseLevel('block', 'execute'),
      'the earlier run is of level execute',
    ],
    ['an empty list of peers', () => parsePeers(''), "unknown peer ''"],
    ['an unknown fork', () => parseFork('tokyo', 'cancun'), "--fork takes cancun, prague, osaka; got 'tokyo'"],
    ['a fork older than the contracts', () => parseFork('london', 'cancun'), '--fork takes cancun, prague, osaka'],
    ['a result file without a name', () => checkResultPath(''), '--json takes a file name'],
    ['a result file in no folder', () => checkResultPath('/no/such/place/r.json'), 'there is no folder /no/such/place'],
    ['a folder as the result file', () => checkResultPath(tmpdir()), 'is a folder; name a file'],
  ]
  test.each(cases)('%s is refused in one line', (_, act, message) => {
    expect(act).toThrow(UserError)
    expect(act).toThrow(message)
    expect(act).not.toThrow('\n')
  })

  test('does not refuse good input', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wgevm-test-'))
    expect(() => checkResultPath(join(folder, 'r.json'))).not.toThrow()
    rmSync(folder, { recursive: true })
    expect(parseWhole('size', '9', 1, 9)).toBe(9)
    expect(parsePeers(undefined)).toEqual([])
    expect(parsePeers('revm')).toEqual(['revm'])
    expect(parseFork('prague', 'cancun')).toBe('prague')
    expect([parseLevel(undefined, undefined), parseLevel(undefined, 'block')]).toEqual(['execute', 'block'])
    expect([parseLevel('block', undefined), parseLevel('block', 'block')]).toEqual(['block', 'block'])
  })
})

describe('the size that a probe leads to', () => {
  const probe = { size: 1000, buildMs: 10, blockMs: 100 }

  test('is the largest power of two whose build and blocks fit the time', () => {
    // 0.01 + 4 * 0.1 ms per transaction: 8192 take 3358.72 ms.
    expect(chooseSize(probe, 4, 3358, 1)).toBe(4096)
    expect(chooseSize(probe, 4, 3359, 1)).toBe(8192)
  })

  test('stays between the smallest and the largest', () => {
    expect(chooseSize(probe, 4, 1, 1)).toBe(SMALLEST_SIZE)
    expect(chooseSize(probe, 4, 1e9, 1)).toBe(LARGEST_SIZE)
  })

  test('counts on a device to be faster with more lanes', () => {
    expect(chooseSize(probe, 4, 3359, 4)).toBeGreaterThan(chooseSize(probe, 4, 3359, 1))
  })
})
