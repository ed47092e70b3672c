import { describe, expect, test } from 'vitest'
import { isAtLeast } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { expectHolds, expectNeedsGuard, pathOf, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, contract, transaction, type World, worldOf } from '../fixtures/world.ts'

const A = 0xaaaa000000000000000000000000000000000001n
const B = 0xbbbb000000000000000000000000000000000002n
const MAX = (1n << 256n) - 1n
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`
const call = (to: string, outLength = 32): string => `PUSH ${outLength} PUSH 0 PUSH 0 PUSH 0 PUSH 0 ${to} GAS CALL`

describe('calldata', () => {
  test('a dynamic ABI offset that differs exits', async () => {
    // bytes at the offset of argument 0: length, then data
    const code = assemble(
      `${argument(0)} PUSH 4 ADD DUP1 CALLDATALOAD SWAP1 PUSH 32 ADD CALLDATALOAD PUSH 0 SSTORE PUSH 1 SSTORE`,
    )
    const world = worldOf(code)
    const path = await pathThatHolds(world, transaction({ data: abi(1, 32n, 5n, 77n, 88n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 32n, 6n, 78n, 89n) }))
    await expectNeedsGuard(path, /calldata offset/, world, transaction({ data: abi(1, 64n, 5n, 77n, 88n) }))
  })

  test('a dynamic length that differs exits', async () => {
    const code = assemble(`${argument(0)} PUSH 36 PUSH 0 CALLDATACOPY ${argument(0)} PUSH 0 LOG0`)
    const world = worldOf(code)
    const path = await pathThatHolds(world, transaction({ data: abi(1, 40n, 5n, 6n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 40n, 7n, 8n) }))
    await expectNeedsGuard(path, /offset or length/, world, transaction({ data: abi(1, 41n, 5n, 6n) }))
  })

  test('an offset into calldata that a copy takes from calldata is pinned', async () => {
    const world = worldOf(assemble(`PUSH 32 ${argument(0)} PUSH 0 CALLDATACOPY PUSH 0 MLOAD PUSH 0 SSTORE`))
    const path = await pathThatHolds(world, transaction({ data: abi(1, 36n, 5n) }))
    await expectNeedsGuard(path, /copy source offset/, world, transaction({ data: abi(1, 35n, 5n) }))
    const past = await pathThatHolds(world, transaction({ data: abi(1, MAX, 5n) }))
    await expectNeedsGuard(past, /copy source offset/, world, transaction({ data: abi(1, 36n, 5n) }))
  })

  test.each([0, 1, 2, 3, 4, 5, 35, 37])('of %i bytes is symbolic to its last byte, and zero after', async (bytes) => {
    const code = assemble(
      'PUSH 0 CALLDATALOAD PUSH 0 SSTORE PUSH 2 CALLDATALOAD PUSH 1 SSTORE PUSH 33 CALLDATALOAD PUSH 2 SSTORE',
    )
    const data = (seed: number): Uint8Array =>
      Uint8Array.from({ length: bytes }, (_, i) => (i < 4 && bytes >= 4 ? 1 : seed + i))
    const path = await pathThatHolds(worldOf(code), transaction({ data: data(0x11) }))
    expect(path.key).toMatchObject({ calldataBytes: bytes, selector: bytes < 4 ? -1 : 0x01010101 })
    await expectHolds(path, worldOf(code), transaction({ data: data(0x80) }))
  })

  test('the selector is part of the key and no input', async () => {
    const world = worldOf(assemble('PUSH 0 CALLDATALOAD PUSH 224 SHR PUSH 0 SSTORE'))
    const path = await pathThatHolds(world, transaction({ data: abi(0xa9059cbb, 5n) }))
    expect(path.key.selector).toBe(0xa9059cbb)
    expect(path.effects.filter((effect) => effect.kind === 'guard' && !/gas|sentry/.test(effect.meaning))).toEqual([])
    expect(path.values.some((value) => value.op === 'calldata')).toBe(false)
  })
})

describe('jumps', () => {
  const code = assemble(`${argument(0)} JUMP one: PUSH 1 PUSH 0 SSTORE STOP two: PUSH 2 PUSH 0 SSTORE STOP`)
  const [one, two] = [...code.keys()].filter((pc) => code[pc] === 0x5b) as [number, number]

  test('a target from calldata that differs exits', async () => {
    const path = await pathThatHolds(worldOf(code), transaction({ data: abi(1, BigInt(one)) }))
    await expectNeedsGuard(path, /jump target/, worldOf(code), transaction({ data: abi(1, BigInt(two)) }))
    await expectNeedsGuard(path, /jump target/, worldOf(code), transaction({ data: abi(1, BigInt(one) + (1n << 64n)) }))
  })

  test('to what is no JUMPDEST, into an immediate, or past the code halt', async () => {
    const immediate = assemble('PUSH 4 JUMP PUSH1 0x5b STOP')
    await pathThatHolds(worldOf(immediate), transaction())
    for (const target of [0n, 1n, 1000n, MAX, 1n << 32n]) {
      const path = await pathThatHolds(worldOf(code), transaction({ data: abi(1, target) }))
      await expectNeedsGuard(path, /jump target/, worldOf(code), transaction({ data: abi(1, BigInt(one)) }))
    }
  })

  test('a branch exits where it goes the other way, in both directions', async () => {
    const world = worldOf(
      assemble(`${argument(0)} PUSH @taken JUMPI PUSH 1 PUSH 0 SSTORE STOP taken: PUSH 2 PUSH 0 SSTORE`),
    )
    const taken = await pathThatHolds(world, transaction({ data: abi(1, 7n) }))
    await expectHolds(taken, world, transaction({ data: abi(1, MAX) }))
    await expectNeedsGuard(taken, /^branch taken/, world, transaction({ data: abi(1, 0n) }))
    const passed = await pathThatHolds(world, transaction({ data: abi(1, 0n) }))
    await expectNeedsGuard(passed, /^branch not taken/, world, transaction({ data: abi(1, 1n << 255n) }))
  })

  test('a branch that is not taken needs no valid target', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 0 JUMPI PUSH 1 PUSH 0 SSTORE`))
    await pathThatHolds(world, transaction({ data: abi(1, 0n) }))
    await pathThatHolds(world, transaction({ data: abi(1, 1n) }))
  })

  test('a loop is unrolled as observed, and exits where it runs longer or shorter', async () => {
    const world = worldOf(
      assemble(
        `${argument(0)} loop: DUP1 ISZERO PUSH @end JUMPI DUP1 DUP1 SSTORE PUSH 1 SWAP1 SUB PUSH @loop JUMP end: STOP`,
      ),
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, 3n) }))
    await expectNeedsGuard(path, /^branch/, world, transaction({ data: abi(1, 2n) }))
    await expectNeedsGuard(path, /^branch/, world, transaction({ data: abi(1, 4n) }))
  })
})

describe('memory', () => {
  test('an offset from calldata that differs exits', async () => {
    for (const text of [
      `PUSH 7 ${argument(0)} MSTORE PUSH 32 MLOAD PUSH 0 SSTORE`,
      `PUSH 7 ${argument(0)} MSTORE8 PUSH 32 MLOAD PUSH 0 SSTORE`,
      `PUSH 7 PUSH 32 MSTORE ${argument(0)} MLOAD PUSH 0 SSTORE`,
      `PUSH 7 PUSH 32 MSTORE PUSH 32 ${argument(0)} KECCAK256 PUSH 0 SSTORE`,
      `PUSH 7 PUSH 32 MSTORE PUSH 32 ${argument(0)} RETURN`,
      `PUSH 7 PUSH 32 MSTORE PUSH 32 ${argument(0)} REVERT`,
      `PUSH 7 PUSH 32 MSTORE PUSH 32 ${argument(0)} LOG0`,
    ]) {
      const world = worldOf(assemble(text))
      const path = await pathThatHolds(world, transaction({ data: abi(1, 32n) }))
      await expectNeedsGuard(path, /offset or length/, world, transaction({ data: abi(1, 0n) }))
      await expectNeedsGuard(path, /offset or length/, world, transaction({ data: abi(1, 33n) }))
    }
  })

  test('a range of no bytes touches nothing, wherever it lies', async () => {
    for (const text of ['KECCAK256 PUSH 0 SSTORE', 'LOG0', 'RETURN', 'REVERT']) {
      const world = worldOf(assemble(`PUSH 0 ${argument(0)} ${text}`))
      const path = await pathThatHolds(world, transaction({ data: abi(1, MAX) }))
      await expectHolds(path, world, transaction({ data: abi(1, 5n) }))
    }
  })

  test('MSIZE and the price of growth follow the offsets', async () => {
    const world = worldOf(
      assemble('PUSH 1 PUSH 1000 MSTORE MSIZE PUSH 0 SSTORE PUSH 2 PUSH 5000 MSTORE8 MSIZE PUSH 1 SSTORE'),
    )
    await pathThatHolds(world, transaction())
  })

  test.each([
    [0, 0, 32],
    [1, 0, 64],
    [0, 1, 64],
    [31, 0, 33],
    [0, 31, 96],
    [64, 0, 64],
    [0, 64, 64],
    [300, 0, 5],
    [0, 300, 5],
    [0, 500, 0],
  ])('MCOPY to %i from %i of %i bytes, overlapping or past the end', async (to, from, length) => {
    const fill = [0, 1, 2].map((i) => `${argument(i)} PUSH ${32 * i} MSTORE`).join(' ')
    const world = worldOf(assemble(`${fill} PUSH ${length} PUSH ${from} PUSH ${to} MCOPY PUSH 160 PUSH 0 LOG0`))
    const data = (seed: bigint) => abi(1, MAX / 3n + seed, MAX / 7n - seed, MAX / 11n + seed)
    const path = await pathThatHolds(world, transaction({ data: data(0n) }))
    await expectHolds(path, world, transaction({ data: data(123n << 100n) }))
  })

  test('a write into the middle of words is seen in the first and in the last of them', async () => {
    const writes = [
      ...[1, 16, 31, 33].map((at) => `${argument(1)} PUSH ${at} MSTORE`),
      ...[0, 31, 32, 63].map((at) => `${argument(1)} PUSH ${at} MSTORE8`),
      `PUSH 34 PUSH 4 PUSH 31 CALLDATACOPY`,
      `PUSH 3 PUSH 64 PUSH 31 MCOPY`,
    ]
    const words = [0, 32, 64].map((at) => `${argument(0)} PUSH ${at} MSTORE`).join(' ')
    const reads = [0, 32, 64].map((at, slot) => `PUSH ${at} MLOAD PUSH ${slot} SSTORE`).join(' ')
    for (const write of writes) {
      const path = await pathThatHolds(
        worldOf(assemble(`${words} ${write} ${reads}`)),
        transaction({ data: abi(1, MAX / 3n, MAX / 7n) }),
      )
      await expectHolds(
        path,
        worldOf(assemble(`${words} ${write} ${reads}`)),
        transaction({ data: abi(1, 1n << 255n, 7n) }),
      )
    }
  })

  test('words that overlap are read byte by byte', async () => {
    const text = `${argument(0)} PUSH 0 MSTORE ${argument(1)} PUSH 7 MSTORE ${argument(2)} PUSH 20 MSTORE8 PUSH 3 MLOAD PUSH 0 SSTORE PUSH 31 MLOAD PUSH 1 SSTORE`
    const world = worldOf(assemble(text))
    const path = await pathThatHolds(world, transaction({ data: abi(1, MAX / 3n, MAX / 7n, 0x1234n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 5n, 1n << 255n, MAX) }))
  })
})

describe('returndata', () => {
  const returns = (bytes: number): Uint8Array =>
    assemble(`PUSH 7 PUSH 0 MSTORE PUSH 9 PUSH 32 MSTORE PUSH ${bytes} PUSH 0 RETURN`)
  const echo = assemble(`PUSH 0 CALLDATALOAD PUSH 0 RETURN`)

  test('sizes are part of the callee’s path', async () => {
    const world = worldOf(
      assemble(`${call(argument(0), 64)} POP RETURNDATASIZE PUSH 0 SSTORE PUSH 64 PUSH 0 LOG0`),
      [],
      [
        [A, contract(returns(33))],
        [B, contract(returns(64))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectNeedsGuard(path, /runs the recorded code/, world, transaction({ data: abi(1, B) }))
  })

  test('a size that calldata gives is pinned', async () => {
    const code = assemble(
      `${argument(0)} PUSH 0 MSTORE PUSH 0 PUSH 0 PUSH 32 PUSH 0 PUSH20 ${A} GAS STATICCALL POP RETURNDATASIZE PUSH 0 SSTORE`,
    )
    const world = worldOf(code, [], [[A, contract(echo)]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 33n) }))
    await expectNeedsGuard(path, /RETURN offset or length/, world, transaction({ data: abi(1, 34n) }))
  })

  test('shorter output leaves the rest of the window as it was', async () => {
    for (const bytes of [0, 1, 31, 32, 33, 64]) {
      for (const window of [0, 5, 32, 40, 64, 90]) {
        const code = `PUSH32 ${MAX} PUSH 0 MSTORE PUSH32 ${MAX} PUSH 32 MSTORE ${call(`PUSH20 ${A}`, window)} POP PUSH 96 PUSH 0 LOG0`
        await pathThatHolds(worldOf(assemble(code), [], [[A, contract(returns(bytes))]]), transaction())
      }
    }
  })

  test('RETURNDATACOPY past its end halts, at the end does not', async () => {
    const copy = (from: string, length: number): World => {
      const code = `${call(`PUSH20 ${A}`)} POP PUSH ${length} ${from} PUSH 0 RETURNDATACOPY PUSH 64 PUSH 0 LOG0`
      return worldOf(assemble(code), [], [[A, contract(returns(64))]])
    }
    const statusOf = async (from: string, length: number) =>
      (await pathThatHolds(copy(from, length), transaction())).end.status
    expect(await statusOf('PUSH 32', 32)).toBe('success')
    expect(await statusOf('PUSH 33', 32)).toBe('halt')
    expect(await statusOf('PUSH 64', 0)).toBe('success')
    expect(await statusOf('PUSH 65', 0)).toBe('halt')
    expect(await statusOf(`PUSH32 ${MAX}`, 0)).toBe('halt')
    const world = copy(argument(0), 32)
    const path = await pathThatHolds(world, transaction({ data: abi(1, 32n) }))
    await expectNeedsGuard(path, /returndata offset/, world, transaction({ data: abi(1, 33n) }))
    await expectNeedsGuard(path, /returndata offset/, world, transaction({ data: abi(1, 31n) }))
  })

  test('a halting callee leaves none, a reverting one its own', async () => {
    for (const text of ['INVALID', 'PUSH 9 PUSH 0 MSTORE PUSH 40 PUSH 0 REVERT', 'STOP']) {
      const code = assemble(
        `${call(`PUSH20 ${B}`)} POP ${call(`PUSH20 ${A}`)} POP RETURNDATASIZE PUSH 0 SSTORE PUSH 32 PUSH 0 LOG0`,
      )
      const world = worldOf(
        code,
        [],
        [
          [A, contract(assemble(text))],
          [B, contract(returns(64))],
        ],
      )
      await pathThatHolds(world, transaction({ gas: 4_000_000 }))
    }
  })
})

describe('the stack', () => {
  test.each([1023, 1024, 1025])('holds 1024 words: %i pushes', async (count) => {
    const code = `${'PUSH1 1 '.repeat(count)} STOP`
    const path = await pathThatHolds(worldOf(assemble(code)), transaction())
    expect(path.end.status).toBe(count <= 1024 ? 'success' : 'halt')
  })

  test.each([
    'POP',
    'PUSH 1 ADD',
    'DUP1',
    'PUSH 1 SWAP1',
    'PUSH 1 PUSH 0 MSTORE8 SSTORE',
    `${'PUSH 1 '.repeat(15)} DUP16`,
  ])('that is too short halts: %s', async (text) => {
    const path = await pathThatHolds(worldOf(assemble(text)), transaction())
    expect(path.end.status).toBe('halt')
  })

  test('code ends in a STOP, and a push past the end of code is padded with zeros', async () => {
    await pathThatHolds(worldOf(assemble('PUSH 1 PUSH 0 SSTORE 0x6112')), transaction())
    await pathThatHolds(worldOf(assemble('PUSH 1 PUSH 0 SSTORE 0x7f1234')), transaction())
  })
})

describe('forks', () => {
  test('are part of the key, and change what opcodes there are', async () => {
    for (const [text, since] of [
      ['PUSH0 PUSH 0 SSTORE', 'shanghai'],
      ['PUSH 1 PUSH 0 TSTORE', 'cancun'],
      ['PUSH 1 PUSH 0 PUSH 0 MCOPY', 'cancun'],
      ['PUSH 1 CLZ PUSH 0 SSTORE', 'osaka'],
      ['BASEFEE PUSH 0 SSTORE', 'london'],
    ] as const) {
      for (const fork of ['berlin', 'london', 'paris', 'shanghai', 'cancun', 'prague', 'osaka'] as const) {
        const path = await pathThatHolds(worldOf(assemble(text)), transaction({ fork }))
        expect(path.key.fork).toBe(fork)
        expect(path.end.status).toBe(isAtLeast(fork, since) ? 'success' : 'halt')
      }
    }
  })

  test('before Berlin are refused', async () => {
    expect(await refusalOf(worldOf(assemble('STOP')), transaction({ fork: 'tangerineWhistle' }))).toBe(
      'fork before spurious dragon',
    )
  })

  test('the environment of the block is the lane’s own', async () => {
    const words = [
      'COINBASE',
      'TIMESTAMP',
      'NUMBER',
      'PREVRANDAO',
      'GASLIMIT',
      'CHAINID',
      'BASEFEE',
      'BLOBBASEFEE',
      'GASPRICE',
      'ORIGIN',
    ]
    const code = assemble(words.map((word, i) => `${word} PUSH ${i} SSTORE`).join(' '))
    const path = await pathThatHolds(worldOf(code), transaction())
    const environment = {
      coinbase: 0xc01dn << 40n,
      timestamp: 1n,
      number: 1n << 40n,
      prevrandao: MAX,
      gaslimit: 1n << 62n,
      chainid: 1n,
      basefee: 0n,
      blobbasefee: 99n,
    }
    await expectHolds(path, worldOf(code), transaction({ environment, gasPrice: 0n }))
  })

  test('hash inputs of every length are the lane’s own', async () => {
    const fill = [0, 1, 2, 3, 4].map((i) => `${argument(i)} PUSH ${32 * i} MSTORE`).join(' ')
    for (const length of [1, 31, 32, 33, 63, 64, 65, 95, 135, 136, 137, 150]) {
      const world = worldOf(assemble(`${fill} PUSH ${length} PUSH 0 KECCAK256 PUSH 0 SSTORE`))
      const path = await pathOf(world, transaction({ data: abi(1, 1n, 2n, 3n, 4n, 5n) }))
      await expectHolds(path, world, transaction({ data: abi(1, MAX, MAX / 3n, 1n << 255n, 8n, MAX / 5n) }))
    }
  })
})
