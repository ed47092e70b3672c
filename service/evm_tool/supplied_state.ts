import type { MemoryState } from '../../host/state/memory_state.ts'
import type { AccountColumns, State, StateWrites } from '../../host/state/state.ts'

/**
 * A state in memory with the hashes of ancestors that were supplied; it notes the first that was asked for and is not
 * there.
 */
export class SuppliedState implements State {
  missing: bigint | undefined
  readonly #memory: MemoryState
  readonly #hashes: ReadonlyMap<bigint, string> | undefined

  constructor(memory: MemoryState, hashes: ReadonlyMap<bigint, string> | undefined) {
    this.#memory = memory
    this.#hashes = hashes
  }

  blockHash(number: bigint): string | undefined {
    const hash = this.#hashes?.get(number)
    if (hash === undefined) this.missing ??= number
    return hash
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    return this.#memory.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    return this.#memory.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array {
    return this.#memory.readCode(codeHash)
  }

  hasStorage(address: string): boolean {
    return this.#memory.hasStorage(address)
  }

  commit(writes: StateWrites): void {
    this.#memory.commit(writes)
  }
}
