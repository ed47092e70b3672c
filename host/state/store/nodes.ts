import { bytesToHex, hexToBytes } from '../../primitives/hex.ts'
import type { PageChanges } from '../trie/page_cuts.ts'
import type { PagedRoot, PageSource } from '../trie/state_pages.ts'
import type { Environment } from './environment.ts'
import { checkRoomOf } from './room.ts'
import { StoreError } from './store_error.ts'
import type { WriteParts } from './write_parts.ts'

/** The key of what the pages are of: the next page's number u32, the page of the root u32, hash of the root (32). */
const ROOT = 0
const ROOT_BYTES = 4 + 4 + 32

const pageKey = (page: number): Uint8Array => {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(page)
  return key
}

/** The trie of the state on disk, in pages (`PageWriter`). */
export class Nodes implements PageSource {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Undefined where there are none, or what says of what they are is none. */
  get root(): PagedRoot | undefined {
    const bytes = this.#environment.tables.nodes.get(pageKey(ROOT))
    if (bytes === undefined || bytes.length !== ROOT_BYTES) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    return { next: view.getUint32(0), page: view.getUint32(4), hash: bytesToHex(bytes.subarray(8)) }
  }

  read(page: number): Uint8Array | undefined {
    return this.#environment.tables.nodes.getBinaryFast(pageKey(page))
  }

  /** Inside a transaction. */
  put({ page, hash, next, written, gone }: PageChanges, parts: WriteParts): void {
    const { nodes } = this.#environment.tables
    // Neighbours lie together.
    const inOrder = [...written].sort((a, b) => a.page - b.page)
    parts.run(nodes, inOrder.length, (row) => nodes.putSync(pageKey(inOrder[row]!.page), inOrder[row]!.bytes))
    parts.run(nodes, gone.length, (row) => nodes.removeSync(pageKey(gone[row]!)))
    const root = Buffer.alloc(ROOT_BYTES)
    root.writeUInt32BE(next)
    root.writeUInt32BE(page, 4)
    root.set(hexToBytes(hash), 8)
    nodes.putSync(pageKey(ROOT), root)
  }

  /** Inside a transaction: there are none. */
  clear(): void {
    this.#environment.tables.nodes.clearSync()
  }

  /** They are made anew by the next call that needs them, or when the chain is opened again. */
  damaged(what: string): StoreError {
    const { folder, root, tables } = this.#environment
    let then = 'it is made anew by the next call, or where the chain is opened again'
    try {
      checkRoomOf(this.#environment, 'the damage', { puts: 1, bytes: 0 })
      root.transactionSync(() => tables.nodes.removeSync(pageKey(ROOT)))
    } catch {
      then = 'and nothing can be written'
    }
    return new StoreError(folder, 'damaged', `the store is damaged: ${what}; ${then}`)
  }
}
