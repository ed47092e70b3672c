import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import { lowerPath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { expectHolds, expectNeedsGuard, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, ENVIRONMENT, transaction, wordBytes, worldOf } from '../fixtures/world.ts'

/**
 * Calls precompile `address` with all of calldata after the selector; logs what came back and whether it succeeded.
 */
const caller = (address: number, gas = 'GAS', outLength = 0): Uint8Array =>
  assemble(`PUSH 4 CALLDATASIZE SUB DUP1 PUSH 4 PUSH 0 CALLDATACOPY
    PUSH ${outLength} PUSH 1024 DUP3 PUSH 0 PUSH ${address} ${gas} STATICCALL PUSH 0 SSTORE
    RETURNDATASIZE PUSH 0 PUSH 2048 RETURNDATACOPY
    RETURNDATASIZE PUSH 2048 LOG0 PUSH 64 PUSH 1024 LOG0 GAS PUSH 1 SSTORE`)

const call = (...words: readonly bigint[]) => transaction({ data: abi(1, ...words), gas: 10_000_000 })

const signed = (message: number): bigint[] => {
  const hash = keccak_256(Uint8Array.of(message))
  const signature = secp256k1.sign(hash, wordBytes(77n), { prehash: false, format: 'recovered' })
  const words = [1, 33].map((at) => BigInt(`0x${Buffer.from(signature.subarray(at, at + 32)).toString('hex')}`))
  return [BigInt(`0x${Buffer.from(hash).toString('hex')}`), 27n + BigInt(signature[0]!), ...words]
}

describe('ecrecover', () => {
  const world = worldOf(caller(1))

  test('holds for any signature, and exits for none', async () => {
    const path = await pathThatHolds(world, call(...signed(1)))
    await expectHolds(path, world, call(...signed(2)))
    await expectNeedsGuard(path, /someone’s/, world, call(1n, 2n, 3n, 4n))
  })

  test('without a signer returns nothing, and exits where there is one', async () => {
    const path = await pathThatHolds(world, call(1n, 2n, 3n, 4n))
    await expectHolds(path, world, call(1n, 29n, 3n, 4n))
    await expectNeedsGuard(path, /no one’s/, world, call(...signed(1)))
  })

  test('writes as much as the caller asks for', async () => {
    for (const outLength of [0, 1, 32, 33, 64])
      await pathThatHolds(worldOf(caller(1, 'GAS', outLength)), call(...signed(1)))
  })

  test('is one word of a memo, named by its input', async () => {
    const path = await pathThatHolds(world, call(...signed(1)))
    const kernel = lowerPath(path, { steps: 0, recordedValues: 0 })
    const memos = kernel.lookups.flatMap((lookup) => (lookup.kind === 'slot' && lookup.memo ? [lookup.memo] : []))
    expect(memos).toMatchObject([{ precompile: 1, input: { bytes: 128 } }])
  })

  test('its gas is a guard, and so is that there is too little', async () => {
    const tight = worldOf(caller(1, 'PUSH 3000'))
    await pathThatHolds(tight, call(...signed(1)))
    const poor = worldOf(caller(1, 'PUSH 132 CALLDATALOAD'))
    const path = await pathThatHolds(poor, call(...signed(1), 3000n))
    await expectHolds(path, poor, call(...signed(2), 5000n))
    await expectNeedsGuard(path, /gas covers the precompile/, poor, call(...signed(1), 2999n))
    const short = await pathThatHolds(poor, call(...signed(1), 2999n))
    await expectNeedsGuard(short, /gas does not cover the precompile/, poor, call(...signed(1), 3000n))
  })
})

describe('precompiles of fixed price', () => {
  test.each([
    [2, 'sha256'],
    [3, 'ripemd160'],
    [4, 'identity'],
  ])('%d, %s, hold for any input of the length', async (address) => {
    const world = worldOf(caller(address))
    for (const words of [[], [5n], [5n, 1n << 255n, 7n]]) {
      const path = await pathThatHolds(world, call(...words))
      await expectHolds(path, world, call(...words.map((value) => value + 9n)))
    }
  })

  test('bn254: points, and what is no point', async () => {
    for (const address of [6, 7]) {
      const world = worldOf(caller(address))
      const path = await pathThatHolds(world, call(1n, 2n, 1n, 2n))
      await expectHolds(path, world, call(1n, 2n, 0n, 0n))
      await expectNeedsGuard(path, /^bytes of output/, world, call(1n, 3n, 1n, 2n))
      const wrong = await pathThatHolds(world, call(1n, 3n, 1n, 2n))
      await expectHolds(wrong, world, call(5n, 5n, 1n, 2n))
      await expectNeedsGuard(wrong, /the precompile fails/, world, call(1n, 2n, 1n, 2n))
    }
    await pathThatHolds(worldOf(caller(8)), call())
    await pathThatHolds(worldOf(caller(8)), call(1n, 2n))
  })

  test('a failure takes the gas that it was given', async () => {
    const world = worldOf(caller(6, 'PUSH 132 CALLDATALOAD'))
    const path = await pathThatHolds(world, call(1n, 3n, 1n, 2n, 50_000n))
    await expectHolds(path, world, call(1n, 3n, 1n, 2n, 100n))
  })
})

describe('precompiles whose price depends on the input', () => {
  test('modexp pins its lengths and the head of its exponent', async () => {
    const world = worldOf(caller(5))
    const path = await pathThatHolds(world, call(32n, 32n, 32n, 5n, 77n, 1009n))
    await expectHolds(path, world, call(32n, 32n, 32n, 5n, 77n, 1013n))
    await expectNeedsGuard(path, /^input of the precompile/, world, call(32n, 32n, 32n, 5n, 1n << 200n, 1009n))
    await expectNeedsGuard(
      path,
      /^input of the precompile|^bytes of output/,
      world,
      call(32n, 32n, 31n, 5n, 77n, 1009n),
    )
  })

  test('blake2f pins its rounds', async () => {
    const state = Array.from({ length: 6 }, (_, i) => BigInt(i))
    const world = worldOf(
      assemble(`PUSH 4 CALLDATASIZE SUB DUP1 PUSH 4 PUSH 0 CALLDATACOPY
      PUSH 64 PUSH 1024 PUSH 213 PUSH 0 PUSH 9 GAS STATICCALL PUSH 0 SSTORE PUSH 64 PUSH 1024 LOG0 GAS PUSH 1 SSTORE`),
    )
    const rounds = (count: bigint) => call((count << 224n) | 5n, ...state)
    const path = await pathThatHolds(world, rounds(3n))
    await expectHolds(path, world, call((3n << 224n) | 6n, ...state))
    await expectNeedsGuard(path, /^input of the precompile/, world, rounds(4n))
    // Four thousand million rounds that no gas pays for would not end.
    expect(await refusalOf(world, rounds(0xffff_ffffn))).toBe('precompile')
  })
})

describe('addresses without a precompile', () => {
  test('are refused', async () => {
    expect(await refusalOf(worldOf(caller(0x1f0)), call(1n))).toBe('precompile')
    expect(await refusalOf(worldOf(caller(0x100)), call(1n))).toBe('precompile')
    expect(await refusalOf(worldOf(caller(0)), call(1n))).toBe('low address')
  })

  test('at an earlier fork are refused where a later one has them', async () => {
    const world = worldOf(caller(0x100))
    expect(await refusalOf(world, { ...call(1n), fork: 'prague' })).toBe('precompile')
    await pathThatHolds(world, { ...call(1n), fork: 'osaka' })
  })
})

test('a hash that the path knows still names its memo by the input', async () => {
  // The bytes that sha256 is asked for have a keccak-256 that the contract insists on.
  const hash = BigInt(`0x${Buffer.from(keccak_256(wordBytes(5n))).toString('hex')}`)
  const world = worldOf(
    assemble(`PUSH 4 CALLDATALOAD PUSH 0 MSTORE
      PUSH32 ${hash} PUSH 32 PUSH 0 KECCAK256 EQ PUSH @known JUMPI PUSH 0 PUSH 0 REVERT
      known: PUSH 32 PUSH 0 PUSH 32 PUSH 0 PUSH 2 GAS STATICCALL PUSH 0 SSTORE PUSH 32 PUSH 0 LOG0`),
  )
  const path = await pathThatHolds(world, call(5n))
  expect(() => lowerPath(path, { steps: 0, recordedValues: 0 })).not.toThrow()
})

describe('BLOCKHASH', () => {
  const world = worldOf(assemble('PUSH 4 CALLDATALOAD BLOCKHASH PUSH 0 SSTORE'))
  const { number } = ENVIRONMENT
  const at = (distance: bigint, now = number) => ({
    ...call(now - distance),
    environment: { ...ENVIRONMENT, number: now },
  })

  test('is one of an ancestor, inside the window', async () => {
    const path = await pathThatHolds(world, at(1n))
    await expectHolds(path, world, at(256n))
    await expectHolds(path, world, at(7n, number + 5n))
    await expectNeedsGuard(path, /inside its window/, world, at(257n))
    await expectNeedsGuard(path, /of a past block/, world, at(0n))
  })

  test('is zero outside', async () => {
    const far = await pathThatHolds(world, at(257n))
    await expectHolds(far, world, at(number))
    await expectNeedsGuard(far, /past its window/, world, at(256n))
    const future = await pathThatHolds(world, at(0n))
    await expectHolds(future, world, at(-1n))
    await expectNeedsGuard(future, /of no past block/, world, at(1n))
  })
})
