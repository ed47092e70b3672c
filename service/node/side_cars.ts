import type { PoolEntry } from './pool_entry.ts'
import { CELL_PROOFS, type SideCar } from './side_car.ts'

/** A blob with what proves it: a proof, or one for each cell. */
export interface BlobWithProofs {
  readonly version: SideCar['version']
  readonly blob: Uint8Array
  readonly proofs: readonly Uint8Array[]
}

/** Blobs of transactions that blocks took, kept for those that may leave the chain again. */
const MOST_KEPT = 128

/** Blobs of a pool by their versioned hashes. */
export class SideCars {
  /** Transactions that have a blob, each with its place there. */
  readonly #byBlob = new Map<string, Map<PoolEntry, number>>()
  /** By hash of the transaction, the oldest first. */
  readonly #kept = new Map<string, SideCar>()
  #keptBlobs = 0
  blobCount = 0

  add(entry: PoolEntry): void {
    if (entry.sideCar === undefined) return
    this.blobCount += entry.sideCar.blobs.length
    for (const [index, hash] of (entry.transaction.blobVersionedHashes ?? []).entries()) {
      const places = this.#byBlob.get(hash) ?? new Map<PoolEntry, number>()
      places.set(entry, index)
      this.#byBlob.set(hash, places)
    }
  }

  remove(entry: PoolEntry): void {
    if (entry.sideCar === undefined) return
    this.blobCount -= entry.sideCar.blobs.length
    for (const hash of entry.transaction.blobVersionedHashes ?? []) {
      const places = this.#byBlob.get(hash)
      places?.delete(entry)
      if (places?.size === 0) this.#byBlob.delete(hash)
    }
  }

  blob(hash: string): BlobWithProofs | undefined {
    const [place] = this.#byBlob.get(hash) ?? []
    if (place === undefined) return undefined
    const [{ sideCar }, index] = place
    const { version, blobs, proofs } = sideCar!
    const each = version === 0 ? 1 : CELL_PROOFS
    return { version, blob: blobs[index]!, proofs: proofs.slice(each * index, each * (index + 1)) }
  }

  /** Keeps the side-car of a transaction that leaves the pool with a block. */
  keep({ hash, sideCar }: PoolEntry): void {
    if (sideCar === undefined || this.#kept.has(hash)) return
    this.#kept.set(hash, sideCar)
    this.#keptBlobs += sideCar.blobs.length
    for (const [oldest, { blobs }] of this.#kept) {
      if (this.#keptBlobs <= MOST_KEPT) return
      this.#kept.delete(oldest)
      this.#keptBlobs -= blobs.length
    }
  }

  kept(hash: string): SideCar | undefined {
    return this.#kept.get(hash)
  }
}
