import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { type ComputeDevice, MemoryState, openDevice, type TransactionObject } from '../../host/index.ts'
import { assemble } from '../fixtures/assembler.ts'
import { BatchCheck } from '../fixtures/batch_check.ts'
import { batchAllocation, sender, stranger, word } from '../fixtures/batch_world.ts'
import { authorizationBy, signerOf } from '../fixtures/signed_authorization.ts'

const SEEDS = 24
const OWNERS = ['first owner', 'second owner', 'third owner']
const WITNESS = stranger(60)
/** Instances of one contract: each logs and returns a constant of its own. */
const INSTANCES = [61, 62, 63].map(stranger)
const NO_DELEGATION = `0x${'00'.repeat(20)}`

const alloc = {
  ...batchAllocation(),
  // Lanes find the code before the batch: where it has changed before their place, they do not stand.
  ...Object.fromEntries(
    OWNERS.map((name, n) => [
      signerOf(name),
      { nonce: 1n, balance: 10n ** 18n, code: assemble(`0xef0100${INSTANCES[n]!.slice(2)}`) },
    ]),
  ),
  [WITNESS]: {
    nonce: 1n,
    code: assemble(`
      PUSH 0 CALLDATALOAD EXTCODEHASH DUP1 PUSH 0 MSTORE
      PUSH 0 CALLDATALOAD EXTCODESIZE PUSH 32 MSTORE PUSH 64 PUSH 0 LOG1
      PUSH 64 PUSH 0 RETURN`),
  },
  ...Object.fromEntries(
    INSTANCES.map((address, n) => [
      address,
      {
        nonce: 1n,
        code: assemble(`0x7f${`${n + 1}c`.repeat(32)}600052 PUSH 0 MLOAD PUSH 32 PUSH 0 LOG1 PUSH 32 PUSH 0 RETURN`),
      },
    ]),
  ),
}

/** Calls that tell of code, and delegations that change it between them. */
const randomBatch = (seed: number): TransactionObject[] => {
  const random = createRandom(seed, 'delegated code')
  const nonces = OWNERS.map(() => 1n)
  return Array.from({ length: 12 }, (_, n) => {
    const k = random.below(OWNERS.length)
    const common = { from: sender(n), nonce: 0n, gasLimit: 300_000n }
    if (random.below(3) > 0) {
      const data = word(BigInt(signerOf(OWNERS[k]!)))
      const call = random.below(2) === 0 ? { to: WITNESS, data } : { to: signerOf(OWNERS[k]!) }
      return { ...common, ...call, gasPrice: 10n }
    }
    const target = [...INSTANCES, WITNESS, NO_DELEGATION][random.below(INSTANCES.length + 2)]!
    const authorizations = [authorizationBy(OWNERS[k]!, target, nonces[k]!++, 1n)]
    return { ...common, type: 4, to: stranger(0), maxFeePerGas: 10n, maxPriorityFeePerGas: 0n, authorizations }
  })
}

let device: ComputeDevice
let checks: readonly BatchCheck[]
beforeAll(async () => {
  device = await openDevice()
  const paths = { device, recordFrom: 1, programs: 'always' } as const
  checks = [
    new BatchCheck({ ...paths, waves: 'always' }),
    new BatchCheck({ ...paths, waves: 'worth' }),
    new BatchCheck({ device, paths: 'never', laneVm: 'always', waves: 'always' }),
  ]
})
afterAll(() => {
  for (const { executor } of checks) executor.close()
  device.destroy()
})

test('what is told of code in logs and output is of the place, whatever delegations come later', async () => {
  const counts = { pathProgram: 0, pathHost: 0, laneVm: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const check of checks) {
      const state = MemoryState.from(alloc)
      const { difference, result } = await check.run(state, randomBatch(seed))
      expect(difference, `seed ${seed}`).toBeUndefined()
      for (const tier of Object.keys(counts) as (keyof typeof counts)[]) counts[tier] += result.tiers[tier]
    }
  }
  for (const [tier, count] of Object.entries(counts)) expect(count, tier).toBeGreaterThan(0)
})
