import { describe, expect, test } from 'vitest'
import { CONSTANTS_BEFORE_IMMEDIATES } from '../../transpiler/skeleton.ts'
import { assemble } from '../fixtures/assembler.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { expectHolds, expectNeedsGuard, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, account, contract, ENTRY, SENDER, transaction, type World, worldOf } from '../fixtures/world.ts'

const A = 0xaaaa000000000000000000000000000000000001n
const B = 0xbbbb000000000000000000000000000000000002n
const C = 0xcccc000000000000000000000000000000000003n
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`
const call = (kind: string, to: string, outLength = 32): string =>
  `PUSH ${outLength} PUSH 0 PUSH 0 PUSH 0 ${kind === 'CALL' ? 'PUSH 0' : ''} ${to} GAS ${kind}`
const returns = (value: number): Uint8Array => assemble(`PUSH ${value} PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`)
const to = (address: bigint): string => `PUSH20 ${address}`

describe('code of a callee', () => {
  const code = assemble(`${call('CALL', argument(0))} POP PUSH 0 MLOAD PUSH 0 SSTORE`)
  const world = worldOf(
    code,
    [],
    [
      [A, contract(returns(5))],
      [B, contract(returns(5))],
      [C, contract(returns(6))],
    ],
  )
  const to = (address: bigint) => transaction({ data: abi(1, address) })

  test('the path holds for another callee with the same code and exits for other code', async () => {
    const path = await pathThatHolds(world, to(A))
    await expectHolds(path, world, to(B))
    await expectNeedsGuard(path, /runs the recorded code/, world, to(C))
  })

  test('code changed between recording and execution exits', async () => {
    const path = await pathThatHolds(world, to(A))
    await expectNeedsGuard(path, /runs the recorded code/, new Map([...world, [A, contract(returns(9))]]), to(A))
  })

  test('code that went away exits', async () => {
    const path = await pathThatHolds(world, to(A))
    await expectNeedsGuard(path, /runs the recorded code/, new Map([...world, [A, account({ balance: 1n })]]), to(A))
  })

  test('code that came exits, where the callee had none', async () => {
    const path = await pathThatHolds(world, to(0xe0a00n))
    await expectHolds(path, world, to(0xe0a01n))
    await expectNeedsGuard(path, /has no code/, world, to(A))
  })

  test.each(['STATICCALL', 'DELEGATECALL'])('%s is guarded too', async (kind) => {
    const caller = assemble(`${call(kind, argument(0))} POP PUSH 0 MLOAD PUSH 0 SSTORE`)
    const kinds: World = new Map([...world, [ENTRY, contract(caller)]])
    const path = await pathThatHolds(kinds, to(A))
    await expectNeedsGuard(path, /runs the recorded code/, kinds, to(C))
  })

  describe('delegated (EIP-7702)', () => {
    const delegation = (target: bigint): Uint8Array => assemble(`0xef0100${target.toString(16).padStart(40, '0')}`)
    const wallet = (target: bigint, balance = 3n) => account({ nonce: 1n, balance, code: delegation(target) })
    const D = 0xdddd000000000000000000000000000000000004n
    const E = 0xeeee000000000000000000000000000000000005n

    test('is followed, and exits where it goes elsewhere', async () => {
      const delegated: World = new Map([...world, [D, wallet(A)], [E, wallet(A)]])
      const path = await pathThatHolds(delegated, to(D))
      await expectHolds(path, delegated, to(E))
      await expectNeedsGuard(path, /runs the recorded code/, new Map([...delegated, [D, wallet(C)]]), to(D))
      await expectNeedsGuard(path, /runs the recorded code/, new Map([...delegated, [A, contract(returns(9))]]), to(D))
    })

    test('costs the access of both accounts, once', async () => {
      const twice = assemble(`${call('CALL', argument(0))} POP ${call('CALL', argument(0))} POP GAS PUSH 0 SSTORE`)
      const delegated: World = new Map([...world, [ENTRY, contract(twice)], [D, wallet(A)]])
      await pathThatHolds(delegated, to(D))
      await pathThatHolds(
        new Map([
          ...delegated,
          [
            ENTRY,
            contract(assemble(`${call('CALL', `PUSH20 ${A}`)} POP ${call('CALL', argument(0))} POP GAS PUSH 0 SSTORE`)),
          ],
        ]),
        to(D),
      )
    })

    test('is itself for EXTCODESIZE, EXTCODEHASH and EXTCODECOPY', async () => {
      const reader = assemble(`${argument(0)} EXTCODESIZE PUSH 0 SSTORE ${argument(0)} EXTCODEHASH PUSH 1 SSTORE
        PUSH 32 PUSH 0 PUSH 0 ${argument(0)} EXTCODECOPY PUSH 0 MLOAD PUSH 2 SSTORE`)
      const path = await pathThatHolds(
        new Map([...world, [ENTRY, contract(reader)], [D, wallet(A)], [E, wallet(A)]]),
        to(D),
      )
      expect(path.values.some(({ op }) => op === 'instance')).toBe(true)
    })

    test('into a delegation halts: it is followed once', async () => {
      await pathThatHolds(
        new Map([...world, [D, wallet(E)], [E, wallet(A)]]),
        transaction({ data: abi(1, D), gas: 200_000 }),
      )
    })

    test('into no code succeeds', async () => {
      await pathThatHolds(new Map([...world, [D, wallet(0x77777777n)]]), to(D))
    })

    test('of the called account runs there, with the delegate warm', async () => {
      const logic = contract(
        assemble(
          `ADDRESS PUSH 0 SSTORE CODESIZE PUSH 1 SSTORE PUSH20 ${A} BALANCE PUSH 2 SSTORE SELFBALANCE PUSH 3 SSTORE`,
        ),
      )
      const delegated: World = new Map([...world, [ENTRY, wallet(A)], [A, logic]])
      const path = await pathThatHolds(delegated, transaction())
      expect(path.key.skeleton).not.toBe(
        (await pathThatHolds(new Map([...delegated, [ENTRY, logic]]), transaction())).key.skeleton,
      )
      await expectHolds(path, new Map([...delegated, [ENTRY, wallet(A, 99n)]]), transaction())
    })

    test('of the called account exits where that is the sender, whose balance no lane knows', async () => {
      const logic = contract(assemble('CALLER PUSH 0 SSTORE'))
      const delegated: World = new Map([...world, [ENTRY, wallet(A, 10n ** 20n)], [A, logic]])
      const path = await pathThatHolds(delegated, transaction())
      expect(evaluatePath(path, delegated, transaction({ from: ENTRY })).failed.map(({ meaning }) => meaning)).toEqual([
        expect.stringMatching(/is not the sender/),
      ])
      await pathThatHolds(delegated, transaction({ from: ENTRY }))
      const reader: World = new Map([...delegated, [A, contract(assemble('SELFBALANCE PUSH 0 SSTORE'))]])
      expect(await refusalOf(reader, transaction({ from: ENTRY }))).toBe('balance of the sender')
    })

    test('that comes later exits', async () => {
      const path = await pathThatHolds(world, to(A))
      await expectNeedsGuard(path, /runs the recorded code/, new Map([...world, [A, wallet(C)]]), to(A))
    })
  })
})

describe('clones', () => {
  const OWNER = 0x0a0a000000000000000000000000000000000a0an
  const OTHER = 0x0b0b000000000000000000000000000000000b0bn
  const WORD = 0x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0n
  const clone = (owner: bigint, word: bigint): Uint8Array =>
    assemble(`PUSH20 ${owner} PUSH 0 SSTORE PUSH32 ${word} PUSH 1 SSTORE
      PUSH 70 PUSH 0 PUSH 0 CODECOPY PUSH 0 MLOAD PUSH 2 SSTORE PUSH 32 MLOAD PUSH 3 SSTORE`)

  test('a path holds for an entry that differs in lifted immediates, with its own constants', async () => {
    const path = await pathThatHolds(worldOf(clone(OWNER, WORD)), transaction())
    await expectHolds(path, worldOf(clone(OTHER, WORD + 1n)), transaction())
    expect(
      path.values.some((value) => value.op === 'instance' && Number(value.attribute) >= CONSTANTS_BEFORE_IMMEDIATES),
    ).toBe(true)
  })

  test('a path holds for a callee that differs in lifted immediates', async () => {
    const code = assemble(`${call('CALL', argument(0))} POP ${call('DELEGATECALL', argument(0))} POP`)
    const world = worldOf(
      code,
      [],
      [
        [A, contract(clone(OWNER, WORD))],
        [B, contract(clone(OTHER, WORD + 5n))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectHolds(path, world, transaction({ data: abi(1, B) }))
  })

  test('a clone with a zero immediate has another skeleton, since zero is not lifted', async () => {
    const world = worldOf(
      assemble(`${call('CALL', argument(0))} POP`),
      [],
      [
        [A, contract(clone(0n, WORD))],
        [B, contract(clone(OTHER, WORD))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectNeedsGuard(path, /runs the recorded code/, world, transaction({ data: abi(1, B) }))
  })

  test('a call target that is an immutable is guarded by its code', async () => {
    const proxy = (target: bigint): Uint8Array => assemble(`${call('DELEGATECALL', `PUSH20 ${target}`)} POP`)
    const logic = (value: number): Uint8Array => assemble(`PUSH ${value} PUSH 5 SSTORE`)
    const others: World = new Map([
      [A, contract(logic(1))],
      [B, contract(logic(1))],
      [C, contract(logic(2))],
    ])
    const path = await pathThatHolds(worldOf(proxy(A), [], others), transaction())
    await expectHolds(path, worldOf(proxy(B), [], others), transaction())
    await expectNeedsGuard(path, /runs the recorded code/, worldOf(proxy(C), [], others), transaction())
  })

  test('the code hash of a callee is its own', async () => {
    const world = worldOf(
      assemble(`${argument(0)} EXTCODEHASH PUSH 0 SSTORE ${argument(0)} EXTCODESIZE PUSH 1 SSTORE`),
      [],
      [
        [A, contract(clone(OWNER, WORD))],
        [B, contract(clone(OTHER, WORD))],
        [C, contract(returns(5))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectHolds(path, world, transaction({ data: abi(1, B) }))
    await expectNeedsGuard(path, /runs the recorded code/, world, transaction({ data: abi(1, C) }))
  })

  test('EXTCODECOPY copies the immediates of the account it names', async () => {
    const world = worldOf(
      assemble(`PUSH 70 PUSH 0 PUSH 0 ${argument(0)} EXTCODECOPY PUSH 70 PUSH 0 LOG0`),
      [],
      [
        [A, contract(clone(OWNER, WORD))],
        [B, contract(clone(OTHER, WORD))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectHolds(path, world, transaction({ data: abi(1, B) }))
  })
})

describe('accounts without code', () => {
  test('a call into one succeeds and is guarded', async () => {
    const world = worldOf(
      assemble(`${call('CALL', argument(0))} PUSH 0 SSTORE RETURNDATASIZE PUSH 1 SSTORE`),
      [],
      [
        [A, account({ balance: 5n })],
        [B, contract(returns(1))],
      ],
    )
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectHolds(path, world, transaction({ data: abi(1, 0xdead00n) }))
    await expectNeedsGuard(path, /has no code/, world, transaction({ data: abi(1, B) }))
  })

  test('EXTCODESIZE and EXTCODEHASH tell absent, present and coded accounts apart', async () => {
    const code = assemble(`${argument(0)} EXTCODEHASH PUSH 0 SSTORE ${argument(0)} EXTCODESIZE PUSH 1 SSTORE`)
    const world = worldOf(
      code,
      [[1n, 9n]],
      [
        [A, account({ balance: 5n })],
        [B, contract(returns(1))],
      ],
    )
    const present = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    const absent = await pathThatHolds(world, transaction({ data: abi(1, C) }))
    await expectHolds(absent, world, transaction({ data: abi(1, 0xdead00n) }))
    await expectNeedsGuard(present, /the account exists/, world, transaction({ data: abi(1, C) }))
    await expectNeedsGuard(absent, /does not exist/, world, transaction({ data: abi(1, A) }))
    await expectNeedsGuard(present, /has no code/, world, transaction({ data: abi(1, B) }))
  })

  test('the sender exists once its transaction runs, whatever it was before', async () => {
    const world: World = new Map([[ENTRY, contract(assemble('CALLER EXTCODEHASH PUSH 0 SSTORE'))]])
    const free = transaction({ gasPrice: 0n })
    const path = await pathThatHolds(world, free)
    await expectHolds(path, new Map([...world, [SENDER, account({ balance: 5n, nonce: 9n })]]), free)
  })
})

describe('precompiles', () => {
  const world = worldOf(assemble(`${call('CALL', argument(0))} PUSH 0 SSTORE`), [], [[A, account({ balance: 1n })]])

  test('a recorded callee exits where it is a precompile', async () => {
    const path = await pathThatHolds(world, transaction({ data: abi(1, A) }))
    await expectNeedsGuard(path, /is no precompile/, world, transaction({ data: abi(1, 4n) }))
  })

  test('identity exits where the callee is another', async () => {
    const copy = assemble(
      `${argument(1)} PUSH 0 MSTORE PUSH 32 PUSH 32 PUSH 32 PUSH 0 PUSH 0 ${argument(0)} GAS CALL POP PUSH 32 MLOAD PUSH 0 SSTORE`,
    )
    const path = await pathThatHolds(worldOf(copy), transaction({ data: abi(1, 4n, 7n) }))
    await expectHolds(path, worldOf(copy), transaction({ data: abi(1, 4n, 1n << 200n) }))
    await expectNeedsGuard(path, /^call target/, worldOf(copy), transaction({ data: abi(1, A, 7n) }))
  })
})

describe('value', () => {
  test('an inner call that had no value exits where it has', async () => {
    const code = assemble(`PUSH 0 PUSH 0 PUSH 0 PUSH 0 ${argument(0)} ${to(A)} GAS CALL PUSH 0 SSTORE`)
    const world: World = new Map([
      ...worldOf(code),
      [ENTRY, account({ nonce: 1n, balance: 50n, code })],
      [A, account({ balance: 1n })],
    ])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 0n) }))
    await expectNeedsGuard(path, /^call value is 0x0/, world, transaction({ data: abi(1, 5n) }))
  })

  test('of the transaction is the lane’s own, and none at all is part of the key', async () => {
    const code = assemble('CALLVALUE PUSH 0 SSTORE SELFBALANCE PUSH 1 SSTORE')
    const world: World = new Map([...worldOf(code), [ENTRY, account({ nonce: 1n, balance: 50n, code })]])
    const path = await pathThatHolds(world, transaction({ value: 5n }))
    expect(path.key.valueIsZero).toBe(false)
    await expectHolds(path, world, transaction({ value: 1n }))
    const none = await pathThatHolds(world, transaction())
    expect(none.key.valueIsZero).toBe(true)
  })

  test('the balance of any account is the lane’s own; that of the sender is refused', async () => {
    const code = assemble(`${argument(0)} BALANCE PUSH 0 SSTORE`)
    const rich = (a: bigint): World => worldOf(code, [], [[A, account({ balance: a, nonce: 1n })]])
    const path = await pathThatHolds(rich(5n), transaction({ data: abi(1, A) }))
    await expectHolds(path, rich(77n), transaction({ data: abi(1, A) }))
    await expectHolds(path, rich(0n), transaction({ data: abi(1, A) }))
    expect(await refusalOf(rich(1n), transaction({ data: abi(1, SENDER) }))).toBe('balance of the sender')
  })

  test('a branch on a balance exits where it goes the other way', async () => {
    const code = assemble(
      `PUSH 10 ${to(A)} BALANCE LT PUSH @poor JUMPI PUSH 1 PUSH 0 SSTORE STOP poor: PUSH 2 PUSH 0 SSTORE`,
    )
    const rich = (a: bigint): World => worldOf(code, [], [[A, account({ balance: a, nonce: 1n })]])
    const path = await pathThatHolds(rich(50n), transaction())
    await expectHolds(path, rich(10n), transaction())
    await expectNeedsGuard(path, /^branch not taken/, rich(9n), transaction())
  })
})

describe('static frames', () => {
  const caller = assemble(`${call('STATICCALL', to(A))} PUSH 0 SSTORE`)

  test.each([
    'PUSH 1 PUSH 0 SSTORE',
    'PUSH 1 PUSH 0 TSTORE',
    'PUSH 0 PUSH 0 LOG0',
    'PUSH 0 PUSH 0 PUSH 0 CREATE',
    'PUSH 0 SELFDESTRUCT',
  ])('halt on %s', async (text) => {
    const world = worldOf(caller, [[0n, 9n]], [[A, contract(assemble(text))]])
    await pathThatHolds(world, transaction({ gas: 3_000_000 }))
  })

  test('are passed on to callees of any kind', async () => {
    for (const kind of ['CALL', 'DELEGATECALL', 'STATICCALL']) {
      const world = worldOf(
        caller,
        [[0n, 9n]],
        [
          [A, contract(assemble(`${call(kind, to(B))} PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`))],
          [B, contract(assemble('PUSH 1 PUSH 0 SSTORE'))],
        ],
      )
      await pathThatHolds(world, transaction({ gas: 3_000_000 }))
    }
  })
})

describe('frames', () => {
  test('see their own address, caller and value', async () => {
    const probe = assemble(
      'ADDRESS PUSH 0 MSTORE CALLER PUSH 32 MSTORE CALLVALUE PUSH 64 MSTORE ORIGIN PUSH 96 MSTORE PUSH 128 PUSH 0 RETURN',
    )
    for (const kind of ['CALL', 'DELEGATECALL', 'STATICCALL']) {
      const code = assemble(`${call(kind, to(A), 128)} POP PUSH 128 PUSH 0 LOG0`)
      const world = worldOf(code, [], [[A, contract(probe)]])
      const path = await pathThatHolds(world, transaction({ value: 3n }))
      await expectHolds(path, new Map([...world, [B, account({ balance: 100n })]]), transaction({ value: 4n, from: B }))
    }
  })

  test('that call themselves share storage and the warm set', async () => {
    const code = assemble(`CALLDATASIZE PUSH @outer JUMPI PUSH 0 SLOAD PUSH 1 ADD PUSH 0 SSTORE STOP
      outer: ${call('CALL', 'ADDRESS')} POP ${call('CALL', 'ADDRESS')} POP PUSH 0 SLOAD PUSH 1 SSTORE`)
    const path = await pathThatHolds(worldOf(code, [[0n, 5n]]), transaction({ data: abi(1) }))
    await expectHolds(path, worldOf(code, [[0n, 0n]]), transaction({ data: abi(1) }))
    await expectHolds(path, worldOf(code, [[0n, (1n << 256n) - 1n]]), transaction({ data: abi(1) }))
  })

  test('past the depth bound are refused', async () => {
    const code = assemble(call('CALL', 'ADDRESS'))
    expect(await refusalOf(worldOf(code), transaction({ gas: 30_000_000 }))).toBe('depth bound')
  })
})
