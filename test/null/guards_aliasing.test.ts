import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import { bytesToWord } from '../../transpiler/skeleton.ts'
import { assemble } from '../fixtures/assembler.ts'
import { expectHolds, expectNeedsGuard, pathOf, pathThatHolds } from '../fixtures/path_claims.ts'
import {
  abi,
  account,
  COINBASE,
  contract,
  ENVIRONMENT,
  SENDER,
  transaction,
  wordBytes,
  worldOf,
} from '../fixtures/world.ts'

const A = 0xaaaa000000000000000000000000000000000001n
const B = 0xbbbb000000000000000000000000000000000002n

/** Leaves keccak(address on the stack . slot), the place of a Solidity mapping entry. */
const mappingKey = (slot: number): string => `PUSH 0 MSTORE PUSH ${slot} PUSH 32 MSTORE PUSH 64 PUSH 0 KECCAK256`
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`

/** balances[caller] -= amount; balances[to] += amount, each balance in its own slot, as an ERC-20 does. */
const TOKEN = assemble(`
  ${argument(1)}
  CALLER ${mappingKey(0)} SLOAD SUB CALLER ${mappingKey(0)} SSTORE
  ${argument(0)} ${mappingKey(0)} SLOAD ${argument(1)} ADD ${argument(0)} ${mappingKey(0)} SSTORE`)

const balanceSlot = (holder: bigint): bigint =>
  bytesToWord(keccak_256(Uint8Array.from([...wordBytes(holder), ...wordBytes(0n)])))

const transfer = (to: bigint, amount: bigint) => transaction({ data: abi(0xa9059cbb, to, amount) })

describe('storage aliasing', () => {
  test('a transfer recorded between two holders exits on a self-transfer', async () => {
    const world = worldOf(TOKEN, [
      [balanceSlot(SENDER), 100n],
      [balanceSlot(A), 7n],
    ])
    const path = await pathThatHolds(world, transfer(A, 5n))
    await expectHolds(path, world, transfer(B, 6n))
    await expectNeedsGuard(path, /^slot .* is not slot/, world, transfer(SENDER, 5n))
  })

  test('a self-transfer has a path that exits between two holders', async () => {
    const world = worldOf(TOKEN, [[balanceSlot(SENDER), 100n]])
    const path = await pathThatHolds(world, transfer(SENDER, 5n))
    await expectHolds(path, world, transfer(SENDER, 9n))
    await expectNeedsGuard(path, /^slot .* is slot /, world, transfer(A, 5n))
  })

  test('slots that were different exit where calldata makes them one', async () => {
    const world = worldOf(
      assemble(`PUSH 5 ${argument(0)} SSTORE PUSH 6 ${argument(1)} SSTORE ${argument(0)} SLOAD PUSH 9 SSTORE`),
    )
    const call = (a: bigint, b: bigint) => transaction({ data: abi(1, a, b) })
    const path = await pathThatHolds(world, call(1n, 2n))
    await expectHolds(path, world, call(3n, 4n))
    await expectNeedsGuard(path, /is not slot/, world, call(4n, 4n))
    await expectNeedsGuard(path, /is not slot/, world, call(3n, 9n))
  })

  test('keys of two mappings need no guard, and one key of both is right without', async () => {
    const code = `PUSH 5 ${argument(0)} ${mappingKey(0)} SSTORE ${argument(1)} ${mappingKey(1)} SLOAD PUSH 0 SSTORE`
    const world = worldOf(assemble(code))
    const path = await pathThatHolds(world, transaction({ data: abi(1, A, B) }))
    expect(path.effects.filter((effect) => effect.kind === 'guard' && /slot/.test(effect.meaning))).toEqual([])
    await expectHolds(path, world, transaction({ data: abi(1, A, A) }))
  })

  test('keys that come from one hash by different offsets need no guard', async () => {
    const key = `${argument(0)} ${mappingKey(0)}`
    const world = worldOf(assemble(`PUSH 5 ${key} SSTORE PUSH 6 ${key} PUSH 1 ADD SSTORE`))
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    expect(path.effects.filter((effect) => effect.kind === 'guard' && /slot/.test(effect.meaning))).toEqual([])
    await expectHolds(path, world, transaction({ data: abi(1, B) }))
  })

  test('a slot loaded again where it was the same slot exits where it is another', async () => {
    const world = worldOf(assemble(`PUSH 5 ${argument(0)} SSTORE ${argument(1)} SLOAD PUSH 0x100 SSTORE`), [[7n, 70n]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 3n, 3n) }))
    await expectNeedsGuard(path, /^slot .* is slot/, world, transaction({ data: abi(1, 3n, 7n) }))
  })

  test('the cold price of a slot follows aliasing with a slot that is only read', async () => {
    const world = worldOf(assemble(`${argument(0)} SLOAD ${argument(1)} SLOAD ADD PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`))
    const path = await pathThatHolds(world, transaction({ data: abi(1, 3n, 4n) }))
    await expectNeedsGuard(path, /is not slot/, world, transaction({ data: abi(1, 3n, 3n) }))
  })

  test('one key in two accounts is two slots without a guard on the keys', async () => {
    const callee = assemble(`PUSH 9 ${argument(0)} SSTORE`)
    const call = `${argument(0)} PUSH 4 MSTORE PUSH 0 PUSH 0 PUSH 36 PUSH 0 PUSH 0 PUSH20 ${A} GAS CALL POP`
    const world = worldOf(
      assemble(`PUSH 5 ${argument(0)} SSTORE ${call} ${argument(0)} SLOAD PUSH 0x77 SSTORE`),
      [],
      [[A, contract(callee)]],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, 3n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 4n) }))
  })
})

describe('transient storage aliasing', () => {
  const world = worldOf(
    assemble(`PUSH 5 ${argument(0)} TSTORE PUSH 6 ${argument(1)} TSTORE ${argument(0)} TLOAD PUSH 0 SSTORE`),
  )
  const call = (a: bigint, b: bigint) => transaction({ data: abi(1, a, b) })

  test('keys that differed exit where they coincide', async () => {
    const path = await pathThatHolds(world, call(1n, 2n))
    await expectHolds(path, world, call(8n, 9n))
    await expectNeedsGuard(path, /^transient slot .* is not/, world, call(2n, 2n))
  })

  test('keys that coincided exit where they differ', async () => {
    const path = await pathThatHolds(world, call(1n, 1n))
    await expectNeedsGuard(path, /^transient slot .* is /, world, call(1n, 2n))
  })

  test('a reverted frame leaves transient storage as it was', async () => {
    const callee = assemble('PUSH 9 PUSH 1 TSTORE PUSH 0 PUSH 0 REVERT')
    const code = `PUSH 5 PUSH 1 TSTORE PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${A} GAS DELEGATECALL POP PUSH 1 TLOAD PUSH 0 SSTORE`
    await pathThatHolds(worldOf(assemble(code), [], [[A, contract(callee)]]), transaction())
  })
})

describe('account aliasing', () => {
  const returnGas = 'GAS PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN'
  const world = worldOf(
    assemble(`${argument(0)} BALANCE ${argument(1)} BALANCE ADD PUSH 0 SSTORE ${returnGas}`),
    [],
    [
      [A, account({ balance: 3n })],
      [B, account({ balance: 4n })],
      [COINBASE, account({ balance: 5n })],
    ],
  )
  const call = (a: bigint, b: bigint) => transaction({ data: abi(1, a, b) })

  test('an account that was cold exits where it is one that was touched before', async () => {
    const path = await pathThatHolds(world, call(A, B))
    await expectHolds(path, world, call(B, A))
    await expectHolds(path, world, call(B, 0xdead00n))
    await expectNeedsGuard(path, /^account .* is not/, world, call(A, A))
  })

  test('an account that was warm from an earlier access exits where it is another', async () => {
    const path = await pathThatHolds(world, call(A, A))
    await expectNeedsGuard(path, /^account .* is /, world, call(A, B))
  })

  test('an account that was cold exits where it is the coinbase, warm from Shanghai', async () => {
    const path = await pathThatHolds(world, call(A, B))
    await expectNeedsGuard(path, /is not the coinbase/, world, call(COINBASE, B))
    const moved = { ...transaction(), data: call(A, B).data, environment: { ...ENVIRONMENT, coinbase: B } }
    await expectNeedsGuard(path, /is not the coinbase/, world, moved)
  })

  test('the coinbase exits where the block has another', async () => {
    const path = await pathThatHolds(world, call(COINBASE, B))
    const moved = {
      ...transaction(),
      data: call(COINBASE, B).data,
      environment: { ...ENVIRONMENT, coinbase: 0xc1000n },
    }
    await expectNeedsGuard(path, /is the coinbase/, world, moved)
  })

  test('an account that was cold exits where it is the sender, who is warm and has paid for gas', async () => {
    const hashes = worldOf(
      assemble(`${argument(0)} EXTCODEHASH PUSH 0 SSTORE ${returnGas}`),
      [],
      [[A, account({ balance: 3n })]],
    )
    const path = await pathThatHolds(hashes, call(A, 0n))
    await expectNeedsGuard(path, /is not the sender/, hashes, call(SENDER, 0n))
  })

  test('an account that was cold exits where it is the entry account', async () => {
    const path = await pathThatHolds(world, call(A, B))
    await expectNeedsGuard(path, /^account .* is not/, world, call(transaction().to, B))
  })

  test('an address with dirty upper bits is the account of its lower 160 bits', async () => {
    const path = await pathThatHolds(world, call(A, B))
    await expectHolds(path, world, call(A + (7n << 160n), B))
    await expectNeedsGuard(path, /^account .* is not/, world, call(A, A + (7n << 200n)))
  })

  test('a precompile exits where an ordinary account was recorded', async () => {
    const path = await pathThatHolds(world, call(A, B))
    await expectNeedsGuard(path, /is no precompile/, world, call(4n, B))
  })
})

test('a lane that no guard stops on another state is right', async () => {
  const world = worldOf(TOKEN, [[balanceSlot(SENDER), 100n]])
  const path = await pathOf(world, transfer(A, 5n))
  for (const held of [0n, 5n, 99n]) {
    await expectHolds(path, worldOf(TOKEN, [[balanceSlot(SENDER), held]]), transfer(B, 5n))
  }
})
