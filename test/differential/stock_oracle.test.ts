import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { batchDifference, fixtureDifference } from '../../bench/stock_oracle.ts'
import { readBlockFixture } from '../../conformance/block_fixture.ts'
import type { TransactionObject } from '../../host/index.ts'
import { BATCH_CONTRACTS } from '../fixtures/batch_contracts.ts'
import { BATCH_ENV, batchState, randomBatch, sender, word } from '../fixtures/batch_world.ts'

const fileAt = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Calls of precompile 10 (EIP-4844) with the polynomial 0, whose commitment and proof are infinity: its value is 0. */
const pointEvaluations = (): TransactionObject[] => {
  const infinity = `c0${'00'.repeat(47)}`
  const hash = `01${createHash('sha256').update(Buffer.from(infinity, 'hex')).digest('hex').slice(2)}`
  return [0n, 1n].map((value, n) => ({
    from: sender(n),
    to: `0x${'00'.repeat(19)}0a`,
    nonce: 0n,
    gasLimit: 200_000n,
    gasPrice: 10n,
    data: `0x${hash}${word(5n).slice(2)}${word(value).slice(2)}${infinity}${infinity}`,
  }))
}

/** `npx tsx scripts/stock_oracle.ts` compares real blocks and block tests. */
test('@ethereumjs/vm with its own cryptography agrees with the oracle of the tests and with the product', async () => {
  for (const file of ['examples/data/mainnet-1150000.json.gz', 'test/file/blocks/made_up.json'])
    expect(await fixtureDifference(readBlockFixture(fileAt(file))), file).toBeUndefined()
  const common = { fork: 'osaka', chainId: 1n, env: BATCH_ENV, state: batchState() } as const
  expect(await batchDifference({ ...common, transactions: pointEvaluations() }), 'point evaluation').toBeUndefined()
  const focus = BATCH_CONTRACTS.filter(({ name }) => name === 'precompiler' || name === 'hasher')
  for (let seed = 1; seed <= 4; seed++) {
    const transactions = randomBatch(seed, common.state, { ...common, focus, most: 40 })
    expect(await batchDifference({ ...common, transactions }), `random batch ${seed}`).toBeUndefined()
  }
})
