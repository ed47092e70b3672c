import { describe, expect, test } from 'vitest'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import type { RecordedTransaction } from '../../transpiler/record/transaction.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { storeGasAt } from '../../transpiler/spec/gas.ts'
import { opcodesAt } from '../../transpiler/spec/opcodes.ts'
import { assemble } from '../fixtures/assembler.ts'
import { callOracle } from '../fixtures/call_oracle.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { expectHolds, expectNeedsGuard, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, account, contract, ENTRY, transaction, type World, worldOf } from '../fixtures/world.ts'

const CALLEE = 0xca11ee00000000000000000000000000000000b1n
const DEEPER = 0xca11ee00000000000000000000000000000000b2n
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`
const call = (kind: string, gas: string, to = CALLEE): string =>
  `PUSH 32 PUSH 0 PUSH 0 PUSH 0 ${kind === 'CALL' ? 'PUSH 0' : ''} PUSH20 ${to} ${gas} ${kind}`

/** The least gas with which the oracle does what it does with much gas, but for gas itself where `code` shows it. */
const leastGas = async (world: World, much: RecordedTransaction): Promise<number> => {
  const wanted = await callOracle(world, much)
  let low = 0
  let high = much.gas
  while (high - low > 1) {
    const middle = (low + high) >> 1
    const outcome = await callOracle(world, { ...much, gas: middle })
    const same = outcome.status === wanted.status && outcome.gas === wanted.gas
    if (same && JSON.stringify(outcome.writes, text) === JSON.stringify(wanted.writes, text)) high = middle
    else low = middle
  }
  return high
}
const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

/** The path holds with exactly enough gas, a guard that is needed stops one less, and guards stop all below. */
const expectPair = async (path: PathIr, guard: RegExp, world: World, much: RecordedTransaction): Promise<void> => {
  const least = await leastGas(world, much)
  await expectHolds(path, world, { ...much, gas: least })
  await expectNeedsGuard(path, guard, world, { ...much, gas: least - 1 })
  for (const gas of [1, 50, 2000, 2301, least >> 1, least - 2301, least - 2].filter((gas) => gas > 0 && gas < least)) {
    expect(evaluatePath(path, world, { ...much, gas }).failed.length, `${gas} of ${least} gas`).toBeGreaterThan(0)
  }
}

const FORKS: readonly Fork[] = [
  'spuriousDragon',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
  'london',
  'prague',
]
const OLD_FORKS = FORKS.slice(0, 5)

describe.each(FORKS)('SSTORE at %s', (fork) => {
  const values = [0n, 1n, 2n]
  const grid = values.flatMap((original) =>
    values.flatMap((first) => values.map((second) => [original, first, second])),
  )

  test('one path has the price and the refund of every (original, current, new)', async () => {
    const code = assemble(`${argument(0)} PUSH 7 SSTORE ${argument(1)} PUSH 7 SSTORE`)
    const worldFor = (original: bigint): World => worldOf(code, [[7n, original]])
    const path = await pathThatHolds(worldFor(0n), transaction({ fork, data: abi(1, 1n, 2n) }))
    for (const [original, first, second] of grid) {
      await expectHolds(path, worldFor(original!), transaction({ fork, data: abi(1, first!, second!) }))
    }
  })

  const reverts = opcodesAt(fork)[0xfd] !== undefined

  test.skipIf(!reverts)('the refund counter is that of three stores, one of them in a frame that reverts', async () => {
    const store = (index: number): string => `${argument(index)} PUSH 7 SSTORE`
    const callee = contract(assemble(`PUSH 9 PUSH 7 SSTORE PUSH 0 PUSH 7 SSTORE PUSH 0 PUSH 0 REVERT`))
    const code = assemble(`${store(0)} ${call('DELEGATECALL', 'GAS')} POP ${store(1)} ${store(2)}`)
    const worldFor = (original: bigint): World => worldOf(code, [[7n, original]], [[CALLEE, callee]])
    const path = await pathThatHolds(worldFor(0n), transaction({ fork, data: abi(1, 1n, 2n, 3n) }))
    for (const [original, first, second] of grid) {
      for (const third of values) {
        await expectHolds(path, worldFor(original!), transaction({ fork, data: abi(1, first!, second!, third) }))
      }
    }
  })

  const { sentry, dirty, cold, set } = storeGasAt(fork)

  test.skipIf(sentry > 0)('needs the price of a dirty slot, and no gas left (before EIP-2200)', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 7 SSTORE ${argument(1)} PUSH 7 SSTORE`))
    const much = transaction({ fork, data: abi(1, 1n, 2n) })
    const path = await pathThatHolds(world, much)
    expect(await leastGas(world, much)).toBe((await callOracle(world, much)).gas)
    await expectPair(path, /gas covers/, world, much)
  })

  test.skipIf(sentry === 0)('needs more than 2300 gas left, even for a dirty slot', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 7 SSTORE ${argument(1)} PUSH 7 SSTORE`))
    const much = transaction({ fork, data: abi(1, 1n, 2n) })
    const path = await pathThatHolds(world, much)
    const { gas } = await callOracle(world, much)
    const least = await leastGas(world, much)
    expect(least).toBe(gas - dirty + 2301)
    await expectPair(path, /sentry/, world, much)
  })

  test.skipIf(sentry === 0)('the sentry counts in a callee', async () => {
    const callee = contract(assemble('PUSH 1 PUSH 7 SSTORE PUSH 2 PUSH 7 SSTORE'))
    const world = worldOf(assemble(`${call('CALL', argument(0))} PUSH 0 SSTORE`), [], [[CALLEE, callee]])
    const path = await pathThatHolds(world, transaction({ fork, data: abi(1, 100_000n) }))
    const needed = BigInt(set + cold + 12 + 2301)
    await expectHolds(path, world, transaction({ fork, data: abi(1, needed) }))
    await expectNeedsGuard(path, /sentry/, world, transaction({ fork, data: abi(1, needed - 1n) }))
  })
})

describe.each(OLD_FORKS)('the fixed prices of %s (EIP-150, EIP-1884)', (fork) => {
  const STRANGER = 0xaaaa000000000000000000000000000000000001n
  const ABSENT = 0xab5e7700000000000000000000000000000000d1n
  const other = contract(assemble('PUSH 1 PUSH 0 SSTORE'))
  const accesses = [
    'PUSH 3 SLOAD PUSH 3 SLOAD',
    `PUSH20 ${STRANGER} BALANCE PUSH20 ${STRANGER} BALANCE`,
    `PUSH20 ${CALLEE} EXTCODESIZE`,
    `PUSH 9 PUSH 0 PUSH 0 PUSH20 ${CALLEE} EXTCODECOPY`,
    `${call('CALL', 'GAS')} ${call('CALL', 'GAS')}`,
    `${call('DELEGATECALL', 'GAS')}`,
    `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 PUSH20 ${STRANGER} GAS CALL`,
    `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 PUSH20 ${ABSENT} GAS CALL`,
    `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${ABSENT} GAS CALL`,
    'PUSH 64 PUSH 0 PUSH 64 PUSH 0 PUSH 0 PUSH 4 GAS CALL',
    'PUSH 0x10000 PUSH 3 EXP',
    ...(opcodesAt(fork)[0x3f] === undefined ? [] : [`PUSH20 ${CALLEE} EXTCODEHASH`]),
    ...(opcodesAt(fork)[0x47] === undefined ? [] : ['SELFBALANCE CHAINID']),
  ]

  test.each(accesses)('%s: exactly enough gas, and one less', async (source) => {
    const world = worldOf(
      assemble(source),
      [[3n, 5n]],
      [
        [CALLEE, other],
        [STRANGER, account({ balance: 5n })],
      ],
    )
    const much = transaction({ fork, value: 5n })
    const path = await pathThatHolds(world, much)
    await expectPair(path, /gas covers|gas left at a call|sentry/, world, much)
  })

  test('what an access list would warm, and what was touched before, costs the same', async () => {
    const world = worldOf(assemble(`PUSH 3 SLOAD POP PUSH20 ${CALLEE} BALANCE POP`), [[3n, 5n]], [[CALLEE, other]])
    const { gas } = await callOracle(world, transaction({ fork }))
    const twice = assemble(`${`PUSH 3 SLOAD POP PUSH20 ${CALLEE} BALANCE POP `.repeat(2)}`)
    const both = worldOf(twice, [[3n, 5n]], [[CALLEE, other]])
    await pathThatHolds(both, transaction({ fork }))
    expect((await callOracle(both, transaction({ fork }))).gas).toBe(2 * gas)
  })
})

describe('gas', () => {
  test('limits of exactly enough and one less', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 POP PUSH 32 PUSH 0 RETURN`))
    const much = transaction({ data: abi(1, 5n) })
    const path = await pathThatHolds(world, much)
    await expectPair(path, /gas covers/, world, much)
  })

  test('limits of exactly enough and one less, where the price is the lane’s own', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 3 EXP PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`))
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5n) }))
    for (const exponent of [0n, 1n, 0xffn, 0x100n, 1n << 64n, (1n << 256n) - 1n]) {
      await expectHolds(path, world, transaction({ data: abi(1, exponent) }))
      await expectPair(path, /gas covers/, world, transaction({ data: abi(1, exponent) }))
    }
  })

  test('that the GAS opcode sees is the lane’s own', async () => {
    const world = worldOf(assemble(`${argument(0)} PUSH 3 SSTORE GAS PUSH 0 SSTORE`), [[3n, 9n]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 5n), gas: 54_321 }))
    await expectHolds(path, world, transaction({ data: abi(1, 0n), gas: 99_999 }))
    await expectHolds(path, world, transaction({ data: abi(1, 9n), gas: 99_999 }))
  })

  test('of a transaction that halts is all of its limit', async () => {
    const path = await pathThatHolds(worldOf(assemble('PUSH 1 PUSH 0 SSTORE INVALID')), transaction())
    await expectHolds(path, worldOf(assemble('PUSH 1 PUSH 0 SSTORE INVALID')), transaction({ gas: 77_777 }))
  })

  test('that runs out is all of the limit, and exits where it does not', async () => {
    const world = worldOf(assemble('PUSH 1 PUSH 0 SSTORE'))
    const path = await pathThatHolds(world, transaction({ gas: 10_000 }))
    await expectHolds(path, world, transaction({ gas: 2307 }))
    await expectHolds(path, world, transaction({ gas: 22_105 }))
    await expectNeedsGuard(path, /runs out of gas/, world, transaction({ gas: 22_106 }))
  })

  test('that is at the sentry of SSTORE halts it, and exits above', async () => {
    const world = worldOf(assemble('PUSH 1 PUSH 0 SSTORE'), [[0n, 1n]])
    const path = await pathThatHolds(world, transaction({ gas: 2306 }))
    await expectHolds(path, world, transaction({ gas: 5 }))
    await expectNeedsGuard(path, /runs out of gas/, world, transaction({ gas: 2307 }))
  })

  test('that memory, a copy, an account or a hash is too dear for', async () => {
    const dear = [
      'PUSH 1 PUSH 2000 MSTORE',
      'PUSH 3000 PUSH 0 PUSH 0 CODECOPY',
      'PUSH20 0xaaaa000000000000000000000000000000000001 BALANCE',
      'PUSH 900 PUSH 0 KECCAK256',
      'PUSH 0 SLOAD',
      'PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 PUSH20 0xaaaa000000000000000000000000000000000001 GAS CALL',
    ]
    for (const source of dear) {
      const world = worldOf(assemble(`PUSH 1 PUSH 1 TSTORE ${source}`))
      const path = await pathThatHolds(world, transaction({ gas: 150 }))
      await expectNeedsGuard(path, /runs out of gas/, world, transaction({ gas: 200_000 }))
    }
  })

  test.each([
    ['base gas', `${argument(0)} PUSH 1 TSTORE PUSH 2 PUSH 3 ADD`],
    ['the price of a store', 'PUSH 1 PUSH 1 TSTORE PUSH 5 PUSH 3 SSTORE'],
    ['the price of a load', 'PUSH 1 PUSH 1 TSTORE PUSH 3 SLOAD'],
    ['the price of an exponent', `PUSH 1 PUSH 1 TSTORE ${argument(0)} PUSH 3 EXP`],
    ['the price of memory', 'PUSH 1 PUSH 1 TSTORE PUSH 5 PUSH 2000 MSTORE'],
    ['the price of a copy', 'PUSH 1 PUSH 1 TSTORE PUSH 3000 PUSH 0 PUSH 0 CODECOPY'],
    ['the price of an account', `PUSH 1 PUSH 1 TSTORE PUSH20 ${CALLEE} BALANCE`],
    ['the price of value', `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 1 PUSH20 ${CALLEE} PUSH 0 CALL`],
  ])('recorded at one less than enough for %s halts, and exits at enough', async (_, source) => {
    const code = assemble(source)
    const entry = account({ nonce: 1n, balance: 5n, code })
    const world: World = new Map([...worldOf(code, [], [[CALLEE, account({ balance: 1n })]]), [ENTRY, entry]])
    const much = transaction({ data: abi(1, 0x1234n), gas: 100_000 })
    const least = await leastGas(world, much)
    const path = await pathThatHolds(world, { ...much, gas: least - 1 })
    expect(path.end.status).toBe('halt')
    await expectNeedsGuard(path, /runs out of gas/, world, { ...much, gas: least })
  })

  test('that runs out at a call of a precompile is all of the limit, and exits where it does not', async () => {
    const world = worldOf(assemble('PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 4 PUSH 0 STATICCALL'))
    const path = await pathThatHolds(world, transaction({ gas: 18 + 99 }))
    expect(path.end.status).toBe('halt')
    await expectNeedsGuard(path, /runs out of gas/, world, transaction({ gas: 18 + 100 }))
  })

  test('that runs out in a callee drops what it did, and its caller goes on', async () => {
    const callee = contract(assemble('PUSH 5 PUSH 7 SSTORE PUSH 0 PUSH 0 LOG0'))
    const code = assemble(
      `PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH 0 PUSH20 ${CALLEE} ${argument(0)} CALL PUSH 0 SSTORE GAS PUSH 1 SSTORE`,
    )
    const world = worldOf(code, [], [[CALLEE, callee]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 9000n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 2400n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 22_105n) }))
    await expectNeedsGuard(path, /runs out of gas/, world, transaction({ data: abi(1, 22_487n) }))
  })
})

describe('gas of a call (EIP-150)', () => {
  const work = assemble('PUSH 5 PUSH 7 SSTORE PUSH 1 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN')
  const worker = contract(work)

  test.each(['CALL', 'DELEGATECALL'])('%s with all gas: 63/64 is exactly enough, and one less is not', async (kind) => {
    const world = worldOf(assemble(`${call(kind, 'GAS')} PUSH 0 SSTORE`), [], [[CALLEE, worker]])
    const path = await pathThatHolds(world, transaction())
    await expectPair(path, /gas covers|sentry/, world, transaction())
  })

  test('two levels deep, 63/64 of 63/64', async () => {
    const middle = contract(assemble(`${call('CALL', 'GAS', DEEPER)} PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`))
    const world = worldOf(
      assemble(`${call('CALL', 'GAS')} POP`),
      [],
      [
        [CALLEE, middle],
        [DEEPER, worker],
      ],
    )
    const path = await pathThatHolds(world, transaction())
    await expectPair(path, /gas covers|sentry/, world, transaction())
  })

  test('an explicit amount below the cap is what the callee has', async () => {
    const callee = contract(assemble('GAS PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN'))
    const code = assemble(`${call('STATICCALL', argument(0))} PUSH 0 MLOAD ADD PUSH 0 SSTORE`)
    const world = worldOf(code, [], [[CALLEE, callee]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5000n) }))
    for (const requested of [18n, 5001n, 900_000n, 1n << 40n, 1n << 32n, (1n << 256n) - 1n]) {
      await expectHolds(path, world, transaction({ data: abi(1, requested) }))
    }
    await expectHolds(path, world, transaction({ data: abi(1, 5000n), gas: 40_000 }))
    await expectNeedsGuard(path, /gas covers the frame at depth 1/, world, transaction({ data: abi(1, 13n) }))
  })

  test('an explicit amount that is exactly enough, and one less', async () => {
    const callee = contract(assemble('PUSH 1 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN'))
    const world = worldOf(assemble(`${call('CALL', argument(0))} PUSH 0 SSTORE`), [], [[CALLEE, callee]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 100_000n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 18n) }))
    await expectNeedsGuard(path, /gas covers the frame at depth 1/, world, transaction({ data: abi(1, 17n) }))
  })

  test('the identity precompile has exactly enough gas, and one less', async () => {
    const code = `PUSH 64 PUSH 0 PUSH 64 PUSH 0 PUSH 4 ${argument(0)} STATICCALL PUSH 0 SSTORE`
    const world = worldOf(assemble(code))
    const path = await pathThatHolds(world, transaction({ data: abi(1, 100_000n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 21n) }))
    await expectNeedsGuard(path, /gas covers the precompile/, world, transaction({ data: abi(1, 20n) }))
  })

  test('a callee that halts uses all it was given, and leaves its caller the rest', async () => {
    for (const gas of ['GAS', argument(0)]) {
      const callee = contract(assemble('PUSH 1 PUSH 0 SSTORE INVALID'))
      const world = worldOf(assemble(`${call('CALL', gas)} PUSH 0 SSTORE GAS PUSH 1 SSTORE`), [], [[CALLEE, callee]])
      const path = await pathThatHolds(world, transaction({ data: abi(1, 50_000n), gas: 3_000_000 }))
      const other = transaction({ data: abi(1, 60_000n), gas: 4_000_000 })
      await expectHolds(path, world, other)
      expect(evaluatePath(path, world, other).outcome.writes.length).toBe(1)
    }
  })

  test('callees that halt with gas near 2^32 make sums that would wrap: such limits exit', async () => {
    const halting = `${call('CALL', argument(0))} POP `
    const world = worldOf(
      assemble(`${halting.repeat(3)} PUSH 1 PUSH 0 SSTORE`),
      [],
      [[CALLEE, contract(assemble('INVALID'))]],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5000n) }))
    await expectHolds(path, world, transaction({ data: abi(1, 5000n), gas: 2 ** 31 - 1 }))
    await expectNeedsGuard(path, /below 2\^31/, world, transaction({ data: abi(1, 1n << 40n), gas: 2 ** 32 - 1 }))
    expect(await refusalOf(world, transaction({ data: abi(1, 5000n), gas: 2 ** 31 }))).toBe('gas bound')
  })

  test('a callee that reverts gives its gas back, and drops its effects and its warm set', async () => {
    const callee = contract(
      assemble(
        `PUSH 5 PUSH 7 SSTORE PUSH 8 SLOAD POP PUSH20 ${DEEPER} BALANCE POP PUSH 0 PUSH 0 LOG0 PUSH 0 PUSH 0 REVERT`,
      ),
    )
    const code = `${call('DELEGATECALL', 'GAS')} PUSH 0 SSTORE PUSH 7 SLOAD POP PUSH 8 SLOAD POP PUSH20 ${DEEPER} BALANCE POP`
    const world = worldOf(assemble(code), [[7n, 1n]], [[CALLEE, callee]])
    const path = await pathThatHolds(world, transaction())
    await expectPair(path, /gas covers/, world, transaction())
  })

  test('a callee of a reverting callee stays reverted', async () => {
    const inner = contract(assemble('PUSH 5 PUSH 7 SSTORE STOP'))
    const middle = contract(assemble(`${call('CALL', 'GAS', DEEPER)} POP PUSH 4 PUSH 7 SSTORE PUSH 32 PUSH 0 REVERT`))
    const world = worldOf(
      assemble(`${call('CALL', 'GAS')} PUSH 0 SSTORE ${call('CALL', 'GAS', DEEPER)} POP`),
      [],
      [
        [CALLEE, middle],
        [DEEPER, inner],
      ],
    )
    await pathThatHolds(world, transaction())
  })
})
