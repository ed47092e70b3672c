import { RLP } from 'micro-eth-signer/core/rlp.js'
import { bytesToHex } from '../primitives/hex.ts'
import { keccak256Hex } from '../primitives/keccak.ts'
import { rlpBytes, rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'

/**
 * The state that a block touches, with every value after every step of it (EIP-7928). Steps are counted: 0 is what the
 * block does before its transactions, 1 to n its transactions, n + 1 what it does after them.
 *
 * Canonical order: accounts by address, slots by key, changes by step. Each stands once; a slot that any step changes
 * is not among the reads.
 *
 * Example: {@link accessListHash}.
 */
export type BlockAccessList = readonly AccountAccess[]

/**
 * What a block does with one account (EIP-7928). Slot keys and values are words, balances wei.
 *
 * Example: {@link accessListHash}.
 */
export interface AccountAccess {
  /** 0x-hex in lower case. */
  readonly address: string
  readonly storageChanges: readonly SlotAccess[]
  readonly storageReads: readonly bigint[]
  readonly balanceChanges: readonly StepValue<bigint>[]
  readonly nonceChanges: readonly StepValue<bigint>[]
  readonly codeChanges: readonly StepValue<Uint8Array>[]
}

/**
 * A slot that some step of the block changes, with its value after each of those steps (EIP-7928).
 *
 * Example: {@link accessListHash}.
 */
export interface SlotAccess {
  readonly key: bigint
  readonly changes: readonly StepValue<bigint>[]
}

/**
 * A value after step `index` of the block: 0 before its transactions, 1 to n its transactions, n + 1 after them.
 *
 * Example: {@link accessListHash}.
 */
export interface StepValue<Value> {
  readonly index: number
  readonly value: Value
}

/**
 * Bytes that do not hold a block access list: the message is one line, with the place and what was expected there.
 *
 * @example
 * import { AccessListError, decodeAccessList } from 'wgevm'
 *
 * try {
 *   decodeAccessList(Uint8Array.of(0x01))
 * } catch (error) {
 *   console.log(error instanceof AccessListError) // true
 * }
 */
export class AccessListError extends Error {
  override readonly name = 'AccessListError'
}

/**
 * RLP of a block access list (EIP-7928): [address, slot changes, slot reads, balance, nonce and code changes] for each
 * account. The list must be in canonical order.
 *
 * @example
 * import { encodeAccessList } from 'wgevm'
 *
 * console.log(encodeAccessList([])) // Uint8Array(1) [ 192 ]
 */
export const encodeAccessList = (list: BlockAccessList): Uint8Array => rlpList(list.map(encodeAccount))

/**
 * keccak-256 of the RLP of a block access list, 0x-hex: what a header commits to (EIP-7928).
 *
 * @example
 * import { accessListHash, type BlockAccessList } from 'wgevm'
 *
 * const list: BlockAccessList = [
 *   {
 *     address: '0x00000000000000000000000000000000000a11ce',
 *     storageChanges: [],
 *     storageReads: [1n],
 *     balanceChanges: [{ index: 1, value: 5n }],
 *     nonceChanges: [{ index: 1, value: 1n }],
 *     codeChanges: [],
 *   },
 * ]
 * console.log(accessListHash(list).length) // 66
 */
export const accessListHash = (list: BlockAccessList): string => keccak256Hex(encodeAccessList(list))

const encodeAccount = (account: AccountAccess): Uint8Array =>
  rlpList([
    rlpHex(account.address),
    rlpList(account.storageChanges.map(({ key, changes }) => rlpList([rlpInteger(key), encodeSteps(changes)]))),
    rlpList(account.storageReads.map(rlpInteger)),
    encodeSteps(account.balanceChanges),
    encodeSteps(account.nonceChanges),
    encodeSteps(account.codeChanges),
  ])

const encodeSteps = (changes: readonly StepValue<bigint | Uint8Array>[]): Uint8Array =>
  rlpList(
    changes.map(({ index, value }) =>
      rlpList([rlpInteger(index), typeof value === 'bigint' ? rlpInteger(value) : rlpBytes(value)]),
    ),
  )

type Item = Uint8Array | Item[]

/**
 * Decodes the RLP of a block access list (EIP-7928) and checks its canonical order. Throws AccessListError.
 *
 * @example
 * import { decodeAccessList, encodeAccessList } from 'wgevm'
 *
 * console.log(decodeAccessList(encodeAccessList([]))) // []
 */
export const decodeAccessList = (rlp: Uint8Array): BlockAccessList => {
  let decoded: Item
  try {
    decoded = RLP.decode(rlp) as Item
  } catch (cause) {
    throw new AccessListError(`access list: malformed RLP: ${(cause as Error).message.replace('RLP.decode: ', '')}`)
  }
  const list = itemsOf(decoded, 'access list').map((item, n): AccountAccess => {
    const at = `access list[${n}]`
    const [address, changes, reads, balances, nonces, codes] = itemsOf(item, at, 6) as [
      Item,
      Item,
      Item,
      Item,
      Item,
      Item,
    ]
    return {
      address: bytesToHex(bytesOf(address, `${at}.address`, 20)),
      storageChanges: itemsOf(changes, `${at}.storageChanges`).map((change, k) => {
        const where = `${at}.storageChanges[${k}]`
        const [key, steps] = itemsOf(change, where, 2) as [Item, Item]
        return { key: integerOf(key, `${where}.key`, 32), changes: stepsOf(steps, `${where}.changes`, 32) }
      }),
      storageReads: itemsOf(reads, `${at}.storageReads`).map((key, k) =>
        integerOf(key, `${at}.storageReads[${k}]`, 32),
      ),
      balanceChanges: stepsOf(balances, `${at}.balanceChanges`, 32),
      nonceChanges: stepsOf(nonces, `${at}.nonceChanges`, 8),
      codeChanges: itemsOf(codes, `${at}.codeChanges`).map((change, k) => {
        const where = `${at}.codeChanges[${k}]`
        const [index, code] = itemsOf(change, where, 2) as [Item, Item]
        return { index: Number(integerOf(index, `${where}.index`, 4)), value: bytesOf(code, `${where}.code`) }
      }),
    }
  })
  checkOrder(list)
  return list
}

const itemsOf = (item: Item, name: string, count?: number): Item[] => {
  if (!Array.isArray(item)) throw new AccessListError(`${name}: bytes, expected a list`)
  if (count !== undefined && item.length !== count)
    throw new AccessListError(`${name}: ${item.length} fields, expected ${count}`)
  return item
}

const bytesOf = (item: Item, name: string, length?: number): Uint8Array => {
  if (Array.isArray(item)) throw new AccessListError(`${name}: a list, expected bytes`)
  if (length !== undefined && item.length !== length)
    throw new AccessListError(`${name}: ${item.length} bytes, expected ${length}`)
  return item
}

const integerOf = (item: Item, name: string, mostBytes: number): bigint => {
  const bytes = bytesOf(item, name)
  if (bytes.length > mostBytes)
    throw new AccessListError(`${name}: ${bytes.length} bytes, expected at most ${mostBytes}`)
  if (bytes[0] === 0) throw new AccessListError(`${name}: leading zeros, expected none`)
  return bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes))
}

const stepsOf = (item: Item, name: string, mostBytes: number): StepValue<bigint>[] =>
  itemsOf(item, name).map((change, n) => {
    const [index, value] = itemsOf(change, `${name}[${n}]`, 2) as [Item, Item]
    return {
      index: Number(integerOf(index, `${name}[${n}].index`, 4)),
      value: integerOf(value, `${name}[${n}].value`, mostBytes),
    }
  })

/** Throws AccessListError where a list is not in its canonical order, or names something twice. */
export const checkOrder = (list: BlockAccessList): void => {
  ascending(
    list.map(({ address }) => BigInt(address)),
    'access list',
    'addresses',
  )
  for (const account of list) {
    const at = `access list, account ${account.address}`
    const changed = account.storageChanges.map(({ key }) => key)
    ascending(changed, at, 'changed slots')
    ascending(account.storageReads, at, 'slots that were read')
    const changedKeys = new Set(changed)
    const both = account.storageReads.find((key) => changedKeys.has(key))
    if (both !== undefined) throw new AccessListError(`${at}: slot 0x${both.toString(16)} is both changed and read`)
    for (const { key, changes } of account.storageChanges) {
      if (changes.length === 0) throw new AccessListError(`${at}: slot 0x${key.toString(16)} has no changes`)
      ascendingSteps(changes, `${at}, slot 0x${key.toString(16)}`)
    }
    ascendingSteps(account.balanceChanges, `${at}, balance`)
    ascendingSteps(account.nonceChanges, `${at}, nonce`)
    ascendingSteps(account.codeChanges, `${at}, code`)
  }
}

const ascendingSteps = (changes: readonly StepValue<unknown>[], at: string): void =>
  ascending(
    changes.map(({ index }) => BigInt(index)),
    at,
    'steps',
  )

const ascending = (values: readonly bigint[], at: string, what: string): void => {
  for (let n = 1; n < values.length; n++)
    if (values[n]! <= values[n - 1]!) throw new AccessListError(`${at}: ${what} are not in ascending order`)
}

/**
 * The first difference of two lists in canonical order, in words: what `given` says and what is. Undefined where there
 * is none.
 */
export const accessDifference = (given: BlockAccessList, actual: BlockAccessList): string | undefined => {
  for (let n = 0; n < Math.max(given.length, actual.length); n++) {
    const one = given[n]
    const other = actual[n]
    if (one === undefined || (other !== undefined && other.address < one.address))
      return `account ${other!.address} is not in the list`
    if (other === undefined || one.address < other.address)
      return `account ${one.address} is in the list, but was not touched`
    const difference = accountDifference(one, other)
    if (difference !== undefined) return `account ${one.address}: ${difference}`
  }
  return undefined
}

const accountDifference = (given: AccountAccess, actual: AccountAccess): string | undefined => {
  const slots = new Map(actual.storageChanges.map(({ key, changes }) => [key, changes]))
  for (const { key, changes } of given.storageChanges) {
    const name = `slot 0x${key.toString(16)}`
    const difference = stepDifference(changes, slots.get(key) ?? [], name)
    if (difference !== undefined) return difference
    slots.delete(key)
  }
  const unlisted = slots.keys().next().value
  if (unlisted !== undefined) return `changes of slot 0x${unlisted.toString(16)} are not in the list`
  const reads = new Set(actual.storageReads)
  for (const key of given.storageReads)
    if (!reads.delete(key)) return `slot 0x${key.toString(16)} is in the list as read, but was not only read`
  const unread = reads.values().next().value
  if (unread !== undefined) return `the read of slot 0x${unread.toString(16)} is not in the list`
  return (
    stepDifference(given.balanceChanges, actual.balanceChanges, 'balance') ??
    stepDifference(given.nonceChanges, actual.nonceChanges, 'nonce') ??
    stepDifference(given.codeChanges, actual.codeChanges, 'code')
  )
}

const stepDifference = (
  given: readonly StepValue<bigint | Uint8Array>[],
  actual: readonly StepValue<bigint | Uint8Array>[],
  name: string,
): string | undefined => {
  for (let n = 0; n < Math.max(given.length, actual.length); n++) {
    const one = given[n]
    const other = actual[n]
    if (one === undefined || (other !== undefined && other.index < one.index))
      return `${name} at step ${other!.index} is ${textOf(other!.value)}, the list has no change`
    if (other === undefined || one.index < other.index)
      return `${name} at step ${one.index} does not change, the list says ${textOf(one.value)}`
    if (textOf(one.value) !== textOf(other.value))
      return `${name} at step ${one.index} is ${textOf(other.value)}, the list says ${textOf(one.value)}`
  }
  return undefined
}

const textOf = (value: bigint | Uint8Array): string => (typeof value === 'bigint' ? `${value}` : bytesToHex(value))
