import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { batchAllocation, contractAddress, sender, stranger, word } from '../fixtures/batch_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

const ETHER = 10n ** 18n
const WALLET = stranger(80)
const OTHER_WALLET = stranger(81)
const OWNER = signerOf('owner')

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
})
