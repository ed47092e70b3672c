import type { AccountColumns, State } from '../../state/state.ts'
import type { Store } from '../../state/store/store.ts'
import { StoreError } from '../../state/store/store_error.ts'
import type { StateLayers, StoredState } from '../../state/store/stored_state.ts'
import type { KnownBlocks } from './known_blocks.ts'

/**
 * The state after one known block, or after whatever block is the head, for reading. A read finds the layers between
 * the disk and that state again where the disk has changed since the last one, so nothing is held open between reads.
 */
export class FixedState implements State {
  readonly #store: Store
  readonly #known: KnownBlocks
  readonly #hash: string | undefined
  readonly #state: StoredState
  #layers: StateLayers | undefined
  #moves = -1

  /** `hash`: the block; undefined: the head. */
  constructor(store: Store, known: KnownBlocks, hash: string | undefined) {
    this.#store = store
    this.#known = known
    this.#hash = hash
    this.#state = store.stateUnder(() => this.#settled())
  }

  readAccounts(addresses: Uint32Array, count: number): AccountColumns {
    return this.#state.readAccounts(addresses, count)
  }

  readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Uint32Array {
    return this.#state.readSlots(addresses, keys, count)
  }

  readCode(codeHash: string): Uint8Array {
    return this.#state.readCode(codeHash)
  }

  hasStorage(address: string): boolean {
    return this.#state.hasStorage(address)
  }

  blockHash(number: bigint): string | undefined {
    return this.#state.blockHash(number)
  }

  commit(): never {
    throw new StoreError(this.#store.folder, 'write', 'the state of a block is for reading: only blocks change it')
  }

  #settled(): StateLayers {
    const { moves } = this.#store
    if (this.#layers !== undefined && this.#moves === moves) return this.#layers
    const hash = this.#hash ?? this.#store.head.hash
    const way = this.#known.wayTo(hash)
    if (way === undefined) throw new StoreError(this.#store.folder, 'depth', this.#known.goneText(hash))
    this.#layers = this.#known.layersAt(way)
    this.#moves = moves
    return this.#layers
  }
}
