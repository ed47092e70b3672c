import { describe, expect, test } from 'vitest'
import { type BlockHeader, headerHash } from '../../host/chain/header.ts'
import { extraDataFault, extraDataOf, opNextBaseFee } from '../../host/chain/op/base_fee.ts'
import { CREATE2_DEPLOYER_CODE } from '../../host/chain/op/create2_deployer.ts'
import { type OpChain, opForkAt, opRulesAt, readOpChain } from '../../host/chain/op/op_chain.ts'
import { evmForkOf, OP_FORKS, type OpFork } from '../../host/chain/op/op_forks.ts'
import { activatedFork, checkForkOf, isFirstOfCanyon, opHeaderFault } from '../../host/chain/op/op_header.ts'
import { type OpPayloadAttributes, opPayloadId } from '../../host/chain/op/payload_id.ts'
import { NO_REQUESTS_HASH } from '../../host/chain/requests.ts'
import { createExecutor, genesisHeader, MemoryState } from '../../host/index.ts'
import { Precompiles } from '../../host/precompiles/precompiles.ts'
import { EMPTY_TRIE_ROOT, keccak256Hex } from '../../host/primitives/keccak.ts'
import { ATTRIBUTES_DEPOSIT } from '../fixtures/op_vectors.ts'

/** Each fork ten seconds after the one before it. */
const CHAIN: OpChain = {
  kind: 'op',
  forks: OP_FORKS.map((fork, n) => ({ fork, timestamp: BigInt(10 * n) })),
  baseFee: { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n },
}
const timeOf = (fork: OpFork): bigint => BigInt(10 * OP_FORKS.indexOf(fork))

describe('the chain', () => {
  test('is at the last fork whose time has come', () => {
    expect(opForkAt(CHAIN, 0n)).toBe('bedrock')
    for (const fork of OP_FORKS) {
      expect(opForkAt(CHAIN, timeOf(fork))).toBe(fork)
      expect(opForkAt(CHAIN, timeOf(fork) + 9n)).toBe(fork)
    }
  })

  test('is read from a rollup configuration and from a genesis file', () => {
    const numbers = { eip1559Elasticity: 6, eip1559Denominator: 50, eip1559DenominatorCanyon: 250 }
    const rollup = readOpChain({ canyon_time: 5, ecotone_time: 7, delta_time: 6, chain_op_config: numbers })
    const genesis = readOpChain({ regolithTime: 0, canyonTime: 5, ecotoneTime: '0x7', optimism: numbers })
    expect(rollup).toEqual(genesis)
    expect(rollup.forks.map(({ fork }) => fork)).toEqual(['bedrock', 'regolith', 'canyon', 'ecotone'])
    expect(rollup.baseFee).toEqual(CHAIN.baseFee)
    expect(() => readOpChain({ ecotoneTime: 7, optimism: numbers })).toThrow('config.canyon')
    expect(() => readOpChain({ canyonTime: 8, ecotoneTime: 7, optimism: numbers })).toThrow('at least 8')
    expect(() => readOpChain({ canyonTime: 8 })).toThrow('EIP-1559')
  })

  test('names the EVM of the executor, which takes no other', () => {
    const state = new MemoryState()
    const chain = opRulesAt(CHAIN, timeOf('isthmus'))
    expect(evmForkOf(chain.fork)).toBe('prague')
    expect(() => createExecutor({ fork: 'cancun', chainId: 10n, state, chain })).toThrow('prague')
    expect(() => checkForkOf(chain, timeOf('jovian'))).toThrow('jovian')
  })
})

describe('the base fee', () => {
  const parentAt = (fork: OpFork, extraData: string, more: Partial<BlockHeader> = {}): BlockHeader => ({
    ...genesisHeader('cancun', { stateRoot: EMPTY_TRIE_ROOT }),
    timestamp: timeOf(fork),
    gasLimit: 60_000_000n,
    gasUsed: 2_136_422n,
    baseFeePerGas: 270n,
    extraData,
    ...more,
  })

  test('follows the chain before Holocene, and the header of the parent from then on', () => {
    const full = { gasUsed: 60_000_000n, baseFeePerGas: 1_000_000n }
    expect(opNextBaseFee(CHAIN, parentAt('regolith', '0x', full), timeOf('regolith') + 2n)).toBe(1_100_000n)
    // The first block of Canyon already has its denominator.
    expect(opNextBaseFee(CHAIN, parentAt('regolith', '0x', full), timeOf('canyon'))).toBe(1_020_000n)
    expect(opNextBaseFee(CHAIN, parentAt('granite', '0x', full), timeOf('holocene'))).toBe(1_020_000n)
    const holocene = '0x000000000a00000002'
    expect(opNextBaseFee(CHAIN, parentAt('holocene', holocene, full), timeOf('holocene') + 2n)).toBe(1_100_000n)
  })

  test('counts the DA footprint, and does not fall below the minimum, behind a parent of Jovian', () => {
    const jovian = '0x010000000a0000000200000000000f4240'
    const parent = (more: Partial<BlockHeader>) => parentAt('jovian', jovian, { baseFeePerGas: 1_100_000n, ...more })
    const next = (more: Partial<BlockHeader>) => opNextBaseFee(CHAIN, parent(more), timeOf('jovian') + 2n)
    expect(next({ gasUsed: 30_000_000n, blobGasUsed: 30_000_000n })).toBe(1_100_000n)
    expect(next({ gasUsed: 0n, blobGasUsed: 60_000_000n })).toBe(1_210_000n)
    expect(next({ gasUsed: 60_000_000n, blobGasUsed: 0n })).toBe(1_210_000n)
    expect(next({ gasUsed: 0n, blobGasUsed: 0n })).toBe(1_000_000n)
    expect(next({ gasUsed: 30_000_000n, blobGasUsed: 0n, baseFeePerGas: 7n })).toBe(1_000_000n)
    // Before Jovian blob gas is no measure.
    const holocene = parentAt('isthmus', '0x000000000a00000002', { gasUsed: 30_000_000n, blobGasUsed: 60_000_000n })
    expect(opNextBaseFee(CHAIN, holocene, timeOf('isthmus') + 2n)).toBe(270n)
  })

  test('is refused behind a parent that is no block of the chain', () => {
    const next = (fork: OpFork, extraData: string, more: Partial<BlockHeader> = {}) =>
      opNextBaseFee(CHAIN, parentAt(fork, extraData, { gasUsed: 1n, ...more }), timeOf(fork) + 2n)
    const terms = '0000000a00000002'
    for (const wrong of ['0x', '0x0000', '0x000000000000000006', '0x000000000600000000', `0x01${terms}`])
      expect(() => next('holocene', wrong)).toThrow(/^parent\.extraData must be/)
    expect(() => next('jovian', `0x00${terms}`)).toThrow(/^parent\.extraData must be 17 bytes/)
    expect(next('holocene', `0x00${terms}`, { gasLimit: 2n })).toBe(270n)
    expect(() => next('holocene', `0x00${terms}`, { gasLimit: 1n })).toThrow(/^parent\.gasLimit must be at least/)
    // What a block before Holocene says there is nothing.
    expect(next('granite', '0x42')).toBeGreaterThan(0n)
  })

  test('is written to extra data as published', () => {
    const chain = { ...CHAIN, baseFee: { elasticity: 60n, denominator: 1n, denominatorCanyon: 80n } }
    expect(extraDataOf(chain, 'holocene', { eip1559Params: '0x0000000800000008' })).toBe('0x000000000800000008')
    expect(extraDataOf(chain, 'holocene', { eip1559Params: '0x0000000000000000' })).toBe('0x00000000500000003c')
    expect(extraDataOf(chain, 'jovian', { eip1559Params: '0x0000000800000008', minBaseFee: 257n })).toBe(
      '0x0100000008000000080000000000000101',
    )
    expect(extraDataOf(chain, 'jovian', { eip1559Params: '0x0000000000000000', minBaseFee: 0n })).toBe(
      '0x01000000500000003c0000000000000000',
    )
    expect(extraDataOf(chain, 'granite', {})).toBe('0x')
    expect(() => extraDataOf(chain, 'jovian', { eip1559Params: '0x0000000800000008' })).toThrow('minBaseFee')
    expect(() => extraDataOf(chain, 'holocene', { eip1559Params: '0x0000000800000008', minBaseFee: 1n })).toThrow(
      'minBaseFee',
    )
    expect(() => extraDataOf(chain, 'holocene', {})).toThrow('eip1559Params')
    expect(() => extraDataOf(chain, 'granite', { eip1559Params: '0x0000000800000008' })).toThrow('eip1559Params')
  })

  test('has extra data of the length and version of its fork', () => {
    expect(extraDataFault('0x', 'granite')).toBeUndefined()
    expect(extraDataFault('0x00', 'granite')).toBeDefined()
    expect(extraDataFault('0x00000000fa00000006', 'holocene')).toBeUndefined()
    for (const wrong of ['0x', '0x01000000fa00000006', '0x000000000000000006', '0x00000000fa00000000'])
      expect(extraDataFault(wrong, 'isthmus')).toBeDefined()
    expect(extraDataFault('0x00000000fa00000006', 'jovian')).toBeDefined()
    expect(extraDataFault('0x01000000fa000000060000000000000000', 'jovian')).toBeUndefined()
  })
})

describe('headers', () => {
  const parent: BlockHeader = {
    ...genesisHeader('prague', { stateRoot: EMPTY_TRIE_ROOT }),
    timestamp: timeOf('isthmus'),
    extraData: '0x000000000a00000002',
    gasLimit: 60_000_000n,
    gasUsed: 30_000_000n,
    baseFeePerGas: 9n,
    excessBlobGas: 0n,
    blobGasUsed: 0n,
  }
  const child: BlockHeader = {
    ...parent,
    parentHash: headerHash(parent),
    number: 1n,
    timestamp: parent.timestamp + 2n,
    // Any gas limit may follow any other.
    gasLimit: 1_000_000_000n,
    withdrawalsRoot: `0x${'11'.repeat(32)}`,
    requestsHash: NO_REQUESTS_HASH,
  }
  const isthmus = opRulesAt(CHAIN, child.timestamp)

  test('that keep the rules have no fault', () => {
    expect(NO_REQUESTS_HASH).toBe('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(opHeaderFault(child, isthmus, parent)).toBeUndefined()
  })

  test.each<[keyof BlockHeader, Partial<BlockHeader>]>([
    ['extraData', { extraData: '0x' }],
    ['gasLimit', { extraData: '0x000000000a3b9aca01' }],
    ['requestsHash', { requestsHash: `0x${'22'.repeat(32)}` }],
    ['excessBlobGas', { excessBlobGas: 1n }],
    ['blobGasUsed', { blobGasUsed: 131_072n }],
    ['number', { number: 2n }],
    ['parentHash', { parentHash: `0x${'33'.repeat(32)}` }],
    ['timestamp', { timestamp: parent.timestamp }],
    ['baseFeePerGas', { baseFeePerGas: 10n }],
  ])('with another %s are refused', (field, change) => {
    expect(opHeaderFault({ ...child, ...change }, isthmus, parent)?.field).toBe(field)
  })

  test('have no withdrawals root of their own before Isthmus, and a DA footprint from Jovian on', () => {
    const holocene = opRulesAt(CHAIN, timeOf('holocene'))
    expect(opHeaderFault(child, holocene)?.field).toBe('withdrawalsRoot')
    const jovian = { ...child, extraData: '0x010000000a000000020000000000000000', blobGasUsed: 1_000_000_000n }
    expect(opHeaderFault(jovian, opRulesAt(CHAIN, timeOf('jovian')))).toBeUndefined()
    expect(opHeaderFault({ ...jovian, blobGasUsed: 1_000_000_001n }, opRulesAt(CHAIN, timeOf('jovian')))?.field).toBe(
      'blobGasUsed',
    )
  })

  test('know the first blocks of forks', () => {
    expect(isFirstOfCanyon(CHAIN, timeOf('canyon'))).toBe(true)
    expect(isFirstOfCanyon(CHAIN, timeOf('canyon') + 1n)).toBe(true)
    expect(isFirstOfCanyon(CHAIN, timeOf('canyon') + 2n)).toBe(false)
    expect(isFirstOfCanyon(CHAIN, timeOf('canyon') - 1n)).toBe(false)
    // A chain that has it from the start had the contract in its genesis.
    const early = { ...CHAIN, forks: [{ fork: 'canyon' as const, timestamp: 0n }] }
    for (const timestamp of [1n, 2n, 3n]) expect(isFirstOfCanyon(early, timestamp)).toBe(false)
    expect(activatedFork(CHAIN, timeOf('jovian'), timeOf('jovian') - 2n)).toBe('jovian')
    expect(activatedFork(CHAIN, timeOf('jovian') + 2n, timeOf('jovian'))).toBeUndefined()
    expect(activatedFork(CHAIN, timeOf('isthmus'), timeOf('isthmus') - 2n)).toBeUndefined()
    expect(keccak256Hex(CREATE2_DEPLOYER_CODE)).toBe(
      '0xb0550b5b431e30d38000efb7107aaa0ade03d48a7198a140edda9d27134468b2',
    )
  })
})

describe('payload ids', () => {
  const attributes: OpPayloadAttributes = {
    timestamp: 1_728_933_301n,
    prevRandao: '0x9158595abbdab2c90635087619aa7042bbebe47642dfab3c9bfb934f6b082765',
    suggestedFeeRecipient: '0x4200000000000000000000000000000000000011',
    withdrawals: [],
    parentBeaconBlockRoot: '0x8fe0193b9bf83cb7e5a08538e494fecc23046aab9a497af3704f4afdae3250ff',
    transactions: [ATTRIBUTES_DEPOSIT],
    gasLimit: 30_000_000n,
  }
  const PARENT = '0x3533bf30edaf9505d0810bf475cbe4e5f4b9889904b9845e83efdeab4e92eb1e'

  test('are the published ones', () => {
    expect(opPayloadId(3, PARENT, attributes)).toBe('0x03d2dae446d2a86a')
    expect(opPayloadId(4, PARENT, { ...attributes, minBaseFee: 100n })).toBe('0x046c65ffc4d659ec')
  })

  test('differ by every attribute', () => {
    const changes: Partial<OpPayloadAttributes>[] = [
      {},
      { noTxPool: true },
      { transactions: [] },
      { transactions: [], noTxPool: true },
      { gasLimit: 30_000_001n },
      { eip1559Params: '0x000000fa00000006' },
      { minBaseFee: 0n },
      { withdrawals: [{ index: 1n, validatorIndex: 2n, address: attributes.suggestedFeeRecipient, amount: 3n }] },
    ]
    const ids = changes.map((change) => opPayloadId(3, PARENT, { ...attributes, ...change }))
    expect(new Set(ids).size).toBe(changes.length)
  })
})

describe('precompiles', () => {
  const at = (fork: OpFork) => new Precompiles(evmForkOf(fork), 10n, undefined, fork)
  const run = (fork: OpFork, address: number, length: number) => at(fork).run(address, new Uint8Array(length))

  test.each<[OpFork, number | undefined]>([
    ['ecotone', undefined],
    ['fjord', 3450],
    ['jovian', 3450],
    ['karst', 6900],
  ])('of %s have P256VERIFY at its price', async (fork, gas) => {
    expect((await run(fork, 0x100, 160))?.gas).toBe(gas)
  })

  test.each<[string, number, OpFork, number]>([
    ['pairing', 0x08, 'granite', 112_687],
    ['pairing', 0x08, 'isthmus', 112_687],
    ['pairing', 0x08, 'jovian', 81_984],
    ['pairing', 0x08, 'karst', 57_600],
    ['G1 MSM', 0x0c, 'isthmus', 513_760],
    ['G1 MSM', 0x0c, 'jovian', 288_960],
    ['G2 MSM', 0x0e, 'isthmus', 488_448],
    ['G2 MSM', 0x0e, 'karst', 278_784],
    ['BLS pairing', 0x0f, 'isthmus', 235_008],
    ['BLS pairing', 0x0f, 'jovian', 156_672],
  ])('%s (%i) of %s take %i bytes', async (_, address, fork, most) => {
    // Within the limit such an input costs more than is tried here; beyond it halts whatever the gas.
    expect((await run(fork, address, most + 1))?.success).toBe(false)
    expect(await run(fork, address, most)).toEqual(
      await new Precompiles(evmForkOf(fork), 10n).run(address, new Uint8Array(most)),
    )
  })
})

describe('a contract that a deposit destroys', () => {
  test('has none of its slots where a later transaction makes it anew', async () => {
    // sstore(0, sload(1))
    const runtime = '6001545f5500'
    const initcode = `65${runtime}5f526006601af3`
    const maker = `0x${'fa'.repeat(20)}`
    const payer = `0x${'aa'.repeat(20)}`
    const initcodeHash = keccak256Hex(Buffer.from(initcode, 'hex')).slice(2)
    const made = keccak256Hex(Buffer.from(`ff${maker.slice(2)}${'0'.repeat(64)}${initcodeHash}`, 'hex'))
    const contract = `0x${made.slice(26)}`
    const state = MemoryState.from({
      [contract]: { code: '0x5fff', nonce: 1n, storage: { '0x1': 9n } },
      // create2(0, 18, 14, 0)
      [maker]: { code: `0x6d${initcode}5f525f600e60125ff500`, nonce: 1n },
      [payer]: { balance: 10n ** 18n },
    })
    const chain = opRulesAt(CHAIN, timeOf('canyon'))
    const executor = createExecutor({ fork: 'shanghai', chainId: 10n, state, chain, workers: 0 })
    const deposit = { sourceHash: `0x${'5a'.repeat(32)}`, mint: 0n, isSystem: false }
    const free = { nonce: 0n, gasLimit: 100_000n, gasPrice: 0n }
    const transactions = [
      { type: 0x7e, from: maker, to: contract, ...free, deposit } as const,
      { type: 0, from: payer, to: maker, ...free } as const,
      { type: 0, from: payer, to: contract, ...free, nonce: 1n } as const,
    ]
    const at = { number: 1n, timestamp: timeOf('canyon'), coinbase: payer, gasLimit: 10n ** 7n, baseFeePerGas: 0n }
    const signed = transactions.map(() => Uint8Array.of(2, 1))
    const { receipts } = await executor.execute({ env: { ...at, prevRandao: 0n }, transactions, signed })
    executor.close()
    expect(transactions.map((_, i) => receipts.get(i)?.status)).toEqual([1, 1, 1])
    expect([0n, 1n].map((slot) => state.storage(contract, slot))).toEqual([0n, 0n])
    expect(state.account(contract)?.codeHash).toBe(keccak256Hex(Buffer.from(runtime, 'hex')))
  })
})
