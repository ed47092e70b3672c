import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Allocation,
  type ComputeDevice,
  MemoryState,
  openDevice,
  type TransactionObject,
} from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck, type CheckedBatch } from '../fixtures/batch_check.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'
import { addressOf } from '../fixtures/cpu_world.ts'

/**
 * What an instruction needs of a balance must hold at the transaction's place, not only on the state before the batch.
 */

const VALUE = 5n
const BALANCES = [VALUE - 1n, VALUE, VALUE + 1n]
const ENV = { ...BATCH_ENV, gasLimit: 2n ** 45n }
const BOB = addressOf('bob')
const ABSENT = addressOf('absent')
const STOPPER = addressOf('stopper', 0xcc)
const word = (value: bigint | number): string => BigInt(value).toString(16).padStart(64, '0')

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const run = async (allocation: Allocation, transactions: readonly TransactionObject[]): Promise<CheckedBatch> => {
  const options = { fork: 'cancun', paths: 'never', laneVm: 'always', explain: true } as const
  const check = new BatchCheck({ device, ...options })
  const checked = await check.run(MemoryState.from(allocation), transactions, ENV)
  check.executor.close()
  expect(checked.difference).toBeUndefined()
  expect(checked.result.faults).toEqual([])
  return checked
}

const contract = (text: string, balance = 0n) => ({ nonce: 1n, balance, code: bytesToHex(assemble(text)) })
const payment = (kind: 'CALL' | 'CALLCODE', to: string): string =>
  `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH ${VALUE} ${to} GAS ${kind}`

/** What looks at a balance, and leaves a word. */
const LOOKS: Readonly<Record<string, string>> = {
  'CALL to an account': payment('CALL', `PUSH20 ${BOB}`),
  'CALL to no account': payment('CALL', `PUSH20 ${ABSENT}`),
  'CALL to code': payment('CALL', `PUSH20 ${STOPPER}`),
  'CALL to itself': payment('CALL', 'ADDRESS'),
  'CALLCODE of nothing': payment('CALLCODE', `PUSH20 ${BOB}`),
  'CALLCODE of code': payment('CALLCODE', `PUSH20 ${STOPPER}`),
  'CALLCODE of itself': payment('CALLCODE', 'ADDRESS'),
  SELFBALANCE: 'SELFBALANCE',
  'BALANCE of itself': 'ADDRESS BALANCE',
}
/** How the frame that looked ends. */
const ENDS: Readonly<Record<string, string>> = { returns: 'RETURN', reverts: 'REVERT', halts: 'POP POP INVALID' }

/**
 * Takes money without calldata, pays the word of 32 bytes to BOB, else looks. A frame of its own has no calldata: an
 * account that calls itself only takes.
 */
const payerCode = (look: string, end: string): string => `
  CALLDATASIZE ISZERO PUSH @stop JUMPI
  PUSH 32 CALLDATASIZE EQ PUSH @drain JUMPI
  ${look} PUSH 0 MSTORE PUSH 32 PUSH 0 ${end}
  drain: PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLDATALOAD PUSH20 ${BOB} GAS CALL POP
  stop: STOP`

/** Has `payer` look, and stores what came of it. */
const outerCode = (payer: string, kind: 'CALL' | 'STATICCALL'): string => `
  PUSH 32 PUSH 0 PUSH 33 PUSH 0 ${kind === 'CALL' ? 'PUSH 0' : ''} PUSH20 ${payer} PUSH 100000 ${kind}
  PUSH 0 SSTORE PUSH 0 MLOAD PUSH 1 SSTORE RETURNDATASIZE PUSH 2 SSTORE STOP`

/** Before the batch the payer has `before`, at the place of the look `now`: one batch of all pairs. */
const grid = (look: string, end: string, kind: 'CALL' | 'STATICCALL' = 'CALL') => {
  const allocation: Record<string, Allocation[string]> = {
    [BOB]: { balance: 1n },
    [STOPPER]: contract('STOP'),
  }
  const transactions: TransactionObject[] = []
  const pairs: { readonly before: bigint; readonly now: bigint; readonly index: number }[] = []
  for (const before of BALANCES)
    for (const now of BALANCES) {
      const n = pairs.length
      const [payer, outer] = [addressOf(`payer ${n}`, 0xcc), addressOf(`outer ${n}`, 0xcc)]
      allocation[payer] = contract(payerCode(look, end), before)
      allocation[outer] = contract(outerCode(payer, kind))
      const sender = addressOf(`sender ${n}`)
      allocation[sender] = { balance: 10n ** 20n }
      const common = { from: sender, gasLimit: 300_000n, gasPrice: 10n }
      const data = now < before ? `0x${word(before - now)}` : '0x'
      transactions.push({ ...common, to: payer, nonce: 0n, data, value: now > before ? now - before : 0n })
      pairs.push({ before, now, index: transactions.push({ ...common, to: outer, nonce: 1n }) - 1 })
    }
  return { allocation, transactions, pairs }
}

describe.each(Object.entries(LOOKS))('%s', (name, look) => {
  const isPayment = look.includes(`PUSH ${VALUE}`)
  test.each(Object.entries(ENDS))(
    'in a frame that %s holds at its place where the balance still serves',
    async (_, end) => {
      const { allocation, transactions, pairs } = grid(look, end)
      const { result } = await run(allocation, transactions)
      for (const { before, now, index } of pairs) {
        const { tier } = result.explain![index]!
        const holds = isPayment ? before === now || (before >= VALUE && now >= VALUE) : before === now
        // ABSENT comes to be with the first payment.
        if (name !== 'CALL to no account' || !holds)
          expect(tier, `${before}, then ${now}`).toBe(holds ? 'laneVm' : 'cpu')
      }
    },
  )

  if (name.startsWith('CALLCODE') || !isPayment)
    test('in a static frame holds at its place where the balance still serves', async () => {
      const { allocation, transactions } = grid(look, 'RETURN', 'STATICCALL')
      await run(allocation, transactions)
    })
})

test('an account that pays itself at every depth may at none once it has nothing', async () => {
  const [deep, sender] = [addressOf('deep', 0xcc), addressOf('sender')]
  const code = `CALLDATASIZE PUSH @drain JUMPI
    PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 ADDRESS GAS CALL PUSH 0 SSTORE STOP
    drain: PUSH 0 PUSH 0 PUSH 0 PUSH 0 SELFBALANCE PUSH20 ${BOB} GAS CALL STOP`
  const common = { from: sender, to: deep, gasPrice: 10n }
  const { result } = await run(
    { [sender]: { balance: 10n ** 20n }, [BOB]: { balance: 1n }, [deep]: contract(code, 9n) },
    [
      { ...common, nonce: 0n, gasLimit: 2n ** 38n },
      { ...common, nonce: 1n, gasLimit: 100_000n, data: '0x01' },
      { ...common, nonce: 2n, gasLimit: 2n ** 38n },
    ],
  )
  expect(result.explain!.map(({ tier }) => tier)).toEqual(['laneVm', 'laneVm', 'cpu'])
})

describe('a sender whose account runs code (EIP-7702)', () => {
  const [rich, poor, purse, outer] = [
    addressOf('rich'),
    addressOf('poor'),
    addressOf('purse', 0xcc),
    addressOf('outer', 0xcc),
  ]
  const GAS = 300_000n
  const PRICE = 10n
  /** `poor` sends `value` and calls itself through `outer`: its code pays VALUE more out of what is left. */
  const batch = (value: bigint, has: bigint, gets: bigint) => {
    const allocation = {
      [rich]: { balance: 10n ** 20n },
      [poor]: { balance: has, code: `0xef0100${purse.slice(2)}` },
      [BOB]: { balance: 1n },
      [purse]: contract(payerCode(payment('CALL', `PUSH20 ${BOB}`), 'RETURN')),
      [outer]: contract(outerCode(poor, 'CALL')),
    }
    const transactions = [
      { from: rich, to: poor, nonce: 0n, value: gets, gasLimit: 50_000n, gasPrice: PRICE },
      { from: poor, to: outer, nonce: 0n, value, gasLimit: GAS, gasPrice: PRICE },
    ]
    return { allocation, transactions }
  }
  const runPrague = async ({ allocation, transactions }: ReturnType<typeof batch>): Promise<CheckedBatch> => {
    const check = new BatchCheck({ fork: 'prague', device, paths: 'never', laneVm: 'always', explain: true })
    const checked = await check.run(MemoryState.from(allocation), transactions, ENV)
    check.executor.close()
    expect(checked.difference).toBeUndefined()
    return checked
  }

  // Before the batch it cannot even send the value: what the lane's execution pays passes zero.
  test.each([-1n, 0n, 1n])('pays at its place what it has there: %s more than it needs', async (more) => {
    const value = 100n
    const gas = GAS * PRICE
    for (const has of [0n, gas + value - 1n, gas + value]) {
      const { state } = await runPrague(batch(value, has, gas + value + VALUE + more - has))
      expect(state.account(BOB)!.balance).toBe(more < 0n ? 1n : 1n + VALUE)
    }
  })
})
