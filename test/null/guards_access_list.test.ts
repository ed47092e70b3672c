import { describe, expect, test } from 'vitest'
import { parsePath, printPath } from '../../transpiler/ir/text.ts'
import { assemble } from '../fixtures/assembler.ts'
import { expectHolds, expectNeedsGuard, pathThatHolds, refusalOf } from '../fixtures/path_claims.ts'
import { abi, account, COINBASE, ENTRY, SENDER, transaction, worldOf } from '../fixtures/world.ts'

const A = 0xaaaa000000000000000000000000000000000001n
const B = 0xbbbb000000000000000000000000000000000002n
const argument = (index: number): string => `PUSH ${4 + 32 * index} CALLDATALOAD`
const listed = (address: bigint, ...keys: readonly bigint[]) => ({ address, keys })

describe('an access list', () => {
  const reads = worldOf(
    assemble(`${argument(0)} EXTCODESIZE POP ${argument(0)} EXTCODESIZE POP`),
    [],
    [[A, account({ balance: 1n })]],
  )
  const slots = worldOf(assemble(`${argument(0)} SLOAD POP ${argument(1)} PUSH 9 SSTORE`), [[9n, 4n]])

  test('warms the accounts that it names, and exits where another one is meant', async () => {
    const call = (address: bigint) => transaction({ data: abi(1, address), accessList: [listed(A), listed(B, 5n)] })
    const warm = await pathThatHolds(reads, call(A))
    await expectNeedsGuard(warm, /is in the access list/, reads, call(0xcccc00n))
    const cold = await pathThatHolds(reads, call(0xcccc00n))
    await expectHolds(cold, reads, call(0xdddd00n))
    await expectNeedsGuard(cold, /is not in the access list/, reads, call(B))
  })

  test('warms the keys that it names of the called account, and no others', async () => {
    const call = (key: bigint, value = 1n) =>
      transaction({ data: abi(1, key, value), accessList: [listed(ENTRY, 3n), listed(ENTRY, 5n)] })
    const warm = await pathThatHolds(slots, call(3n))
    await expectNeedsGuard(warm, /is in the access list/, slots, call(5n + 1n))
    const cold = await pathThatHolds(slots, call(4n))
    await expectHolds(cold, slots, call(6n))
    await expectNeedsGuard(cold, /is not in the access list/, slots, call(5n))
    await pathThatHolds(slots, { ...call(3n), accessList: [listed(ENTRY, 9n)] })
  })

  test('of another instance of the same code does not warm this one', async () => {
    const call = transaction({ data: abi(1, 3n, 1n), accessList: [listed(ENTRY, 3n)] })
    const path = await pathThatHolds(slots, call)
    const moved = new Map([...slots, [A, slots.get(ENTRY)!]])
    await expectNeedsGuard(path, /is in the access list/, moved, { ...call, to: A })
    const other = await pathThatHolds(slots, { ...call, accessList: [listed(A, 3n)] })
    await expectNeedsGuard(other, /is not in the access list/, moved, { ...call, to: A, accessList: [listed(A, 3n)] })
  })

  test('may name the sender, the coinbase and precompiles, which are warm anyway', async () => {
    const accessList = [listed(SENDER), listed(COINBASE), listed(4n), listed(ENTRY)]
    await pathThatHolds(reads, transaction({ data: abi(1, SENDER), accessList }))
    await pathThatHolds(reads, transaction({ data: abi(1, A), accessList, fork: 'london' }))
  })

  test('is part of the key, whatever its order', async () => {
    const call = (...accessList: readonly ReturnType<typeof listed>[]) => transaction({ data: abi(1, A), accessList })
    const one = await pathThatHolds(reads, call(listed(A), listed(B, 1n, 2n)))
    const other = await pathThatHolds(reads, call(listed(B, 2n), listed(A), listed(B, 1n)))
    expect(one.key).toEqual(other.key)
    expect((await pathThatHolds(reads, call(listed(A), listed(B, 1n)))).key).not.toEqual(one.key)
    expect((await pathThatHolds(reads, transaction({ data: abi(1, A) }))).key.accessList).toBeUndefined()
    expect(parsePath(printPath(one))).toEqual(one)
  })

  test('past its bound is refused', async () => {
    const accessList = Array.from({ length: 65 }, (_, i) => listed(A, BigInt(i)))
    expect(await refusalOf(reads, transaction({ data: abi(1, A), accessList }))).toBe('access list bound')
  })
})
