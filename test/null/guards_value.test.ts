import { describe, expect, test } from 'vitest'
import { assemble } from '../fixtures/assembler.ts'
import { callOracle } from '../fixtures/call_oracle.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { expectHolds, expectNeedsGuard, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import {
  abi,
  account,
  COINBASE,
  contract,
  ENTRY,
  SENDER,
  transaction,
  type World,
  type WorldAccount,
  worldOf,
} from '../fixtures/world.ts'

const A = 0xaaaa000000000000000000000000000000000001n
const B = 0xbbbb000000000000000000000000000000000002n
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`
const to = (address: bigint): string => `PUSH20 ${address}`
const send = (target: string, value: string, gas = 'GAS', kind = 'CALL'): string =>
  `PUSH 32 PUSH 0 PUSH 0 PUSH 0 ${value} ${target} ${gas} ${kind}`

/** ENTRY with this code and 1000 wei, and what else is given. */
const funded = (source: string, others: Iterable<readonly [bigint, WorldAccount]> = [], balance = 1000n): World =>
  new Map([...worldOf(assemble(source), [], others), [ENTRY, account({ nonce: 1n, balance, code: assemble(source) })]])

const some = account({ balance: 7n })

describe('a call that carries value', () => {
  const world = funded(`${send(argument(0), argument(1))} PUSH 0 SSTORE GAS PUSH 1 SSTORE`, [[A, some]])
  const pays = (address: bigint, amount: bigint) => transaction({ data: abi(1, address, amount) })

  test('moves it, as a transfer of the path, and holds for any amount that is there', async () => {
    const path = await pathThatHolds(world, pays(A, 5n))
    expect(path.effects.filter(({ kind }) => kind === 'transfer')).toHaveLength(1)
    await expectHolds(path, world, pays(A, 1000n))
  })

  test('does not hold where the caller has less', async () => {
    const path = await pathThatHolds(world, pays(A, 5n))
    const { failed, covered } = evaluatePath(path, world, pays(A, 1001n))
    expect(failed).toEqual([])
    expect(covered).toBe(false)
    expect(await refusalOf(world, pays(A, 1001n))).toBe('call without funds')
  })

  test('exits where it carries none, for the price is another', async () => {
    const path = await pathThatHolds(world, pays(A, 5n))
    await expectNeedsGuard(path, /^the call carries value/, world, pays(A, 0n))
  })

  test('pays for a new account, and exits where there is one already', async () => {
    const path = await pathThatHolds(world, pays(B, 5n))
    await expectHolds(path, world, pays(B + 1n, 6n))
    await expectNeedsGuard(path, /does not exist/, world, pays(A, 5n))
    const existing = await pathThatHolds(world, pays(A, 5n))
    await expectNeedsGuard(existing, /the account exists/, world, pays(B, 5n))
  })

  test('pays for a new account once', async () => {
    const twice = funded(`${send(to(A), 'PUSH 1')} POP ${send(to(A), 'PUSH 2')} POP GAS PUSH 0 SSTORE`)
    await pathThatHolds(twice, transaction())
  })

  test('to the sender needs no account, and the coinbase is one like any other', async () => {
    const path = await pathThatHolds(world, pays(SENDER, 5n))
    await expectNeedsGuard(path, /is the sender/, world, pays(B, 5n))
    await pathThatHolds(world, pays(COINBASE, 5n))
    await pathThatHolds(new Map([...world, [COINBASE, some]]), pays(COINBASE, 5n))
  })

  test('to the caller itself changes nothing but gas', async () => {
    const self = funded(`CALLDATASIZE ISZERO PUSH @inner JUMPI ${send('ADDRESS', 'PUSH 5')} PUSH 0 SSTORE inner: STOP`)
    const path = await pathThatHolds(self, transaction({ data: abi(1) }))
    await expectHolds(path, self, transaction({ data: abi(1) }))
  })

  test('gives its callee the value and the stipend', async () => {
    const callee = contract(assemble('CALLVALUE PUSH 0 MSTORE GAS PUSH 32 MSTORE PUSH 64 PUSH 0 RETURN'))
    const caller = `PUSH 64 PUSH 0 PUSH 0 PUSH 0 ${argument(1)} ${to(A)} PUSH 0 CALL POP PUSH 64 PUSH 0 LOG0`
    const path = await pathThatHolds(funded(caller, [[A, callee]]), pays(0n, 5n))
    await expectHolds(path, funded(caller, [[A, callee]]), pays(0n, 6n))
  })

  test('is undone where its callee reverts or halts', async () => {
    for (const end of ['PUSH 0 PUSH 0 REVERT', 'INVALID']) {
      const callee = contract(assemble(end))
      const caller = `${send(to(A), 'PUSH 5', 'PUSH 5000')} PUSH 0 SSTORE ${to(A)} BALANCE PUSH 1 SSTORE SELFBALANCE PUSH 2 SSTORE`
      const path = await pathThatHolds(funded(caller, [[A, callee]]), transaction())
      const transfers = path.effects.filter((effect) => effect.kind === 'transfer')
      expect(transfers.map(({ back }) => back)).toEqual([undefined, true])
    }
  })

  test('inside a frame that reverts later is undone with it', async () => {
    const middle = account({
      nonce: 1n,
      balance: 50n,
      code: assemble(`${send(to(B), 'PUSH 5')} POP PUSH 0 PUSH 0 REVERT`),
    })
    const caller = `${send(to(A), 'PUSH 0')} PUSH 0 SSTORE ${send(to(B), 'PUSH 7')} PUSH 1 SSTORE GAS PUSH 2 SSTORE`
    await pathThatHolds(funded(caller, [[A, middle]]), transaction())
  })

  test('halts a static frame', async () => {
    const callee = account({ nonce: 1n, balance: 50n, code: assemble(send(to(B), argument(0))) })
    const caller = `${argument(0)} PUSH 4 MSTORE PUSH 0 PUSH 0 PUSH 36 PUSH 0 ${to(A)} PUSH 50000 STATICCALL PUSH 0 SSTORE`
    const world = funded(caller, [[A, callee]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5n) }))
    await expectNeedsGuard(path, /carries value/, world, transaction({ data: abi(1, 0n) }))
  })

  test('goes on through a delegate call as the value of the caller', async () => {
    const logic = contract(assemble(`CALLVALUE PUSH 0 SSTORE ${send(to(B), 'CALLVALUE')} PUSH 1 SSTORE`))
    const caller = `PUSH 0 PUSH 0 PUSH 0 PUSH 0 ${to(A)} GAS DELEGATECALL POP`
    const path = await pathThatHolds(funded(caller, [[A, logic]]), transaction({ value: 9n }))
    await expectHolds(path, funded(caller, [[A, logic]], 0n), transaction({ value: 4n }))
  })
})

describe('a payment that is dropped', () => {
  const REVERTS = contract(assemble('PUSH 32 PUSH 0 REVERT'))
  const HALTS = contract(assemble('INVALID'))
  const notes = 'PUSH 0 SSTORE RETURNDATASIZE PUSH 1 SSTORE GAS PUSH 2 SSTORE'
  const pay = (target: string, value: string): string => send(target, value, 'PUSH 5000')
  const pays = (...amounts: readonly bigint[]) => transaction({ data: abi(1, ...amounts), gas: 200_000 })

  /** The path holds up to the amounts `most`, and not for any of `over`; amounts of the recorded transaction are 5. */
  const expectBound = async (world: World, most: readonly bigint[], over: readonly (readonly bigint[])[]) => {
    const path = await pathThatHolds(world, pays(...most.map(() => 5n)))
    await expectHolds(path, world, pays(...most))
    for (const amounts of over) {
      const { failed, covered, outcome } = evaluatePath(path, world, pays(...amounts))
      expect(failed.map(({ meaning }) => meaning)).toEqual([])
      expect(covered).toBe(false)
      expect(outcome).not.toEqual(await callOracle(world, pays(...amounts)))
    }
  }

  test.each([
    ['whose callee reverts', `${pay(to(A), argument(0))} ${notes}`, REVERTS],
    ['whose callee halts', `${pay(to(A), argument(0))} ${notes}`, HALTS],
    ['before a revert of the transaction', `${pay(to(B), argument(0))} PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT`, HALTS],
    ['before a halt of the transaction', `${pay(to(B), argument(0))} PUSH @on JUMPI STOP on: INVALID`, HALTS],
  ])('%s holds where the payer has it', async (_, source, callee) => {
    await expectBound(
      funded(source, [
        [A, callee],
        [B, some],
      ]),
      [1000n],
      [[1001n]],
    )
  })

  const inner = (source: string, end: string): WorldAccount =>
    account({ nonce: 1n, balance: 1000n, code: assemble(`${source} PUSH 0 MSTORE ${end}`) })
  // The callee pays what the word that it was given says.
  const asks = `${argument(0)} PUSH 4 MSTORE PUSH 32 PUSH 0 PUSH 36 PUSH 0 PUSH 0 ${to(A)} PUSH 40000 CALL ${notes} PUSH 0 MLOAD PUSH 3 SSTORE`

  test.each([
    ['reverts', 'PUSH 32 PUSH 0 REVERT'],
    ['halts', 'PUSH 0 MLOAD PUSH @on JUMPI STOP on: INVALID'],
  ])('in a frame that %s holds where the payer has it', async (_, end) => {
    await expectBound(
      funded(asks, [
        [A, inner(pay(to(B), argument(0)), end)],
        [B, some],
      ]),
      [1000n],
      [[1001n]],
    )
  })

  test('is taken off what the payer has for the next one only until it is dropped', async () => {
    const both = `${pay(to(A), argument(0))} PUSH 3 SSTORE ${pay(to(A), argument(1))} ${notes}`
    await expectBound(
      funded(both, [[A, REVERTS]]),
      [1000n, 1000n],
      [
        [1001n, 1n],
        [1n, 1001n],
      ],
    )
  })

  test('finds what one before it has left', async () => {
    const both = `${pay(to(B), argument(0))} PUSH 3 SSTORE ${pay(to(A), argument(1))} ${notes}`
    const others = [
      [A, REVERTS],
      [B, some],
    ] as const
    await expectBound(funded(both, others), [400n, 600n], [[400n, 601n]])
    await expectBound(funded(`${both} PUSH 0 PUSH 0 REVERT`, others), [400n, 600n], [[400n, 601n]])
  })

  test('two in one dropped frame come after each other', async () => {
    const twice = `${pay(to(B), argument(0))} POP ${pay(to(B), argument(0))}`
    const world = (end: string): World =>
      funded(asks, [
        [A, inner(twice, end)],
        [B, some],
      ])
    await expectBound(world('PUSH 32 PUSH 0 REVERT'), [500n], [[501n]])
  })

  test('counts what the payer was paid in the same frame, and no more once that is dropped', async () => {
    // A is paid with the call and pays it on, B drops that; then ENTRY has what it had.
    const passing = account({
      nonce: 1n,
      code: assemble(`${pay(to(B), 'CALLVALUE')} PUSH 0 MSTORE PUSH 32 PUSH 0 REVERT`),
    })
    const source = `${send(to(A), argument(0), 'PUSH 40000')} PUSH 3 SSTORE ${pay(to(B), argument(1))} ${notes}`
    await expectBound(
      funded(source, [
        [A, passing],
        [B, some],
      ]),
      [1000n, 1000n],
      [
        [1001n, 1n],
        [1000n, 1001n],
      ],
    )
  })

  test('to the payer itself needs the amount all the same', async () => {
    const self = `CALLDATASIZE ISZERO PUSH @inner JUMPI ${pay('ADDRESS', argument(0))} ${notes} STOP
      inner: PUSH 32 PUSH 0 REVERT`
    await expectBound(funded(self), [1000n], [[1001n]])
  })

  test('to an account that is not there does not make it exist', async () => {
    const middle = inner(pay(to(B), 'PUSH 1'), 'PUSH 0 PUSH 0 REVERT')
    const source = `${send(to(A), 'PUSH 0')} PUSH 0 SSTORE ${to(B)} EXTCODEHASH PUSH 1 SSTORE ${send(to(B), 'PUSH 1')} PUSH 2 SSTORE GAS PUSH 3 SSTORE`
    const path = await pathThatHolds(funded(source, [[A, middle]]), transaction())
    await expectNeedsGuard(
      path,
      /does not exist/,
      funded(source, [
        [A, middle],
        [B, some],
      ]),
      transaction(),
    )
  })
})

describe('balances after a transfer', () => {
  const reads = `${to(A)} BALANCE PUSH 0 SSTORE SELFBALANCE PUSH 1 SSTORE ${to(B)} BALANCE PUSH 2 SSTORE`

  test('are what the path leaves of them', async () => {
    const passing = contract(assemble(send(to(B), 'CALLVALUE')))
    const caller = `${reads.replaceAll('PUSH', 'PUSH')} ${send(to(A), argument(0))} POP ${reads}`
    const world = funded(caller, [[A, passing]])
    const path = await pathThatHolds(world, transaction({ data: abi(1, 5n), value: 3n }))
    await expectHolds(path, funded(caller, [[A, passing]], 77n), transaction({ data: abi(1, 80n), value: 3n }))
  })

  test('make an account that got something exist', async () => {
    const caller = `${send(to(A), 'PUSH 1')} POP ${to(A)} EXTCODEHASH PUSH 0 SSTORE`
    const path = await pathThatHolds(funded(caller), transaction())
    await expectNeedsGuard(path, /does not exist/, funded(caller, [[A, some]]), transaction())
  })
})

test('value to a precompile is refused', async () => {
  expect(await refusalOf(funded(send('PUSH 4', 'PUSH 1')), transaction())).toBe('value to a precompile')
})
