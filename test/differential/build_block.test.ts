import { RLP } from '@ethereumjs/rlp'
import { bigIntToUnpaddedBytes } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import { accessDifference, decodeAccessList, encodeAccessList } from '../../host/chain/access_list.ts'
import { decode } from '../../host/chain/decode.ts'
import { decodeTransaction, type TransactionInputError } from '../../host/chain/encode_batch.ts'
import { type BlobSchedule, blobScheduleAt, environmentOf } from '../../host/chain/header.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import type { BuiltBlock } from '../../host/flows/build.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { createExecutor } from '../../host/index.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { createStateTrie, stateRootOf } from '../../host/state/trie/trie.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { contractAddress } from '../fixtures/batch_world.ts'
import {
  ATTRIBUTES,
  type BlockWorld,
  blockAllocation,
  blockWorld,
  keyed,
  PROPOSER,
  randomPool,
  runByVm,
  signed,
} from '../fixtures/block_world.ts'

const WITHDRAWALS = [
  { index: 5n, validatorIndex: 1n, address: keyed(3), amount: 7n },
  { index: 6n, validatorIndex: 2n, address: `0x${'77'.repeat(20)}`, amount: 32_000_000_000n },
  { index: 7n, validatorIndex: 2n, address: `0x${'78'.repeat(20)}`, amount: 0n },
]

const build = async (world: BlockWorld, pool: readonly Uint8Array[], more: object = {}) => {
  const state = world.state.clone()
  const parentState = createStateTrie(state.dump())
  const executor = createExecutor({ fork: world.fork, chainId: 1n, state, workers: 0 })
  try {
    const attributes = { ...ATTRIBUTES, ...(world.fork === 'paris' ? {} : { withdrawals: WITHDRAWALS }) }
    const built = await executor.build({
      parent: world.parent,
      attributes,
      pool,
      parentState,
      accessList: true,
      ...more,
    })
    return { built, state, parentState }
  } finally {
    executor.close()
  }
}

/** Executes the block on the state before it. */
const execute = async (world: BlockWorld, block: BuiltBlock['block'], withList = true) => {
  const state = world.state.clone()
  const parentState = createStateTrie(state.dump())
  const executor = createExecutor({ fork: world.fork, chainId: 1n, state, workers: 0 })
  try {
    const { accessList: _, ...bare } = block
    const options = { parent: world.parent, parentState, accessList: true }
    return { result: await executor.executeBlock(withList ? block : bare, options), state }
  } finally {
    executor.close()
  }
}

const priorityOf = (fork: Fork, built: BuiltBlock): { from: string; nonce: number; tip: bigint }[] => {
  const batch = decodeSigned(built.block.transactions as Uint8Array[], { chainId: 1n })
  const schedule = blobScheduleAt(fork, 1n, 0n) as BlobSchedule | undefined
  const rules = transactionRules(batch, fork, environmentOf(built.block.header, fork, schedule))
  return Array.from({ length: batch.count }, (_, i) => ({
    from: batch.from.subarray(5 * i, 5 * i + 5).join(),
    nonce: batch.nonce[2 * i]!,
    tip: wordToBigInt(rules.priority, 8 * i),
  }))
}

describe('executor.build', () => {
  it.each([
    ['paris', 1],
    ['shanghai', 2],
    ['cancun', 3],
    ['prague', 4],
    ['osaka', 6],
  ] as const)(
    'makes a block at %s that executes to itself, here and in @ethereumjs/vm (seed %i)',
    async (fork, seed) => {
      const world = blockWorld(fork)
      const pool = randomPool(seed, world, 25)
      const { built, state, parentState } = await build(world, pool)
      expect(built.order.length).toBeGreaterThan(5)
      expect(parentState.root).toBe(stateRootOf(state.dump()))
      expect(built.block.header.stateRoot).toBe(parentState.root)

      const again = await execute(world, built.block)
      expect(again.result.stateRoot).toBe(parentState.root)
      expect(stateRootOf(again.state.dump())).toBe(parentState.root)
      expect(accessDifference(again.result.accessList!, built.accessList!)).toBeUndefined()
      expect(decodeAccessList(encodeAccessList(built.accessList!))).toEqual(built.accessList)

      // Every root is compared by the other side; it throws where one differs.
      const theirs = await runByVm(world, built.block, false)
      expect(bytesToHex(theirs.stateRoot)).toBe(parentState.root)
      expect(theirs.gasUsed).toBe(built.block.header.gasUsed)
      if (fork !== 'prague' && fork !== 'osaka') return
      const listed = await runByVm(world, built.block, true)
      const list = decodeAccessList(listed.blockLevelAccessList!.serialize())
      expect(accessDifference(built.accessList!, list)).toBeUndefined()
    },
  )

  it('orders by what is paid per gas, each sender by nonce', async () => {
    const world = blockWorld('prague')
    const { built } = await build(world, randomPool(11, world, 60))
    const transactions = priorityOf('prague', built)
    const done = new Map<string, number>()
    for (const [n, { from, nonce, tip }] of transactions.entries()) {
      if (done.has(from)) expect(nonce).toBe(done.get(from)! + 1)
      done.set(from, nonce)
      // Whoever pays more and comes later had to wait for an own transaction in front.
      for (const later of transactions.slice(n + 1)) {
        if (later.tip <= tip) continue
        const waited = transactions.slice(n, transactions.indexOf(later)).some((one) => one.from === later.from)
        expect(waited, `${later.tip} behind ${tip}`).toBe(true)
      }
    }
  })

  it('moves calls of a contract that others call later, where pay and nonces leave it open', async () => {
    const world = blockWorld('prague')
    const call = (n: number, name: string, nonce: bigint, gasPrice: bigint) =>
      signed({ from: keyed(n), to: contractAddress(name), nonce, gasLimit: 200_000n, gasPrice, data: '0x01' }, 'prague')
    const pool = [
      call(0, 'counter', 0n, 20n),
      call(1, 'counter', 0n, 20n),
      call(2, 'counter', 0n, 20n),
      call(1, 'setter', 1n, 20n),
      call(3, 'setter', 0n, 20n),
      call(4, 'pool', 0n, 20n),
      call(5, 'counter', 0n, 30n),
      call(6, 'counter', 0n, 11n),
      call(7, 'pool', 0n, 11n),
    ]
    // Ranks among those that pay 20: counter 0, 1, 2; setter 0 (but its sender is at 1), then 1; pool 0.
    expect((await build(world, pool)).built.order).toEqual([6, 0, 5, 1, 3, 4, 2, 7, 8])
  })

  it('keeps the gas limit, and leaves for later what does not fit', async () => {
    const world = blockWorld('prague')
    const small = { ...world, parent: { ...world.parent, gasLimit: 84_000n, gasUsed: 42_000n } }
    const transfer = (n: number, nonce: bigint, gasPrice: bigint, gasLimit = 21_000n) =>
      signed({ from: keyed(n), to: PROPOSER, nonce, gasLimit, gasPrice }, 'prague')
    const pool = [
      transfer(0, 0n, 30n),
      transfer(1, 0n, 29n, 84_000n),
      transfer(2, 0n, 28n),
      transfer(3, 0n, 27n),
      transfer(4, 0n, 26n),
      transfer(4, 1n, 25n),
      transfer(5, 7n, 40n),
      transfer(6, 0n, 9n),
      transfer(7, 0n, 33n, 20_999n),
      transfer(0, 0n, 12n),
    ]
    const { built } = await build(small, pool, {})
    expect(built.order).toEqual([0, 2, 3, 4])
    expect(built.block.header.gasUsed).toBe(84_000n)
    expect(built.left.map(({ index, code }) => [index, code])).toEqual([
      [1, REJECTION.gasLimitReached],
      [5, REJECTION.gasLimitReached],
      [6, REJECTION.nonceTooHigh],
      [7, REJECTION.feeCapBelowBaseFee],
    ])
    expect(built.dropped.map(({ index, code }) => [index, code])).toEqual([
      [8, REJECTION.intrinsicGas],
      [9, REJECTION.nonceTooLow],
    ])
    expect((await execute(small, built.block)).result.gasUsed).toBe(84_000n)
  })

  it('makes an empty block of an empty pool', async () => {
    const world = blockWorld('osaka')
    const { built } = await build(world, [])
    expect(built.order).toEqual([])
    await execute(world, built.block)
    await runByVm(world, built.block, false)
  })

  it('commits nothing where it fails', async () => {
    const world = blockWorld('prague')
    const state = world.state.clone()
    // EIP-7002: without its contract no block may stand.
    state.setAccount('0x00000961ef480eb55e80d19ad83579a64c007002', {})
    const parentState = createStateTrie(state.dump())
    const before = parentState.root
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
    const pool = randomPool(12, world, 5)
    const request = { parent: { ...world.parent, stateRoot: before }, attributes: ATTRIBUTES, pool, parentState }
    await expect(executor.build(request)).rejects.toThrow('has no code')
    expect(parentState.root).toBe(before)
    expect(stateRootOf(state.dump())).toBe(before)
    executor.close()
  })

  it('refuses a time that is not above that of the parent', async () => {
    const world = blockWorld('prague')
    const { timestamp } = world.parent
    const at = (time: bigint) => build(world, [], { attributes: { ...ATTRIBUTES, timestamp: time } })
    for (const time of [timestamp, timestamp - 1n])
      await expect(at(time)).rejects.toMatchObject({ name: 'BlockError', field: 'timestamp' })
    expect((await at(timestamp + 1n)).built.block.header.timestamp).toBe(timestamp + 1n)
  })

  it('refuses a trie that is not at the state root of the parent, and so does executeBlock', async () => {
    const world = blockWorld('prague')
    const pool = randomPool(12, world, 5)
    const elsewhere = createStateTrie({})
    const message = `parentState must be at the parent's state root ${world.parent.stateRoot}, its root is ${elsewhere.root}`
    await expect(build(world, pool, { parentState: elsewhere })).rejects.toMatchObject({ name: 'InputError', message })
    const { built } = await build(world, pool)
    const state = world.state.clone()
    const before = state.dump()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0 })
    const options = { parent: world.parent, parentState: elsewhere }
    await expect(executor.executeBlock(built.block, options)).rejects.toMatchObject({ name: 'InputError', message })
    expect(elsewhere.root).toBe(createStateTrie({}).root)
    expect(state.dump()).toEqual(before)
    executor.close()
  })

  it('drops what cannot be read, with its reason, and builds the block that the rest gives', async () => {
    const world = blockWorld('prague')
    const good = randomPool(12, world, 5)
    const broken: readonly [unknown, string][] = [
      [new Uint8Array(0), 'no bytes'],
      ['0x02', 'expected the bytes of a signed transaction'],
      [undefined, 'expected the bytes of a signed transaction'],
      [new Uint8Array([0x02, 0xc0]), 'a transaction of type 2 is a list of 12 fields'],
      [new Uint8Array([0x05, 1, 2]), 'type 5 is not supported'],
      [good[0]!.slice(0, -5), 'malformed RLP'],
      // The last byte of s.
      [withByte(good[0]!, good[0]!.length - 33, 0), ''],
      [withByte(good[1]!, 0, 0x7e), 'type 126 is not supported'],
    ]
    const pool = [...broken.slice(0, 4), ...good, ...broken.slice(4)].map((entry) =>
      Array.isArray(entry) ? entry[0] : entry,
    ) as Uint8Array[]
    const { built } = await build(world, pool)
    const clean = await build(world, good)
    const isBroken = (index: number): boolean => index < 4 || index >= 4 + good.length
    expect(built.hash).toBe(clean.built.hash)
    expect(built.order.map((i) => i - 4)).toEqual(clean.built.order)
    const dropped = built.dropped.filter(({ index }) => isBroken(index))
    expect(built.left.filter(({ index }) => isBroken(index))).toEqual([])
    expect(dropped.map(({ code }) => code)).toEqual(broken.map(() => REJECTION.malformed))
    for (const [n, [, reason]] of broken.entries())
      expect(dropped[n]!.reason.startsWith(`malformed transaction: ${reason}`), dropped[n]!.reason).toBe(true)
  })

  it('drops what cannot be read of a pool that comes decoded', async () => {
    const world = blockWorld('prague')
    const pool = randomPool(6, world, 5)
    const batch = decodeSigned(pool, { chainId: 1n })
    const decoded = pool.map((_, i) => decodeTransaction(batch, i))
    const { built: clean } = await build(world, pool, { decoded })
    const raw = [pool[0]!, ...pool, 7 as unknown as Uint8Array]
    const { built } = await build(world, raw, {
      decoded: [{ ...decoded[0]!, value: -1n }, ...decoded, decoded[0]!],
    })
    expect(built.hash).toBe(clean.hash)
    const broken = built.dropped.filter(({ code }) => code === REJECTION.malformed)
    expect(broken.map(({ index, reason }) => `${index}: ${reason}`)).toEqual([
      '0: malformed transaction: value must be between 0 and 2^256 - 1, got -1',
      `${1 + pool.length}: malformed transaction: expected the bytes of a signed transaction`,
    ])
  })

  it.each(['shanghai', 'prague'] as const)(
    'drops rows without a sender of a pool that comes decoded, at %s',
    async (fork) => {
      const nobody = `0x${'00'.repeat(20)}`
      const world = blockWorld(fork, { ...blockAllocation(), [nobody]: { balance: 10n ** 20n } })
      const good = [0, 1].map((n) =>
        signed({ from: keyed(n), to: keyed(2), nonce: 0n, gasLimit: 21_000n, gasPrice: 20n, value: 1n }, fork),
      )
      const keyless = [
        withoutKey([big(0n), big(2000n), big(21_000n), TO, big(1n), NONE, big(27n)]),
        delegatingWithoutKey,
      ]
      const pool = [...keyless, ...good]
      const { built: clean } = await build(world, good)
      const faults = new Map<number, TransactionInputError>()
      const executor = createExecutor({ fork, chainId: 1n, state: world.state.clone(), workers: 0 })
      const decoded = await executor.decode(pool, { faults })
      executor.close()
      expect([...faults.values()].map(({ reason }) => reason)).toEqual(
        keyless.map(() => 'the signature has no public key'),
      )
      const { built } = await build(world, pool, { decoded })
      expect(built.hash).toBe(clean.hash)
      expect(built.order).toEqual([2, 3])
      const reason = 'malformed transaction: expected a sender, got none'
      const code = REJECTION.malformed
      expect([...built.dropped, ...built.left]).toEqual(keyless.map((_, index) => ({ index, code, reason })))
      // Without recovery no row has one.
      const { batch } = decode(pool, { chainId: 1n })
      const { built: empty } = await build(world, pool, { decoded: batch })
      expect(empty.order).toEqual([])
      expect(empty.dropped).toEqual(pool.map((_, index) => ({ index, code, reason })))
    },
  )
})

const big = (value: bigint): Uint8Array => bigIntToUnpaddedBytes(value)
const NONE = new Uint8Array(0)
const TO = new Uint8Array(20).fill(0xbb)
/** No point of the curve has this x. */
const NO_POINT = big(5n)

/** The fields up to v, with a signature that no key makes. */
const withoutKey = (fields: readonly unknown[]): Uint8Array => RLP.encode([...fields, NO_POINT, big(5n)] as never)

const authorization = [big(1n), TO, NONE, NONE, big(1n), big(1n)]
const delegatingWithoutKey = Uint8Array.of(
  4,
  ...withoutKey([big(1n), NONE, big(1n), big(2000n), big(100_000n), TO, big(1n), NONE, [], [authorization], NONE]),
)

const withByte = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = value
  return copy
}
