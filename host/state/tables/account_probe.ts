import { LIMBS_PER_ADDRESS } from '../../../transpiler/layout/word.ts'
import type { ColumnMemory } from '../../primitives/column_memory.ts'
import { type WasmModule, wasm } from '../../primitives/web_assembly.ts'
import type { AccountTable } from './account_table.ts'
import { PROBE_MODULE } from './probe_module.generated.ts'

/** Addresses that are looked for in one call of the module. */
const CHUNK = 1024

let compiled: WasmModule | undefined

type FindAccounts = (count: number, addresses: number, ids: number, index: number, mask: number, rows: number) => number

/**
 * Looks for many accounts by a module of WebAssembly (kernels/columns/probe.as), in whose memory their table lies. The
 * columns of its chunks are its own, so it may be asked while other modules have theirs in the memory.
 */
export class AccountProbe {
  readonly memory: ColumnMemory
  readonly #addresses: Uint32Array
  readonly #ids: Int32Array
  readonly #find: FindAccounts

  /** Undefined where the memory has no room for the columns: it is full then. */
  static in(memory: ColumnMemory): AccountProbe | undefined {
    const words = memory.words((LIMBS_PER_ADDRESS + 1) * CHUNK)
    return memory.isFull ? undefined : new AccountProbe(memory, words)
  }

  private constructor(memory: ColumnMemory, words: Uint32Array) {
    this.memory = memory
    this.#addresses = words.subarray(0, LIMBS_PER_ADDRESS * CHUNK)
    this.#ids = new Int32Array(words.buffer, words.byteOffset + this.#addresses.byteLength, CHUNK)
    compiled ??= new wasm.Module(Buffer.from(PROBE_MODULE, 'base64'))
    this.#find = memory.exportsOf(compiled)['findAccounts'] as FindAccounts
  }

  /** ids[i] = the account at `addresses[5 i ..]`, or -1. */
  find({ index, rows }: AccountTable, addresses: Uint32Array, count: number, ids: Int32Array): void {
    const [at, idsAt] = [this.#addresses.byteOffset, this.#ids.byteOffset]
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(count, first + CHUNK)
      this.#addresses.set(addresses.subarray(LIMBS_PER_ADDRESS * first, LIMBS_PER_ADDRESS * end))
      this.#find(end - first, at, idsAt, index.words.byteOffset, index.mask, rows.byteOffset)
      ids.set(this.#ids.subarray(0, end - first), first)
    }
  }
}
