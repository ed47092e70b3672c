import {
  addressFromHex,
  quantityToBigInt,
  wordFromBigInt,
  wordToBigInt,
  wordToHex,
} from '../../host/primitives/word.ts'
import type { AccountColumns, State } from '../../host/state/state.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { SerialBase } from '../serial_state.ts'

/** A State that answers at once. */
export interface ReadableState extends State {
  readAccounts(addresses: Uint32Array, count: number): AccountColumns
  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array
  readCode(codeHash: string): Uint8Array
  hasStorage(address: string): boolean
}

/** Such a State as the serial reference reads one: an account or a slot at a time. */
export class ReadState implements SerialBase {
  readonly #state: ReadableState
  readonly #address = new Uint32Array(LIMBS_PER_ADDRESS)
  readonly #key = new Uint32Array(LIMBS_PER_WORD)

  constructor(state: ReadableState) {
    this.#state = state
  }

  account(address: string): ReturnType<SerialBase['account']> {
    addressFromHex(this.#address, 0, address)
    const { exists, nonce, balance, codeHash } = this.#state.readAccounts(this.#address, 1)
    if (exists[0] === 0) return undefined
    return { nonce: quantityToBigInt(nonce, 0), balance: wordToBigInt(balance, 0), codeHash: wordToHex(codeHash, 0) }
  }

  storage(address: string, key: bigint): bigint {
    addressFromHex(this.#address, 0, address)
    wordFromBigInt(this.#key, 0, key)
    return wordToBigInt(this.#state.readSlots(this.#address, this.#key, 1), 0)
  }

  hasStorage(address: string): boolean {
    return this.#state.hasStorage(address)
  }

  readCode(codeHash: string): Uint8Array {
    return this.#state.readCode(codeHash)
  }
}
