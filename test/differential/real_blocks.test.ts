import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sealFixture } from '../../bench/block/fixture_block.ts'
import { runRealBlocks } from '../../bench/block/real_blocks.ts'
import { decodeBlock } from '../../host/chain/decode_block.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'

const FOLDER = '../shared/data/blocks'
const fileOf = (number: number): string => `${FOLDER}/mainnet-${number}.json.gz`

// Rewards and post states; receipts by status; blobs and withdrawals.
const NUMBERS = [930196, 6137495, 19923400]

test.skipIf(!existsSync(FOLDER))(`real blocks have the roots that runBlock makes (${FOLDER})`, async () => {
  const said: string[] = []
  const report = await runRealBlocks({
    files: NUMBERS.map(fileOf),
    samples: 1,
    step: () => {},
    onBlock: ({ block }) => said.push(block),
  })
  expect(report.notRun).toEqual([])
  expect(said).toEqual(NUMBERS.map((number) => `mainnet-${number}`))
  for (const { txCount, medianMs, peerMedianMs, ratio } of report.blocks) {
    expect(txCount).toBeGreaterThan(0)
    expect(ratio).toBeCloseTo(peerMedianMs / medianMs)
  }
})

test.skipIf(!existsSync(FOLDER))('a block without signatures is not run, and says so', async () => {
  const report = await runRealBlocks({
    files: [fileOf(25323281)],
    adapter: 'none',
    samples: 1,
    step: () => {},
    onBlock: () => {},
  })
  expect(report.blocks).toEqual([])
  expect(report.notRun).toHaveLength(1)
  expect(report.notRun[0]).toMatchObject({ cause: 'file', reason: expect.stringContaining('signatures') })
})

test.skipIf(!existsSync(FOLDER))('a root that is not that of the header stops a sealed block', async () => {
  const { fixture, rlp, state } = await sealFixture(fileOf(19426587))
  const { header, ...body } = decodeBlock(rlp)
  const executor = createExecutor({ fork: fixture.fork, chainId: fixture.chainId, state })
  const block = { ...body, header: { ...header, stateRoot: `0x${'1'.repeat(64)}` } }
  await expect(executor.executeBlock(block, { parentState: createStateTrie(state.dump()) })).rejects.toThrow(
    'stateRoot',
  )
  executor.close()
})
