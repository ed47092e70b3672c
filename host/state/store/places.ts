import type { Environment, Table } from './environment.ts'
import { hashOrder } from './key_order.ts'
import { numberKey, numberOfKey } from './records.ts'
import type { WriteParts } from './write_parts.ts'

/** Where a transaction is: number of its block, position there. */
export interface TransactionPlace {
  readonly number: bigint
  readonly index: number
}

const HASH_BYTES = 32
const PLACE_BYTES = 12
const VOLUME_BYTES = 4
const KEY_BYTES = VOLUME_BYTES + HASH_BYTES
/** Of a place in a page: key, value, and what LMDB keeps of them. */
const NODE_BYTES = KEY_BYTES + PLACE_BYTES + 8
/** What of a page is used where its keys came in no order. */
const FILLED_PAGE_BYTES = 0.7 * 4096
/** Two blocks of 65,536 transactions: 2500 pages. */
const VOLUME_SIZE = 2 ** 17

/** Blocks from `first` on, whose places stand together. */
interface Volume {
  readonly number: number
  readonly first: bigint
  count: number
}

/**
 * The table of places: where the transactions of canonical blocks are, by their hashes.
 *
 * A hash is random, so in one table for the whole chain each would be written to another page. Blocks that follow one
 * another share a volume instead, and a block changes no pages but those of its volume, however long the chain is. What
 * is looked for is looked for in one volume after another, from the last on: a read of some pages each.
 *
 * Why: docs/decisions/0065-places-in-volumes.md.
 */
export class Places {
  readonly #environment: Environment
  readonly #volumeSize: number
  #volumes: Volume[] = []
  /** Where a write may have failed, they are read anew. */
  #areKnown = false

  /** `volumeSize`: transactions of a volume from which the next block begins another one. */
  constructor(environment: Environment, volumeSize = VOLUME_SIZE) {
    this.#environment = environment
    this.#volumeSize = volumeSize
  }

  get #table(): Table {
    return this.#environment.tables.places
  }

  /** Those of a block, `hashes` 32 bytes each in its order. Inside a transaction of the database. */
  put(number: bigint, hashes: Uint8Array, parts: WriteParts): void {
    const count = hashes.length / HASH_BYTES
    if (count === 0) return
    const volume = this.#volumeFor(number, count)
    const key = keyIn(volume)
    const place = Buffer.alloc(PLACE_BYTES)
    place.set(numberKey(number))
    const order = hashOrder(hashes)
    const table = this.#table
    parts.run({ getStats: () => statsOf(volume) }, count, (row) => {
      place.writeUInt32BE(order[row]!, PLACE_BYTES - 4)
      key.set(hashAt(hashes, order[row]!), VOLUME_BYTES)
      table.putSync(key, place)
    })
    volume.count += count
    this.#keep(volume)
  }

  /** Those of a block that is gone. */
  remove(number: bigint, hashes: Uint8Array, parts: WriteParts): void {
    const count = hashes.length / HASH_BYTES
    if (count === 0) return
    const volume = this.#volumeOf(number)
    const order = hashOrder(hashes)
    const table = this.#table
    if (volume === undefined) {
      parts.run(table, count, (row) => table.removeSync(hashAt(hashes, order[row]!)))
      return
    }
    const key = keyIn(volume)
    parts.run({ getStats: () => statsOf(volume) }, count, (row) => {
      key.set(hashAt(hashes, order[row]!), VOLUME_BYTES)
      table.removeSync(key)
    })
    volume.count = Math.max(0, volume.count - count)
    this.#keep(volume)
  }

  of(hash: Uint8Array): TransactionPlace | undefined {
    const volumes = this.#known
    const key = new Uint8Array(KEY_BYTES)
    key.set(hash, VOLUME_BYTES)
    for (let n = volumes.length - 1; n >= 0; n--) {
      key.set(volumeKey(volumes[n]!.number))
      const place = this.#table.get(key)
      if (place !== undefined) return placeOf(place)
    }
    // Of blocks before the first volume (schemas 2 to 4).
    const place = this.#table.get(hash)
    return place === undefined ? undefined : placeOf(place)
  }

  /** Takes all of them out. Inside a transaction of the database. */
  clear(): void {
    const { places, volumes } = this.#environment.tables
    places.clearSync()
    volumes.clearSync()
    this.forget()
  }

  /** What is known of volumes may be what a transaction wrote that did not end. */
  forget(): void {
    this.#areKnown = false
  }

  /** In their order; another thread may have added some. */
  get #known(): readonly Volume[] {
    const { volumes } = this.#environment.tables
    if (!this.#areKnown) {
      this.#volumes = []
      this.#areKnown = true
    }
    for (const { key, value } of volumes.getRange({ start: volumeKey(this.#volumes.length) }))
      this.#volumes.push({ number: numberOf(key), first: numberOfKey(value), count: countOf(value) })
    return this.#volumes
  }

  /**
   * The volume of a block: the last one that begins with it or before it, since a block comes to the chain when none
   * with its number or a higher one is there. Undefined where it was placed before there were volumes.
   */
  #volumeOf(number: bigint): Volume | undefined {
    return this.#known.findLast(({ first }) => first <= number)
  }

  #volumeFor(number: bigint, count: number): Volume {
    const volume = this.#volumeOf(number)
    if (volume !== undefined) {
      const isFull = volume.count > 0 && volume.count + count > this.#volumeSize
      if (!isFull || volume.number !== this.#volumes.length - 1) return volume
    }
    const next = { number: this.#volumes.length, first: number, count: 0 }
    this.#volumes.push(next)
    return next
  }

  #keep({ number, first, count }: Volume): void {
    const value = Buffer.alloc(8 + 4)
    value.set(numberKey(first))
    value.writeUInt32BE(count, 8)
    this.#environment.tables.volumes.putSync(volumeKey(number), value)
  }
}

const volumeKey = (number: number): Uint8Array => {
  const key = Buffer.alloc(VOLUME_BYTES)
  key.writeUInt32BE(number)
  return key
}

const numberOf = (key: Uint8Array): number => Buffer.from(key).readUInt32BE()

const countOf = (value: Uint8Array): number => Buffer.from(value).readUInt32BE(8)

/** A key of the volume, whose hash is to be put in. */
const keyIn = ({ number }: Volume): Uint8Array => {
  const key = new Uint8Array(KEY_BYTES)
  key.set(volumeKey(number))
  return key
}

/** About what the table would say of the volume. */
const statsOf = ({ count }: Volume) => ({
  treeLeafPageCount: Math.ceil((count * NODE_BYTES) / FILLED_PAGE_BYTES),
  overflowPages: 0,
  entryCount: count,
})

const placeOf = (place: Uint8Array): TransactionPlace => ({
  number: numberOfKey(place),
  index: Buffer.from(place).readUInt32BE(PLACE_BYTES - 4),
})

const hashAt = (hashes: Uint8Array, index: number): Uint8Array =>
  hashes.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1))
