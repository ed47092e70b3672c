import { describe, expect, test } from 'vitest'
import { createExecutor, decodeSigned, opRulesAt, stateRootOf } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
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
import { evmOf, SERIAL_FORKS, type SerialFork } from '../fixtures/op_serial_forks.ts'
import type { SerialOutcome } from '../fixtures/op_serial_receipt.ts'

const BASE_FEE = { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n }
const CHAIN_ID = BigInt(OP_CHAIN_ID)
const PAYMENTS = 12

/**
 * Signed transactions of many kinds behind deposits of many kinds; `payments` 0: nothing is paid, since there are
 * deposits only, or the one payment after them has another nonce than its payer.
 */
const drawBatch = (fork: SerialFork, seed: number, payments: number) => {
  const world = drawWorld(fork, seed)
  const { random, state, coinbase, baseFee } = world
  const isOld = fork === 'bedrock'
  const attributes = attributesDeposit(drawAttributes(random), isOld ? 150_000_000n : 1_000_000n, isOld)
  const signed = deposited([attributes, drawDeposit(world), drawDeposit(world)])
  const nonces = PAYERS.map((payer) => state.account(payer)!.nonce)
  /** By the place of a transaction: its payer. */
  const payers = new Map<number, number>()
  for (let n = 0; n < payments; n++) {
    if (random.below(8) === 0) signed.push(...deposited([drawDeposit(world)]))
    const payer = random.below(PAYERS.length)
    payers.set(signed.length, payer)
    signed.push(drawPayment(world, payer, nonces[payer]!))
    nonces[payer]! += 1n
  }
  if (payments === 0 && random.below(2) === 0) signed.push(drawPayment(world, 0, nonces[0]! + 5n))
  const env = {
    number: 100n,
    timestamp: 1000n,
    coinbase,
    gasLimit: 400_000_000n,
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
  const cases = SERIAL_FORKS.flatMap((fork, f) => [[fork, 40 + f, PAYMENTS] as const, [fork, 60 + f, 0] as const])
  test.each(cases)('at %s (seed %i, %i payments)', async (fork, seed, payments) => {
    const drawn = drawBatch(fork, seed, payments)
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
