import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { assemble } from '../fixtures/assembler.ts'
import { CHILD_INIT } from '../fixtures/batch_births.ts'
import { BatchCheck, type BatchCheckOptions } from '../fixtures/batch_check.ts'
import {
  BATCH_ENV,
  batchAllocation,
  childAddress,
  contractAddress,
  sender,
  stranger,
  word,
} from '../fixtures/batch_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

/** Conditions of the sweep at a transaction's place, each with a batch whose result is another one without it. */
let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

const FORMS: Readonly<Record<string, BatchCheckOptions>> = {
  'on the device': { recordFrom: 1, programs: 'always' },
  'on the host': { recordFrom: 1, programs: 'always', waves: 'worth' },
}

const by = (from: string, to: string, nonce: bigint, fields: Partial<TransactionObject> = {}): TransactionObject => ({
  from,
  to,
  nonce,
  gasLimit: 300_000n,
  gasPrice: 10n,
  ...fields,
})
const wordOf = (address: string): string => word(BigInt(address))

/** Calls the account of calldata word 0 and stores the success under its caller's key. */
const CALLER = stranger(60)
const CALLER_CODE = assemble('PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLDATALOAD GAS CALL CALLER SSTORE STOP')
/** Looks at its caller, calls it, and pays it 1 wei; stores the gas that was left. */
const PAYER = stranger(61)
const PAYER_CODE = assemble(`CALLER EXTCODEHASH CALLER NOT SSTORE
  PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLER GAS CALL POP
  PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 CALLER GAS CALL POP GAS CALLER SSTORE STOP`)

const world = (): MemoryState =>
  MemoryState.from({
    ...batchAllocation(),
    [CALLER]: { nonce: 1n, code: CALLER_CODE },
    [PAYER]: { nonce: 1n, balance: 100n, code: PAYER_CODE },
    [signerOf('owner')]: { balance: 5n },
  })

const CHILD = childAddress('factory', 1n)
const make = (n: number, nonce = 0n) =>
  by(sender(n), contractAddress('factory'), nonce, { data: `${word(1n)}${bytesToHex(CHILD_INIT).slice(2)}` })
const destroy = (n: number, nonce = 0n) => by(sender(n), CHILD, nonce, { data: wordOf(stranger(0)) })
const count = (n: number, nonce = 0n) => by(sender(n), CHILD, nonce)

/** The owner delegates to the counter. */
const delegation = (n: number): TransactionObject => {
  const { gasPrice: _, ...plain } = by(sender(n), stranger(0), 0n)
  const authorizations = [authorizationBy('owner', contractAddress('counter'), 0n, 1n)]
  return { ...plain, type: 4, maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations }
}

for (const [form, options] of Object.entries(FORMS))
  describe(`a lane ${form}`, () => {
    const open = (fork: BatchCheckOptions['fork'] & string) => new BatchCheck({ fork, device, ...options })

    test('of a sender that does not exist at its place holds: its nonce makes it exist', async () => {
      const check = open('prague')
      const free = { gasPrice: 0n }
      const transactions = [sender(0), stranger(70), stranger(71)].map((from) => by(from, PAYER, 0n, free))
      const { difference, result, state } = await check.run(world(), transactions, { ...BATCH_ENV, baseFeePerGas: 0n })
      expect(difference).toBeUndefined()
      expect(result.tiers.cpu).toBe(0)
      expect(state.account(stranger(71))).toMatchObject({ nonce: 1n, balance: 1n })
      check.executor.close()
    })

    test('that looked at code does not hold where that code became new before its place', async () => {
      const check = open('prague')
      const owner = signerOf('owner')
      const call = (n: number) => by(sender(n), CALLER, 0n, { data: wordOf(owner) })
      const { difference, result, state } = await check.run(world(), [
        call(0),
        call(1),
        delegation(2),
        call(3),
        call(4),
      ])
      expect(difference).toBeUndefined()
      expect(result.exits['code conflict']).toBe(2)
      expect(state.storage(owner, 0n)).toBe(2n)
      check.executor.close()
    })

    test('that looked at an account does not hold where the account went before its place', async () => {
      const check = open('shanghai')
      const read = (n: number, name: string, nonce = 0n) =>
        by(sender(n), contractAddress(name), nonce, { data: wordOf(CHILD) })
      await check.run(world(), [make(0), read(1, 'code reader'), read(1, 'balance reader', 1n)])
      const { difference, result, state } = await check.next([
        by(sender(2), CHILD, 0n, { value: 9n }),
        destroy(3),
        read(4, 'code reader'),
        read(5, 'balance reader'),
      ])
      expect(difference).toBeUndefined()
      expect(result.exits['code conflict']).toBe(2)
      expect(state.storage(contractAddress('code reader'), 1n)).toBe(0n)
      check.executor.close()
    })

    test('that called an account does not hold where the account was made anew before its place', async () => {
      const check = open('shanghai')
      expect((await check.run(world(), [make(0), count(1), count(2)])).difference).toBeUndefined()
      const { difference, result, state } = await check.next([destroy(3), make(4), count(5), count(6)])
      expect(difference).toBeUndefined()
      expect(result.exits['code conflict']).toBeGreaterThan(0)
      expect(state.storage(CHILD, 0n)).toBe(2n)
      check.executor.close()
    })
  })

describe('the writes of a batch', () => {
  test('delete an account once, however often it went and was made anew', async () => {
    const check = new BatchCheck({ fork: 'shanghai' })
    await check.run(world(), [make(0), count(1)])
    const { difference, result } = await check.next([destroy(2), make(3), count(4), destroy(5), make(6), count(7)])
    expect(difference).toBeUndefined()
    const { deletedAccounts } = result.writes
    const deleted = Array.from({ length: deletedAccounts.length / 5 }, (_, n) => addressToHex(deletedAccounts, 5 * n))
    expect(deleted.filter((address) => address === CHILD)).toHaveLength(1)
    check.executor.close()
  })

  test('do not delete an account that was made and went in the batch, and make no account twice', async () => {
    const check = new BatchCheck({ fork: 'shanghai' })
    const { difference, result } = await check.run(world(), [make(0), destroy(1), make(2), destroy(3)])
    expect(difference).toBeUndefined()
    const { deletedAccounts } = result.writes
    const deleted = Array.from({ length: deletedAccounts.length / 5 }, (_, n) => addressToHex(deletedAccounts, 5 * n))
    expect(deleted.filter((address) => address === CHILD).length).toBeLessThan(2)
    check.executor.close()
  })
})

describe('rounds on the device', () => {
  test('are not run for a transaction that left for another reason than a conflict', async () => {
    const check = new BatchCheck({ fork: 'prague', device, recordFrom: 1, programs: 'always' })
    const board = stranger(62)
    const state = world()
    // Without calldata stores the sum of both slots for its caller. Word 0 is the slot to write: 7, or the size of the
    // code of word 1.
    state.setAccount(board, {
      nonce: 1n,
      code: assemble(`CALLDATASIZE PUSH @write JUMPI PUSH 0 SLOAD PUSH 1 SLOAD ADD CALLER SSTORE STOP
        write: PUSH 32 CALLDATALOAD EXTCODESIZE PUSH 7 ADD PUSH 0 CALLDATALOAD SSTORE STOP`),
    })
    const owner = signerOf('owner')
    const write = (n: number, slot: bigint, looked: string) =>
      by(sender(n), board, 0n, { data: `${word(slot)}${wordOf(looked).slice(2)}` })
    const readers = Array.from({ length: 9 }, (_, n) => by(sender(3 + n), board, 0n))
    const batch = [write(0, 0n, stranger(0)), delegation(1), write(2, 1n, owner), ...readers]
    const { difference, result } = await check.run(state, batch)
    expect(difference).toBeUndefined()
    expect(result.exits).toEqual({ 'set code': 1, 'code conflict': 1 })
    // One, where both slots have been written: a round at the one that left would know the first alone.
    expect(result.rounds).toBe(2)
    check.executor.close()
  })
})

describe('a lane of a range whose wave is the first of its batch', () => {
  test('reads what stood before the batch, not what the batch has written since', async () => {
    const check = new BatchCheck({ device, recordFrom: 1, programs: 'always', range: 2 })
    const board = contractAddress('price board')
    const read = (n: number, nonce: bigint) => by(sender(n), board, nonce, { data: word(0n) })
    const pay = (n: number, nonce: bigint) => by(sender(n), stranger(0), nonce, { value: 1n })
    /** On the CPU tier. */
    const set = (n: number, price: bigint, nonce: bigint): TransactionObject => {
      const { gasPrice: _, ...call } = by(sender(n), board, 0n, { data: word(price) })
      const authorizations = [authorizationBy('owner', stranger(0), nonce, 1n)]
      return { ...call, type: 4, maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations }
    }
    expect((await check.run(world(), [read(0, 0n), read(1, 0n)])).difference).toBeUndefined()
    const ranges = [set(2, 5n, 0n), pay(3, 0n), pay(4, 0n), pay(5, 0n), set(6, 77n, 1n), pay(7, 0n)]
    const { difference, result } = await check.next([...ranges, read(8, 0n), read(9, 0n)])
    expect(difference).toBeUndefined()
    expect(result.tiers.pathProgram).toBe(2)
    check.executor.close()
  })
})
