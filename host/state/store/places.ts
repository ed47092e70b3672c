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

/** The table of places: where the transactions of canonical blocks are, by their hashes. */
export class Places {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  get #table(): Table {
    return this.#environment.tables.places
  }

  /** Those of a block, `hashes` 32 bytes each in its order. Inside a transaction of the database. */
  put(number: bigint, hashes: Uint8Array, parts: WriteParts): void {
    const place = Buffer.alloc(PLACE_BYTES)
    place.set(numberKey(number))
    const order = hashOrder(hashes)
    const table = this.#table
    parts.run(table, order.length, (row) => {
      place.writeUInt32BE(order[row]!, PLACE_BYTES - 4)
      table.putSync(hashAt(hashes, order[row]!), place)
    })
  }

  /** Those of a block that is gone. */
  remove(hashes: Uint8Array, parts: WriteParts): void {
    const order = hashOrder(hashes)
    parts.run(this.#table, order.length, (row) => this.#table.removeSync(hashAt(hashes, order[row]!)))
  }

  of(hash: Uint8Array): TransactionPlace | undefined {
    const place = this.#table.get(hash)
    if (place === undefined) return undefined
    return { number: numberOfKey(place), index: Buffer.from(place).readUInt32BE(PLACE_BYTES - 4) }
  }
}

const hashAt = (hashes: Uint8Array, index: number): Uint8Array =>
  hashes.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1))
