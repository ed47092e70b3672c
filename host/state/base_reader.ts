import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { EMPTY_CODE_HASH } from '../primitives/keccak.ts'
import { addressFromHex, quantityToBigInt, wordFromBigInt, wordToBigInt, wordToHex } from '../primitives/word.ts'
import type { AccountView } from './snapshot.ts'
import type { AccountColumns } from './state.ts'
import type { ResidentState } from './tables/resident_tables.ts'

export interface SlotName {
  readonly address: string
  readonly key: bigint
}

/**
 * The State in object form, past the resident tables. What is not resident was not written in the open batch, so
 * its value there is the one of every place in the order. Reading here makes nothing resident: which executions go to
 * the device again for something that it lacks must not depend on who else has looked.
 */
export class BaseReader {
  readonly #resident: ResidentState

  constructor(resident: ResidentState) {
    this.#resident = resident
  }

  account(address: string): AccountView | undefined | Promise<AccountView | undefined> {
    const views = this.accounts([address])
    return views instanceof Promise ? views.then(([view]) => view) : views[0]
  }

  slot(address: string, key: bigint): bigint | Promise<bigint> {
    const values = this.slots([{ address, key }])
    return values instanceof Promise ? values.then(([value]) => value!) : values[0]!
  }

  accounts(list: readonly string[]): (AccountView | undefined)[] | Promise<(AccountView | undefined)[]> {
    const { state, codes } = this.#resident
    const columns = state.readAccounts(addressColumn(list), list.length)
    const views = (read: AccountColumns): (AccountView | undefined)[] =>
      list.map((_, n) =>
        read.exists[n] === 0
          ? undefined
          : {
              nonce: quantityToBigInt(read.nonce, 2 * n),
              balance: wordToBigInt(read.balance, LIMBS_PER_WORD * n),
              codeHash: codes.isEmptyHash(read.codeHash, LIMBS_PER_WORD * n)
                ? EMPTY_CODE_HASH
                : wordToHex(read.codeHash, LIMBS_PER_WORD * n),
            },
      )
    return columns instanceof Promise ? columns.then(views) : views(columns)
  }

  slots(list: readonly SlotName[]): bigint[] | Promise<bigint[]> {
    const addresses = addressColumn(list.map(({ address }) => address))
    const words = this.#resident.state.readSlots(addresses, keyColumn(list), list.length)
    const values = (read: Uint32Array): bigint[] => list.map((_, n) => wordToBigInt(read, LIMBS_PER_WORD * n))
    return words instanceof Promise ? words.then(values) : values(words)
  }
}

export const addressColumn = (list: readonly string[]): Uint32Array => {
  const column = new Uint32Array(LIMBS_PER_ADDRESS * list.length)
  for (let n = 0; n < list.length; n++) addressFromHex(column, LIMBS_PER_ADDRESS * n, list[n]!)
  return column
}

export const keyColumn = (list: readonly SlotName[]): Uint32Array => {
  const column = new Uint32Array(LIMBS_PER_WORD * list.length)
  for (let n = 0; n < list.length; n++) wordFromBigInt(column, LIMBS_PER_WORD * n, list[n]!.key)
  return column
}
