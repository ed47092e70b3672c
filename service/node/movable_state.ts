import type { AccountColumns, State } from '../../host/index.ts'

/** A State that answers as another one does, which may be changed between two calls of an executor. Read only. */
export class MovableState implements State {
  #state: State

  constructor(state: State) {
    this.#state = state
  }

  moveTo(state: State): void {
    this.#state = state
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns | Promise<AccountColumns> {
    return this.#state.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array | Promise<Uint32Array> {
    return this.#state.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array | Promise<Uint8Array> {
    return this.#state.readCode(codeHash)
  }

  hasStorage(address: string): boolean | Promise<boolean> {
    return this.#state.hasStorage?.(address) ?? false
  }

  blockHash(number: bigint): string | undefined | Promise<string | undefined> {
    return this.#state.blockHash(number)
  }

  commit(): never {
    throw new Error('nothing is committed to the state of a reader')
  }
}
