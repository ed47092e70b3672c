import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ComputeDevice,
  createExecutor,
  MemoryState,
  openDevice,
  type TransactionObject,
} from '../../host/index.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { BATCH_ENV, batchAllocation, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

const ETHER = 10n ** 18n
const WALLET = stranger(80)
const OTHER_WALLET = stranger(81)
const OWNER = signerOf('owner')
/** Logs and returns the code hash of the account of word 0. */
const CODE_WITNESS = assemble(`
  PUSH 0 CALLDATALOAD EXTCODEHASH DUP1 PUSH 0 MSTORE PUSH 32 PUSH 0 LOG1
  PUSH 32 PUSH 0 RETURN`)
/** The same with the number of the call, which makes calls one after another a chain. */
const COUNTING_WITNESS = assemble(`
  PUSH 0 SLOAD PUSH 1 ADD DUP1 PUSH 0 SSTORE PUSH 32 MSTORE
  PUSH 0 CALLDATALOAD EXTCODEHASH DUP1 PUSH 0 MSTORE PUSH 64 PUSH 0 LOG1
  PUSH 64 PUSH 0 RETURN`)
const WITNESS = stranger(82)

let device: ComputeDevice
let check: BatchCheck
beforeAll(async () => {
  device = await openDevice()
  check = new BatchCheck({ device, recordFrom: 1, programs: 'always' })
})
afterAll(() => {
  check.executor.close()
  device.destroy()
})

const designator = (target: string): Uint8Array => assemble(`0xef0100${target.slice(2)}`)

/** Wallets that run `counter` and `forwarder`, and an owner who has signed nothing yet. */
const world = (): MemoryState =>
  MemoryState.from({
    ...batchAllocation(),
    [WALLET]: { nonce: 4n, balance: ETHER, code: designator(contractAddress('counter')) },
    [OTHER_WALLET]: { nonce: 4n, balance: ETHER, code: designator(contractAddress('forwarder')) },
    [OWNER]: { balance: ETHER },
    [stranger(0)]: { balance: 1n },
  })

const by = (from: string, to: string, nonce: bigint, fields: Partial<TransactionObject> = {}): TransactionObject => ({
  from,
  to,
  nonce,
  gasLimit: 300_000n,
  gasPrice: 10n,
  ...fields,
})
const callData = (target: string) => `0x${word(BigInt(target)).slice(2)}`
const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe('delegated accounts (EIP-7702)', () => {
  test('run on the device where they are called, in their own storage', async () => {
    const { difference, result, state } = await check.run(
      world(),
      times(4, (n) => by(sender(n), n % 2 === 0 ? WALLET : contractAddress('counter'), 0n)),
    )
    expect(difference).toBeUndefined()
    expect(state.storage(WALLET, 0n)).toBe(2n)
    expect(result.exits['no path']).toBeUndefined()
    expect(result.tiers.pathProgram).toBeGreaterThan(0)
  })

  test('pay from their own balance, also where they call themselves', async () => {
    const { difference } = await check.run(world(), [
      by(sender(0), OTHER_WALLET, 0n, { value: 5n, data: callData(stranger(0)) }),
      by(OTHER_WALLET, OTHER_WALLET, 4n, { value: 7n, data: callData(stranger(0)) }),
      by(OTHER_WALLET, OTHER_WALLET, 5n, { data: callData(WALLET) }),
      by(sender(1), contractAddress('forwarder'), 0n, { value: 9n, data: callData(OTHER_WALLET) }),
    ])
    expect(difference).toBeUndefined()
  })

  test('that change in the middle of a batch run what they are at their place', async () => {
    const authorizations = (target: string, nonce: bigint) => [authorizationBy('owner', target, nonce, 1n)]
    const set = (n: number, target: string, nonce: bigint) =>
      by(sender(n), stranger(0), 0n, {
        type: 4,
        maxFeePerGas: 10n,
        maxPriorityFeePerGas: 0n,
        authorizations: authorizations(target, nonce),
      })
    const { gasPrice: _, ...first } = set(0, contractAddress('counter'), 0n)
    const { gasPrice: __, ...second } = set(5, contractAddress('vault'), 1n)
    const { difference, state, result } = await check.run(world(), [
      by(sender(1), OWNER, 0n),
      first,
      by(sender(2), OWNER, 0n),
      by(sender(3), OWNER, 0n),
      second,
      by(sender(4), OWNER, 0n, { value: 3n }),
    ])
    expect(difference).toBeUndefined()
    expect(state.storage(OWNER, 0n)).toBe(2n)
    expect(state.storage(OWNER, BigInt(sender(4)))).toBe(3n)
    expect(result.rejected).toEqual([])
  })

  test('that change and change back hold in the lane VM where they are what a lane saw, and not between', async () => {
    const A = contractAddress('setter')
    const B = contractAddress('counter')
    const { gasPrice: _, ...plain } = by(sender(8), stranger(0), 0n)
    const toward = (target: string, ownerNonce: bigint, nonce: bigint): TransactionObject => ({
      ...plain,
      nonce,
      type: 4,
      maxFeePerGas: 10n,
      maxPriorityFeePerGas: 0n,
      authorizations: [authorizationBy('owner', target, ownerNonce, 1n)],
    })
    const set = (n: number): TransactionObject =>
      by(sender(n), OWNER, 0n, { data: `0x${[n + 20, 7].map((value) => word(BigInt(value)).slice(2)).join('')}` })
    const hash = (n: number): TransactionObject => by(sender(n), WITNESS, 0n, { data: callData(OWNER) })
    const before = MemoryState.from({
      ...batchAllocation(),
      [OWNER]: { nonce: 1n, balance: ETHER, code: designator(A) },
      [WITNESS]: { nonce: 1n, code: CODE_WITNESS },
    })
    const transactions = [set(0), hash(1), toward(B, 1n, 0n), set(2), hash(3), toward(A, 2n, 1n), set(4), hash(5)]
    for (const options of [{ waves: 'always' }, {}] as const) {
      const lanes = new BatchCheck({ fork: 'prague', device, paths: 'never', laneVm: 'always', workers: 0, ...options })
      const { difference, result } = await lanes.run(before, transactions)
      expect(difference).toBeUndefined()
      // What ran on A is what stands before B, and again after it.
      expect(result.exits['code conflict']).toBe(2)
      expect(result.tiers).toMatchObject({ laneVm: 4, cpu: 4 })
      lanes.executor.close()
    }
  })

  test('are in logs, output and roots as they were at the place, whatever they are when receipts are read', async () => {
    const before = designator(contractAddress('counter'))
    const state = MemoryState.from({
      ...batchAllocation(),
      [WITNESS]: { nonce: 1n, code: CODE_WITNESS },
      [OWNER]: { nonce: 1n, balance: ETHER, code: before },
    })
    const redelegate = (n: number, target: string, nonce: bigint): TransactionObject => {
      const { gasPrice: _, ...call } = by(sender(n), stranger(0), 0n)
      const authorizations = [authorizationBy('owner', target, nonce, 1n)]
      return { ...call, type: 4, maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations }
    }
    const witnesses = times(3, (n) => by(sender(n), WITNESS, 0n, { data: callData(OWNER) }))
    const first = [...witnesses, redelegate(5, contractAddress('vault'), 1n)]
    const { difference } = await check.run(state.clone(), first)
    expect(difference).toBeUndefined()

    const options = { device, compile: 'wait', recordFrom: 1, waves: 'always', laneVm: 'never', workers: 0 } as const
    const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, ...options })
    const { receipts, tiers } = await executor.execute({ env: BATCH_ENV, transactions: first })
    expect(tiers.pathKernel + tiers.pathProgram).toBe(3)
    await executor.execute({ env: BATCH_ENV, transactions: [redelegate(6, contractAddress('forwarder'), 2n)] })
    const hash = `0x${Buffer.from(keccak256(before)).toString('hex')}`
    for (const n of [0, 1, 2]) {
      expect(receipts.get(n)!.output, `transaction ${n}`).toBe(hash)
      expect(receipts.get(n)!.logs[0]).toEqual({ address: WITNESS, topics: [hash], data: hash })
    }
    executor.close()
  })

  test('are in what ran at its place as they were there, whatever they are when receipts are read', async () => {
    const onHost = new BatchCheck({ device, recordFrom: 1, programs: 'always', waves: 'worth' })
    const state = MemoryState.from({
      ...batchAllocation(),
      [WITNESS]: { nonce: 1n, code: COUNTING_WITNESS },
      [OWNER]: { nonce: 1n, balance: ETHER, code: designator(contractAddress('counter')) },
    })
    const redelegate = (n: number, target: string, nonce: bigint): TransactionObject => {
      const { gasPrice: _, ...call } = by(sender(n), stranger(0), 0n)
      const authorizations = [authorizationBy('owner', target, nonce, 1n)]
      return { ...call, type: 4, maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations }
    }
    const witness = (n: number) => by(sender(n), WITNESS, 0n, { data: callData(OWNER) })
    const transactions = [...times(4, witness), redelegate(5, contractAddress('vault'), 1n), witness(6), witness(7)]
    const { difference, result } = await onHost.run(state, transactions)
    expect(difference).toBeUndefined()
    expect(result.tiers.pathHost).toBe(4)
    onHost.executor.close()
  })
})
