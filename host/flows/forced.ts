import type { TransactionBatch } from '../chain/batch.ts'
import { concatTransactions } from '../chain/concat_batch.ts'
import { isPacked, packTransactions, type SignedTransactions, signedCount } from '../chain/packed.ts'
import { decodeSignedBatch } from '../chain/signed_batch.ts'
import { recoverSendersBulk } from '../senders/recover.ts'
import type { BlockRunner } from './block.ts'

/** Transactions that a block of the OP stack begins with because its attributes say so. */
export interface Forced {
  readonly signed: SignedTransactions
  readonly batch: TransactionBatch
}

/** Decodes them; throws TransactionInputError where one cannot be read. */
export const decodeForced = async (
  { fork, chainId, recover }: BlockRunner,
  signed: SignedTransactions = [],
): Promise<Forced> => ({
  signed,
  batch: await recoverSendersBulk(decodeSignedBatch(signed, { fork, chainId, deposits: true }), recover),
})

/** These transactions, and others after them. */
export const beforeOthers = ({ signed, batch }: Forced, others: Forced): Forced => ({
  signed: concatSigned(signed, others.signed),
  batch: concatTransactions(batch, others.batch),
})

const concatSigned = (a: SignedTransactions, b: SignedTransactions): SignedTransactions => {
  if (signedCount(a) === 0) return b
  if (signedCount(b) === 0) return a
  const [first, second] = [a, b].map((one) => (isPacked(one) ? one : packTransactions(one)))
  const [from, to] = [first!.offsets, second!.offsets]
  const offsets = new Uint32Array(from.length + to.length - 1)
  offsets.set(from)
  for (let i = 1; i < to.length; i++) offsets[from.length - 1 + i] = from[from.length - 1]! + to[i]!
  const bytes = new Uint8Array(first!.bytes.length + second!.bytes.length)
  bytes.set(first!.bytes)
  bytes.set(second!.bytes, first!.bytes.length)
  return { bytes, offsets }
}
