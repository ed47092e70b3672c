import type { BlockFixture } from '../conformance/block_fixture.ts'
import { FixtureError } from '../conformance/json_field.ts'
import { MemoryState } from '../host/state/memory_state.ts'
import type { AccountColumns, State, StateWrites } from '../host/state/state.ts'

/** Ancestors that BLOCKHASH may name. */
const REACH = 256n

/**
 * A State that stands for one MemoryState after the other, so an executor keeps its paths from block to block. A
 * block hash that a block asks for and its fixture lacks is a FixtureError.
 */
export class SwitchedState implements State {
  #current = new MemoryState()
  #fixture: Pick<BlockFixture, 'file' | 'env'> | undefined

  /** The executor must `forget` what it holds of the one before. */
  use(state: MemoryState, fixture?: Pick<BlockFixture, 'file' | 'env'>): void {
    this.#current = state
    this.#fixture = fixture
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    return this.#current.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    return this.#current.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array {
    return this.#current.readCode(codeHash)
  }

  hasStorage(address: string): boolean {
    return this.#current.hasStorage(address)
  }

  blockHash(number: bigint): string | undefined {
    const hash = this.#current.blockHash(number)
    if (hash !== undefined || this.#fixture === undefined) return hash
    const { file, env } = this.#fixture
    const distance = env.number - number
    if (distance < 1n || distance > REACH) return undefined
    throw new FixtureError(file, 'blockHashes', `expected the hash of block ${number}, which BLOCKHASH asks for`)
  }

  commit(writes: StateWrites): void {
    this.#current.commit(writes)
  }
}
