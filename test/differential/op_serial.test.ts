import { describe, expect, test } from 'vitest'
import { CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE } from '../../host/chain/op/create2_deployer.ts'
import {
  type BlockHeader,
  createExecutor,
  createStateTrie,
  decodeSigned,
  genesisHeader,
  opRulesAt,
  stateRootOf,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { EMPTY_TRIE_ROOT } from '../../host/primitives/keccak.ts'
import { assemble } from '../fixtures/assembler.ts'
import {
  attributesDeposit,
  deposited,
  drawAttributes,
  drawDeposit,
  drawPayment,
  drawWorld,
  OP_CHAIN_ID,
  PAYERS,
} from '../fixtures/op_draws.ts'
import { OpSerial } from '../fixtures/op_serial.ts'
import { evmOf, PASSER, SERIAL_FORKS, type SerialFork, since } from '../fixtures/op_serial_forks.ts'
import type { SerialOutcome } from '../fixtures/op_serial_receipt.ts'

const BASE_FEE = { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n }
const CHAIN_ID = BigInt(OP_CHAIN_ID)
const PAYMENTS = 12

/**
 * What stands in a batch beside deposits:
 *
 * payments   many kinds of them
 * nothing    that is paid: more deposits, and perhaps one payment with another nonce than its payer
 * data       payments whose data soon takes all the room of a block, where data takes any
 */
type Kind = 'payments' | 'nothing' | 'data'
const DEPOSITS: Readonly<Record<Kind, number>> = { payments: 2, nothing: 10, data: 1 }
const GAS_LIMIT: Readonly<Record<Kind, bigint>> = { payments: 400_000_000n, nothing: 400_000_000n, data: 40_000_000n }
const MOST_FOOTPRINT = 0xffffn << 96n

const drawBatch = (fork: SerialFork, seed: number, kind: Kind) => {
  const world = drawWorld(fork, seed)
  const { random, state, coinbase, baseFee } = world
  const isOld = fork === 'bedrock'
  const slots = drawAttributes(random)
  if (kind === 'data') slots[5] = slots[5]! | MOST_FOOTPRINT
  const attributes = attributesDeposit(slots, isOld ? 150_000_000n : 1_000_000n, isOld)
  const drawn = Array.from({ length: DEPOSITS[kind] }, () => drawDeposit(world))
  const signed = deposited([attributes, ...drawn])
  const nonces = PAYERS.map((payer) => state.account(payer)!.nonce)
  /** By the place of a transaction: its payer. */
  const payers = new Map<number, number>()
  for (let n = 0; n < (kind === 'nothing' ? 0 : PAYMENTS); n++) {
    if (random.below(8) === 0) signed.push(...deposited([drawDeposit(world)]))
    const payer = random.below(PAYERS.length)
    payers.set(signed.length, payer)
    signed.push(drawPayment(world, payer, nonces[payer]!))
    nonces[payer]! += 1n
  }
  if (kind === 'nothing' && random.below(2) === 0) signed.push(drawPayment(world, 0, nonces[0]! + 5n))
  const env = {
    number: 100n,
    timestamp: 1000n,
    coinbase,
    gasLimit: GAS_LIMIT[kind],
    baseFeePerGas: baseFee,
    prevRandao: 5n,
  }
  return { world, signed, payers, env }
}

/** The last payer of the batch can pay for all but its last transaction, and has one wei less, as much, or one more. */
const impoverish = async ({ world, signed, payers, env }: ReturnType<typeof drawBatch>): Promise<void> => {
  const last = [...payers].at(-1)
  if (last === undefined) return
  const serial = await OpSerial.on(world.fork, OP_CHAIN_ID, world.state)
  let surplus = 0n
  serial.onPay = (i, balance, cost) => {
    if (i === last[0]) surplus = balance - cost
  }
  await serial.run(env, signed)
  const { nonce, balance } = world.state.account(PAYERS[last[1]]!)!
  const left = balance - surplus + BigInt(world.random.below(3) - 1)
  if (left >= 0n) world.state.setAccount(PAYERS[last[1]]!, { nonce, balance: left })
}

const serialText = (outcome: SerialOutcome): string => {
  if (outcome === undefined) return 'rejected'
  const { status, gasUsed, cumulative, logs, nonce } = outcome
  return `${status} ${gasUsed} ${cumulative} ${logs.map(([, , data]) => bytesToHex(data))} ${nonce}`
}

describe('a batch of the OP stack is what a serial client over @ethereumjs/evm makes of it', () => {
  const cases = SERIAL_FORKS.flatMap((fork, f) => [
    [fork, 40 + f, 'payments'] as const,
    [fork, 60 + f, 'nothing'] as const,
    ...(f < SERIAL_FORKS.indexOf('isthmus') ? [] : [[fork, 80 + f, 'data'] as const]),
  ])
  test.each(cases)('at %s (seed %i, %s)', async (fork, seed, kind) => {
    const drawn = drawBatch(fork, seed, kind)
    if (SERIAL_FORKS.indexOf(fork) % 2 === 1) await impoverish(drawn)
    const { world, signed, env } = drawn
    const expected = await (await OpSerial.on(fork, OP_CHAIN_ID, world.state)).run(env, signed)
    const transactions = decodeSigned(signed, { chainId: CHAIN_ID, deposits: true })
    const chain = opRulesAt({ kind: 'op', forks: [{ fork, timestamp: 0n }], baseFee: BASE_FEE }, 1000n)
    for (const form of [{}, { waves: 'always' }] as const) {
      const state = world.state.clone()
      const executor = createExecutor({ fork: evmOf(fork), chainId: CHAIN_ID, state, chain, workers: 0, ...form })
      const { receipts } = await executor.execute({ env, transactions, signed })
      executor.close()
      for (const [i, outcome] of expected.outcomes.entries()) {
        const receipt = receipts.get(i)
        const text =
          receipt === undefined
            ? 'rejected'
            : `${receipt.status} ${receipt.gasUsed} ${receipt.cumulativeGasUsed} ${receipt.logs.map(({ data }) => data)} ${receipt.depositNonce}`
        expect([i, text]).toEqual([i, serialText(outcome)])
      }
      expect(stateRootOf(state.dump())).toBe(expected.stateRoot)
    }
  })
})

/** A block on a parent of this fork, by which the base fee stays. */
const buildOn = async (
  parentFork: SerialFork,
  { world, env }: Pick<ReturnType<typeof drawBatch>, 'world' | 'env'>,
  transactions: readonly Uint8Array[],
  pool: readonly Uint8Array[],
) => {
  const { fork, coinbase } = world
  const forks = parentFork === fork ? [{ fork, timestamp: 0n }] : [{ fork: parentFork, timestamp: 0n }]
  if (parentFork !== fork) forks.push({ fork, timestamp: env.timestamp })
  const [isHolocene, isJovian] = [since(fork, 'holocene'), since(fork, 'jovian')]
  const state = world.state.clone()
  const parent: BlockHeader = {
    ...genesisHeader(evmOf(parentFork), { stateRoot: stateRootOf(state.dump()) }),
    number: env.number - 1n,
    timestamp: env.timestamp - 2n,
    gasLimit: 6_000_000n,
    gasUsed: 1_000_000n,
    baseFeePerGas: env.baseFeePerGas,
    extraData: isJovian ? `0x010000000500000006${'00'.repeat(8)}` : isHolocene ? '0x000000000500000006' : '0x',
  }
  const chain = opRulesAt({ kind: 'op', forks, baseFee: BASE_FEE }, env.timestamp)
  const executor = createExecutor({ fork: evmOf(fork), chainId: CHAIN_ID, state, chain, workers: 0 })
  try {
    const built = await executor.build({
      parent,
      attributes: {
        timestamp: env.timestamp,
        coinbase,
        prevRandao: `0x${env.prevRandao.toString(16).padStart(64, '0')}`,
        gasLimit: env.gasLimit,
        transactions,
        ...(isHolocene ? { eip1559Params: '0x0000000000000000' } : {}),
        ...(isJovian ? { minBaseFee: 0n } : {}),
      },
      pool,
      parentState: createStateTrie(state.dump()),
    })
    expect(stateRootOf(state.dump())).toBe(built.block.header.stateRoot)
    return built
  } finally {
    executor.close()
  }
}

describe('a block built on the OP stack has the header that a serial client gives it', () => {
  test.each(SERIAL_FORKS.map((fork, f) => [fork, 100 + f] as const))('at %s (seed %i)', async (fork, seed) => {
    const drawn = drawBatch(fork, seed, 'payments')
    const { world, signed, env } = drawn
    const fields = { from: PAYERS[11]!, to: PASSER, mint: 0n, value: 0n, gas: 1_000_000n, isSystem: false }
    const message = new Uint8Array(64).fill(3)
    world.state.setAccount(PASSER, {
      nonce: 1n,
      code: assemble('PUSH 32 CALLDATALOAD PUSH 0 CALLDATALOAD SSTORE STOP'),
    })
    const forced = [...signed.slice(0, 3), ...deposited([{ ...fields, data: message }])]
    const pool = signed.slice(3).filter((raw) => raw[0] !== 0x7e)
    const { block, order } = await buildOn(fork, drawn, forced, pool)
    expect(order.length).toBeGreaterThan(4)
    // By what they pay, and not as the pool has them.
    const serial = await OpSerial.on(fork, OP_CHAIN_ID, world.state)
    const expected = await serial.run(env, [...forced, ...order.map((n) => pool[n]!)])
    expect(expected.outcomes).not.toContain(undefined)
    const { stateRoot, receiptsRoot, transactionsRoot, gasUsed } = expected
    expect(block.header).toMatchObject({ stateRoot, receiptsRoot, transactionsRoot, gasUsed })
    const withdrawalsRoot = since(fork, 'isthmus')
      ? expected.messagesRoot
      : since(fork, 'canyon')
        ? EMPTY_TRIE_ROOT
        : undefined
    expect(block.header.withdrawalsRoot).toBe(withdrawalsRoot)
    expect(block.header.blobGasUsed).toBe(since(fork, 'ecotone') ? expected.footprint : undefined)
  })

  test('in the first block of Canyon, which puts the create2 deployer where there may be wei already', async () => {
    const drawn = drawBatch('canyon', 120, 'nothing')
    const { world, env } = drawn
    world.state.setAccount(CREATE2_DEPLOYER, { nonce: 0n, balance: 5n })
    const after = world.state.clone()
    after.setAccount(CREATE2_DEPLOYER, { nonce: 0n, balance: 5n, code: CREATE2_DEPLOYER_CODE })
    const forced = drawn.signed.filter((raw) => raw[0] === 0x7e)
    for (const [parentFork, state] of [['regolith', after] as const, ['canyon', world.state] as const]) {
      const serial = await (await OpSerial.on('canyon', OP_CHAIN_ID, state)).run(env, forced)
      const { block } = await buildOn(parentFork, drawn, forced, [])
      expect(block.header.stateRoot).toBe(serial.stateRoot)
    }
  })
})
