import { describe, expect, it } from 'vitest'
import { parseGenesis } from '../../host/flows/chain/genesis.ts'
import type { ChainReads } from '../../host/index.ts'
import { configOf } from '../../service/node/rules_views.ts'
import { builtGenesis } from '../fixtures/built_chain.ts'

const GENESIS_TIME = 1_700_000_000
const file = JSON.parse(builtGenesis())
file.timestamp = `0x${GENESIS_TIME.toString(16)}`
for (const [n, fork] of ['cancun', 'prague', 'osaka'].entries())
  file.config[`${fork}Time`] = GENESIS_TIME + 1000 * (n + 1)
const { config, header } = parseGenesis(JSON.stringify(file))

/** Seconds after the genesis at which the rules of a head begin, the next ones, and the last ones; 0: the genesis. */
const beginnings = (seconds: number): readonly (number | undefined)[] => {
  const head = { hash: '', header: { ...header, number: 1n, timestamp: BigInt(GENESIS_TIME + seconds) } }
  const chain = { config, genesisHash: `0x${'11'.repeat(32)}`, head, block: () => ({ hash: '', header }) }
  const { current, next, last } = configOf(chain as unknown as ChainReads)
  return [current, next, last].map((rules) => {
    if (rules === undefined) return undefined
    const time = Number(rules.activationTime)
    return time === 0 ? 0 : time - GENESIS_TIME
  })
}

describe('the rules of the head, of the next change and of the last (EIP-7910)', () => {
  it.each<[number, readonly (number | undefined)[]]>([
    [0, [0, 1000, 3000]],
    [999, [0, 1000, 3000]],
    [1000, [1000, 2000, 3000]],
    [2999, [2000, 3000, 3000]],
    [3000, [3000, undefined, undefined]],
    [9000, [3000, undefined, undefined]],
  ])('%i seconds after the genesis are those of %j', (seconds, expected) => {
    expect(beginnings(seconds)).toStrictEqual(expected)
  })
})
