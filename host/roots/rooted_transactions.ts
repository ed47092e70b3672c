import { transactionHashes } from '../chain/decode.ts'
import {
  checkSigned,
  isPacked,
  type PackedTransactions,
  packTransactions,
  type SignedTransactions,
} from '../chain/packed.ts'
import { prepareTransactionsRoot } from './roots.ts'

/** Signed transactions whose root has been computed over bytes that no caller holds. */
interface RootedTransactions {
  /** Views of the bytes, in an array that cannot change. */
  readonly transactions: readonly Uint8Array[]
  readonly packed: PackedTransactions
  /** 0x-hex. */
  readonly root: string
  /** Of each transaction, 32 bytes; made when they are first asked for, and kept. */
  readonly hashes: Uint8Array
}

/** By the array of views. Only the root that was computed here comes in: a root that a caller names is not known. */
const rooted = new WeakMap<object, RootedTransactions>()

/** Transactions whose root was computed before. */
export interface KnownRoot {
  readonly packed: PackedTransactions
  /** 0x-hex. */
  readonly root: string
}

/**
 * Copies transactions into one buffer and computes their root, or takes that of `known`, where those are the same byte
 * for byte. What takes a block with this very array knows the root, and takes the transactions without copying them:
 * nothing may write to the views. Throws InputError.
 */
export const rootTransactions = (signed: SignedTransactions, known?: KnownRoot): RootedTransactions => {
  const packed = copyOf(checkSigned(signed, 'transactions'))
  const isKnown = known !== undefined && isSame(packed, known.packed)
  const { bytes, offsets } = packed
  const views: Uint8Array[] = new Array(offsets.length - 1)
  for (let i = 0; i < views.length; i++) views[i] = bytes.subarray(offsets[i], offsets[i + 1])
  const transactions = Object.freeze(views)
  const root = isKnown ? known.root : prepareTransactionsRoot(packed).finishNow()
  let hashes: Uint8Array | undefined
  const result = {
    transactions,
    packed,
    root,
    get hashes() {
      hashes ??= transactionHashes(packed)
      return hashes
    },
  }
  rooted.set(transactions, result)
  return result
}

const isSame = (a: PackedTransactions, b: PackedTransactions): boolean =>
  a.offsets.length === b.offsets.length &&
  Buffer.compare(a.bytes, b.bytes) === 0 &&
  a.offsets.every((at, i) => at === b.offsets[i])

/** What is known of this array; undefined where it is another one, even with the same transactions. */
export const rootedOf = (transactions: object): RootedTransactions | undefined => rooted.get(transactions)

const copyOf = (signed: SignedTransactions): PackedTransactions =>
  isPacked(signed) ? { bytes: signed.bytes.slice(), offsets: signed.offsets.slice() } : packTransactions(signed)
