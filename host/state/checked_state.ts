import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import { checkHex, InputError, refuse } from '../primitives/input.ts'
import { keccak256Hex } from '../primitives/keccak.ts'
import type { AccountColumns, State, StateWrites } from './state.ts'

/** u32 or bytes for each account of a column. */
const WIDTHS = { exists: 1, nonce: 2, balance: LIMBS_PER_WORD, codeHash: LIMBS_PER_WORD } as const

/**
 * A State whose answers are checked before they are used: kinds and lengths of columns, and that code has the
 * hash under which it was asked for. Throws InputError where one is wrong; what is synchronous stays so.
 *
 * Cost: a comparison for each column, and one hash for each code when it is read.
 */
export class CheckedState implements State {
  readonly #state: State
  readonly hasStorage?: (address: string) => boolean | Promise<boolean>

  constructor(state: State) {
    this.#state = state
    if (state.hasStorage !== undefined)
      this.hasStorage = (address) => then(state.hasStorage!(address), (found) => checkBoolean(found, 'hasStorage'))
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns> {
    return then(this.#state.readAccounts(addresses, count), (columns) => {
      if (typeof columns !== 'object' || columns === null) refuse('state.readAccounts', columns, 'columns of accounts')
      for (const [name, width] of Object.entries(WIDTHS)) {
        const kind = name === 'exists' ? Uint8Array : Uint32Array
        checkColumn(columns[name as keyof AccountColumns], kind, width * count, `state.readAccounts: ${name}`)
      }
      return columns
    })
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array> {
    return then(this.#state.readSlots(addresses, keys, count), (values) => {
      checkColumn(values, Uint32Array, LIMBS_PER_WORD * count, 'state.readSlots: the column')
      return values
    })
  }

  readCode(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return then(this.#state.readCode(codeHash), (code) => {
      if (!(code instanceof Uint8Array)) refuse(`state.readCode: the code of ${codeHash}`, code, 'a Uint8Array')
      const hash = keccak256Hex(code)
      if (hash !== codeHash)
        throw new InputError(
          `state.readCode: the code of ${codeHash} must have this hash, its hash is ${hash}`,
          'state.readCode',
          hash,
        )
      // A Buffer cuts and prints otherwise than the bytes that the EVM was written for: PUSH20 would read another word.
      return code.constructor === Uint8Array ? code : new Uint8Array(code.buffer, code.byteOffset, code.length)
    })
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return then(this.#state.blockHash(number), (hash) =>
      hash === undefined ? undefined : checkHex(hash, 32, `state.blockHash: the hash of block ${number}`),
    )
  }

  commit(writes: StateWrites): void | Promise<void> {
    return this.#state.commit(writes)
  }
}

const then = <Read, Checked>(read: Read | Promise<Read>, check: (read: Read) => Checked): Checked | Promise<Checked> =>
  read instanceof Promise ? read.then(check) : check(read)

const checkColumn = (
  column: unknown,
  kind: Uint8ArrayConstructor | Uint32ArrayConstructor,
  length: number,
  field: string,
): void => {
  if (!(column instanceof kind)) refuse(field, column, `a ${kind.name}`)
  else if (column.length < length)
    throw new InputError(`${field} must have ${length} elements, it has ${column.length}`, field, column.length)
}

const checkBoolean = (value: unknown, name: string): boolean =>
  typeof value === 'boolean' ? value : refuse(`state.${name}`, value, 'a boolean')
