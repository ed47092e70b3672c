import { createHash } from 'node:crypto'
import { RLP } from 'micro-eth-signer/core/rlp.js'
import { refuse } from './refuse.ts'

/** Blobs of a transaction with what proves them: a proof for each (EIP-4844), or 128 for each (EIP-7594). */
export interface SideCar {
  readonly version: 0 | 1
  readonly blobs: readonly Uint8Array[]
  readonly commitments: readonly Uint8Array[]
  readonly proofs: readonly Uint8Array[]
}

/** A transaction as blocks have it, and its side-car where it came with one. */
export interface SplitTransaction {
  readonly bytes: Uint8Array
  readonly sideCar: SideCar | undefined
}

export const TYPE_BLOB = 3
export const CELL_PROOFS = 128
const BLOB_BYTES = 131_072
const POINT_BYTES = 48
const VERSION_BY_HASH = 0x01

type Item = Uint8Array | Item[]

const listOf = (item: Item | undefined, bytes: number, what: string): readonly Uint8Array[] => {
  const isList = Array.isArray(item) && item.every((one) => one instanceof Uint8Array && one.length === bytes)
  return isList ? (item as Uint8Array[]) : refuse(`invalid side-car: ${what} must be of ${bytes} bytes`)
}

/**
 * Takes a blob transaction as it comes over the wire apart: body, blobs, commitments and proofs, from EIP-7594 on with
 * a version after the body. Other bytes are left as they are. Throws RpcError.
 */
export const splitTransaction = (bytes: Uint8Array): SplitTransaction => {
  if (bytes[0] !== TYPE_BLOB) return { bytes, sideCar: undefined }
  const items = itemsOf(bytes)
  if (items === undefined || !Array.isArray(items[0])) return { bytes, sideCar: undefined }
  const isVersioned = items.length === 5
  if (items.length !== 4 && !isVersioned) refuse('invalid side-car: expected 4 or 5 items')
  const version = isVersioned ? items[1] : undefined
  if (isVersioned && (!(version instanceof Uint8Array) || version.length !== 1 || version[0] !== 1))
    refuse('invalid side-car: unsupported version')
  const [blobs, commitments, proofs] = items.slice(isVersioned ? 2 : 1)
  return {
    bytes: new Uint8Array(Buffer.concat([Uint8Array.of(TYPE_BLOB), RLP.encode(items[0] as never)])),
    sideCar: {
      version: isVersioned ? 1 : 0,
      blobs: listOf(blobs, BLOB_BYTES, 'blobs'),
      commitments: listOf(commitments, POINT_BYTES, 'commitments'),
      proofs: listOf(proofs, POINT_BYTES, 'proofs'),
    },
  }
}

/** Undefined where the bytes are none: the decoder says why. */
const itemsOf = (bytes: Uint8Array): Item[] | undefined => {
  try {
    const items = RLP.decode(bytes.subarray(1)) as Item
    return Array.isArray(items) ? items : undefined
  } catch {
    return undefined
  }
}

/** The hash that stands for a blob in its transaction (EIP-4844). */
export const versionedHash = (commitment: Uint8Array): string => {
  const digest = createHash('sha256').update(commitment).digest()
  digest[0] = VERSION_BY_HASH
  return `0x${digest.toString('hex')}`
}

/** Refuses a side-car that does not belong to its transaction, but for its proofs. Throws RpcError. */
export const checkSideCar = ({ version, blobs, commitments, proofs }: SideCar, hashes: readonly string[]): void => {
  if (blobs.length !== hashes.length)
    refuse(`invalid number of ${blobs.length} blobs compared to ${hashes.length} blob hashes`)
  if (commitments.length !== hashes.length)
    refuse(`invalid number of ${commitments.length} blob commitments compared to ${hashes.length} blob hashes`)
  for (const [i, commitment] of commitments.entries()) {
    const computed = versionedHash(commitment)
    if (computed !== hashes[i]) refuse(`blob ${i}: computed hash ${computed} mismatches transaction one ${hashes[i]}`)
  }
  const expected = version === 0 ? hashes.length : CELL_PROOFS * hashes.length
  if (proofs.length !== expected) refuse(`invalid number of ${proofs.length} blob proofs expected ${expected}`)
}
