import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common'
import { createLegacyTx } from '@ethereumjs/tx'
import { createAddressFromPrivateKey } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import { type Chain, type DecodedBlock, decodeBlock, openChain, parseGenesis } from '../../host/index.ts'

/** A header with a body that it does not name. The hash of a block is that of its header alone. */
const KEY = new Uint8Array(32).fill(1)
const ALICE = createAddressFromPrivateKey(KEY).toString()
const FORKS = ['homestead', 'eip150', 'eip155', 'eip158', 'byzantium', 'constantinople', 'petersburg', 'istanbul']
const STARTS = Object.fromEntries([...FORKS, 'berlin', 'london'].map((fork) => [`${fork}Block`, 0]))

const genesisOf = (more: Readonly<Record<string, number>>) =>
  parseGenesis(
    JSON.stringify({
      config: { chainId: 7, ...STARTS, terminalTotalDifficulty: 0, ...more },
      difficulty: '0x0',
      gasLimit: '0x1c9c380',
      baseFeePerGas: '0x7',
      alloc: { [ALICE]: { balance: '0xde0b6b3a7640000' } },
    }),
  )

const SHANGHAI = genesisOf({ shanghaiTime: 0 })
const PARIS = genesisOf({})

const common = createCustomCommon({ chainId: 7 }, Mainnet, { hardfork: Hardfork.Shanghai })
const payment = (nonce: number): Uint8Array =>
  createLegacyTx({ nonce, gasPrice: 100, gasLimit: 21_000, to: ALICE, value: 1 }, { common }).sign(KEY).serialize()

const withChain = async <Result>(genesis: typeof PARIS, work: (chain: Chain) => Promise<Result>): Promise<Result> => {
  const path = mkdtempSync(join(tmpdir(), 'wrong-bodies-'))
  const chain = await openChain({ path, genesis, executor: { workers: 0 } })
  try {
    return await work(chain)
  } finally {
    await chain.close()
    rmSync(path, { recursive: true })
  }
}

/** The bytes of a block with one payment. */
const built = (genesis: typeof PARIS): Promise<Uint8Array> =>
  withChain(genesis, async (chain) => {
    const withdrawals = genesis === SHANGHAI ? { withdrawals: [] } : {}
    const attributes = { timestamp: 12n, coinbase: ALICE, prevRandao: `0x${'00'.repeat(32)}`, ...withdrawals }
    const { hash } = await chain.build({ attributes, pool: [payment(0)] })
    return chain.blockBytes(hash)!
  })

const withoutList = ({ withdrawals: _, ...block }: DecodedBlock): DecodedBlock => block
const gift = { index: 0n, validatorIndex: 0n, address: ALICE, amount: 1n }

describe('a body that its header does not name', () => {
  it.each<[string, (block: DecodedBlock) => DecodedBlock]>([
    ['another transaction', (block) => ({ ...block, transactions: [payment(1)] })],
    ['no transaction', (block) => ({ ...block, transactions: [] })],
    ['bytes that are none', (block) => ({ ...block, transactions: [Uint8Array.of(1)] })],
    ['an uncle', (block) => ({ ...block, uncles: [block.header] })],
    ['a withdrawal', (block) => ({ ...block, withdrawals: [gift] })],
    ['no list of withdrawals', withoutList],
  ])('%s: is refused, and says nothing of the block with this hash', async (_, wrong) => {
    const bytes = await built(SHANGHAI)
    await withChain(SHANGHAI, async (chain) => {
      const block = decodeBlock(bytes)
      expect(await chain.addBlock(wrong(block))).toMatchObject({
        status: 'invalid',
        latestValid: { hash: chain.genesisHash },
      })
      const right = await chain.addBlock(bytes)
      expect(right.status).toBe('valid')
      expect(chain.blockBytes(right.hash)).toEqual(bytes)
    })
  })

  it('a list of withdrawals before shanghai is refused, even an empty one', async () => {
    const bytes = await built(PARIS)
    await withChain(PARIS, async (chain) => {
      const wrong = await chain.addBlock({ ...decodeBlock(bytes), withdrawals: [] })
      expect(wrong).toMatchObject({ status: 'invalid', reason: expect.stringContaining('withdrawals') })
      await expect(chain.import({ ...decodeBlock(bytes), withdrawals: [] })).rejects.toThrow('withdrawals')
      expect((await chain.addBlock(bytes)).status).toBe('valid')
    })
  })

  it('withdrawals before shanghai are refused where a block is built, which could not hold them', async () => {
    await withChain(PARIS, async (chain) => {
      const attributes = { timestamp: 12n, coinbase: ALICE, prevRandao: `0x${'00'.repeat(32)}` }
      const wrong = { attributes: { ...attributes, withdrawals: [gift] }, pool: [] }
      await expect(chain.build(wrong)).rejects.toMatchObject({ name: 'BlockError', field: 'withdrawals' })
      const { hash, block } = await chain.build({ attributes: { ...attributes, withdrawals: [] }, pool: [] })
      expect(block.header.stateRoot).toBe(chain.head.header.stateRoot)
      expect(decodeBlock(chain.blockBytes(hash)!).withdrawals).toBeUndefined()
    })
  })

  it('a fault of the block itself is remembered, and refuses those after it', async () => {
    const bytes = await built(SHANGHAI)
    await withChain(SHANGHAI, async (chain) => {
      const block = decodeBlock(bytes)
      const wrong = await chain.addBlock({ ...block, header: { ...block.header, gasUsed: 21_001n } })
      expect(wrong.status).toBe('invalid')
      const after = { ...block.header, parentHash: wrong.hash, number: 2n, timestamp: 24n }
      expect(await chain.addBlock({ ...block, header: after })).toMatchObject({
        status: 'invalid',
        latestValid: { hash: chain.genesisHash },
      })
    })
  })
})
