import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../../bench/random.ts'
import { createOpenBatch } from '../../host/batch/open_batch.ts'
import type { TransactionBatch, TransactionObject } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { LEFT } from '../../host/chain/rules_request.ts'
import { sliceBatch } from '../../host/flows/call_pipeline.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { ResidentState } from '../../host/state/tables/resident_tables.ts'
import { codeSkeleton } from '../../transpiler/index.ts'
import { FORKS, type Fork } from '../../transpiler/spec/forks.ts'
import { BATCH_ENV } from '../fixtures/batch_world.ts'
import { rulesPassFor } from '../fixtures/rules_pass.ts'

const address = (n: number): string => `0x${(0xabc0 + n).toString(16).padStart(40, '0')}`
const FEES = [0n, 1n, 6n, 7n, 8n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 64n + 7n, 2n ** 255n]
const LIMITS = [
  0n,
  20_999n,
  21_000n,
  22_000n,
  22_400n,
  22_800n,
  24_999n,
  25_000n,
  53_000n,
  2n ** 24n,
  2n ** 24n + 1n,
  2n ** 53n + 1n,
  2n ** 64n - 1n,
]
const VALUES = [0n, 1n, 2n ** 64n - 1n, 2n ** 128n, 2n ** 192n, 2n ** 256n - 1n]

const bytesOf = (random: Random, length: number): string =>
  Buffer.from(Array.from({ length }, () => (random.below(2) === 0 ? 0 : random.below(256)))).toString('hex')

const transaction = (random: Random): TransactionObject => {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!
  const rare = (): boolean => random.below(12) === 0
  const type = rare() ? 3 : rare() ? 4 : (random.below(3) as 0 | 1 | 2)
  const fee = random.below(3) === 0 ? pick(FEES) : 20n
  return {
    type,
    from: address(random.below(9)),
    ...(rare() && type < 3 ? {} : { to: address(random.below(9)) }),
    nonce: rare() ? 2n ** 64n - 1n - BigInt(random.below(2)) : BigInt(random.below(3)),
    gasLimit: random.below(2) === 0 ? 60_000n : pick(LIMITS),
    value: random.below(2) === 0 ? 0n : pick(VALUES),
    ...(type < 2 ? { gasPrice: fee } : { maxFeePerGas: fee, maxPriorityFeePerGas: rare() ? pick(FEES) : 3n }),
    data: `0x${bytesOf(random, random.below(3) === 0 ? 0 : random.below(90))}`,
    ...(type > 0 && rare() ? { accessList: [{ address: address(1), storageKeys: [`0x${'07'.repeat(32)}`] }] } : {}),
    ...(type === 3 ? { maxFeePerBlobGas: 9n, blobVersionedHashes: [`0x01${'00'.repeat(31)}`] } : {}),
    ...(type === 4 ? { authorizations: [{ chainId: 1n, address: address(2), nonce: 0n, authority: address(3) }] } : {}),
  } as TransactionObject
}

const both = (batch: TransactionBatch, fork: Fork, baseFeePerGas: bigint) => {
  const env = { ...BATCH_ENV, baseFeePerGas, blobBaseFee: 3n }
  const resident = new ResidentState(new MemoryState(), codeSkeleton)
  // What the batch before left in the columns.
  const pass = rulesPassFor(batch, resident)
  pass.columns.u8(150 * batch.count).fill(0xa5)
  const again = rulesPassFor(batch, resident)
  return { alone: transactionRules(batch, fork, env), passed: transactionRules(batch, fork, env, again), pass: again }
}

describe('a pass over the rules of a batch', () => {
  it.each(FORKS)('gives what they are one by one, at %s', (fork) => {
    const random = createRandom(11, fork)
    for (const baseFee of [0n, 7n, 2n ** 64n - 1n, 2n ** 64n]) {
      const batch = encodeBatch(Array.from({ length: 200 }, () => transaction(random)))
      const { alone, passed, pass } = both(batch, fork, baseFee)
      expect(passed).toEqual(alone)
      expect(passed.rejection.includes(LEFT)).toBe(false)
      expect([pass.type, pass.nonce, pass.value]).toEqual([batch.type, batch.nonce, batch.value])
    }
  })

  it('takes chunk after chunk, and calldata that is more than its memory', () => {
    const random = createRandom(12, 'chunks')
    const long = (bytes: number) => ({
      ...transaction(random),
      to: address(1),
      data: `0x${bytesOf(random, 64).repeat(bytes / 64)}`,
    })
    const some = (count: number) => Array.from({ length: count }, () => transaction(random))
    const batch = encodeBatch([...some(700), long(1 << 20), ...some(500), long(1 << 20), long(4 << 20), ...some(1200)])
    for (const part of [batch, sliceBatch(batch, 650, 2100)]) {
      const { alone, passed } = both(part, 'osaka', 7n)
      expect(passed).toEqual(alone)
    }
  })

  it('opens a batch as one without it, whatever the batch before left', () => {
    const random = createRandom(14, 'opened')
    const batch = encodeBatch(Array.from({ length: 100 }, () => transaction(random)))
    const { alone, passed, pass } = both(batch, 'osaka', 7n)
    const opened = createOpenBatch(batch, BATCH_ENV, passed, undefined, pass)
    expect({ ...opened, pass: undefined }).toEqual(createOpenBatch(batch, BATCH_ENV, alone))
    expect(opened.tier.buffer).toBe(passed.cost.buffer)
  })

  it('adds what extras cost to a type that has none', () => {
    const batch = encodeBatch([{ from: address(1), to: address(2), nonce: 0n, gasLimit: 22_000n, gasPrice: 9n }])
    const authorization = { chainId: 1n, address: address(2), nonce: 0n, authority: address(3) }
    const odd = { ...batch, extras: new Map([[0, { authorizations: [authorization] }]]) }
    const { alone, passed } = both(odd, 'osaka', 7n)
    expect(passed).toEqual(alone)
    expect(passed.intrinsic[0]).toBe(21_000 + 25_000)
  })
})
