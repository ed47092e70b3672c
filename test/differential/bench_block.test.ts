import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runBlockWorkload } from '../../bench/block/run.ts'
import { SignedChain } from '../../bench/block/signed_chain.ts'
import { type ExecutedSignedBlock, verifyRoots, verifySignedBlock } from '../../bench/block/verify_block.ts'
import { ANVIL_HINT, findAnvil } from '../../bench/peers/anvil_node.ts'
import { silentProgress } from '../../bench/report/progress.ts'
import { BLOCK_STAGES } from '../../bench/report/schema.ts'
import { WORKLOADS } from '../../bench/workloads/index.ts'
import type { BlockResult } from '../../host/flows/block.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'

const workloadOf = (name: string) => WORKLOADS.find((workload) => workload.name === name)!

const run = (name: string, native: boolean) =>
  runBlockWorkload(workloadOf(name), {
    device: undefined,
    fork: 'prague',
    tiers: {},
    size: 24,
    samples: 1,
    seed: 3,
    native,
    budgetMs: 1,
    progress: silentProgress,
  })

describe('wgevm bench --level block', () => {
  test.each(['transfers', 'erc20', 'mixed'])(
    'runs %s with cold senders, with known ones and as a stream',
    async (name) => {
      const rows = await run(name, false)
      expect(rows.map(({ form }) => form)).toEqual(['cold', 'known', 'stream'])
      for (const { form, stagesMs, samplesMs, verifiedCount, txCount, peers } of rows) {
        expect([verifiedCount, txCount, peers[0]!.txCount]).toEqual([24, 24, 24])
        const sum = BLOCK_STAGES.reduce((total, stage) => total + (stagesMs[stage] ?? 0), 0)
        // Those of a stream overlap.
        if (form !== 'stream') expect(sum).toBeLessThanOrEqual(samplesMs[0]!)
        for (const stage of ['decode', 'senders', 'receipts', 'roots'] as const)
          expect(stagesMs[stage]).toBeGreaterThan(0)
      }
    },
  )

  test.skipIf(findAnvil() === undefined)(`anvil mines the same block (needs anvil: ${ANVIL_HINT})`, async () => {
    const [row] = await run('erc20', true)
    expect(row!.peers.map(({ name }) => name.split(' ')[0])).toEqual(['@ethereumjs/vm', 'anvil'])
  })
})

describe('the verification of a signed block', () => {
  let executed: ExecutedSignedBlock
  let chain: SignedChain
  beforeAll(async () => {
    chain = await SignedChain.open(workloadOf('erc20'), { fork: 'prague', size: 24, seed: 3, blocks: 1, executor: {} })
    const signed = await chain.next()
    const after = chain.genesis.clone()
    const { fork, chainId } = chain.scenario
    const executor = createExecutor({ fork, chainId, state: after, workers: 0 })
    const parentState = createStateTrie(after.dump())
    const result = await executor.executeBlock(signed.block, { parent: signed.parent, parentState })
    executor.close()
    executed = { scenario: chain.scenario, shares: 'nothing', signed, result, before: chain.genesis, after }
  })
  afterAll(() => chain.close())

  const OTHER = `0x${'5a'.repeat(32)}`
  const withResult = (changes: Partial<BlockResult>): ExecutedSignedBlock => ({
    ...executed,
    result: { ...executed.result, ...changes },
  })

  test('passes', async () => {
    expect(await verifySignedBlock(executed, 1)).toBe(24)
    await verifyRoots(executed)
  })

  test.each(['transactionsRoot', 'receiptsRoot', 'stateRoot'] as const)('finds another %s', async (field) => {
    const message = new RegExp(`${field} is ${OTHER}, the header says`)
    await expect(verifySignedBlock(withResult({ [field]: OTHER }), 1)).rejects.toThrow(message)
    const { signed } = executed
    const block = { ...signed.block, header: { ...signed.block.header, [field]: OTHER } }
    const wrong = { ...executed, signed: { ...signed, block } }
    await expect(verifyRoots(wrong)).rejects.toThrow(new RegExp(`${field} is ${OTHER}, made anew it is 0x`))
  })

  test('finds a sender that is not the one who signed', async () => {
    const { signed } = executed
    const from = signed.work.transactions.from.slice()
    from[7] = from[7]! ^ 1
    const work = { ...signed.work, transactions: { ...signed.work.transactions, from } }
    await expect(verifySignedBlock({ ...executed, signed: { ...signed, work } }, 1)).rejects.toThrow(
      /^(balance|nonce) of 0x/,
    )
  })
})
