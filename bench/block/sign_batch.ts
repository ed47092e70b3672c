import { type TransactionBatch, transactionData } from '../../host/chain/batch.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { rlpBytes, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'
import { addressToBytes, quantityToBigInt, wordToBigInt } from '../../host/primitives/word.ts'
import type { Signers } from './signers.ts'

const TYPE = 2
const NOTHING = new Uint8Array(0)

/**
 * The transactions of a workload as they come over the wire: EIP-1559, signed by their senders. 65,536 take about four
 * seconds, most of them signing.
 */
export const signBatch = (batch: TransactionBatch, chainId: bigint, signers: Pick<Signers, 'sign'>): Uint8Array[] =>
  Array.from({ length: batch.count }, (_, i) => {
    const fields = fieldsOf(batch, chainId, i)
    const { signature, recid } = signers.sign(keccak256(typed(rlpList(fields))), batch.from, 5 * i)
    const numbers = [rlpInteger(recid), integer(signature.subarray(0, 32)), integer(signature.subarray(32))]
    return typed(rlpList([...fields, ...numbers]))
  })

const fieldsOf = (batch: TransactionBatch, chainId: bigint, i: number): Uint8Array[] => {
  if (batch.type[i] !== TYPE || batch.accessStart[i] !== batch.accessStart[i + 1])
    throw new RangeError(`transaction ${i}: expected one of type 2 without an access list`)
  const to = new Uint8Array(20)
  addressToBytes(to, 0, batch.to, 5 * i)
  return [
    rlpInteger(chainId),
    rlpInteger(quantityToBigInt(batch.nonce, 2 * i)),
    rlpInteger(wordToBigInt(batch.maxPriorityFeePerGas, 8 * i)),
    rlpInteger(wordToBigInt(batch.maxFeePerGas, 8 * i)),
    rlpInteger(quantityToBigInt(batch.gasLimit, 2 * i)),
    rlpBytes(batch.creates[i] === 1 ? NOTHING : to),
    rlpInteger(wordToBigInt(batch.value, 8 * i)),
    rlpBytes(transactionData(batch, i)),
    rlpList([]),
  ]
}

const typed = (payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(1 + payload.length)
  bytes[0] = TYPE
  bytes.set(payload, 1)
  return bytes
}

/** A number of 32 bytes, without its leading zeros. */
const integer = (bytes: Uint8Array): Uint8Array => {
  let first = 0
  while (first < bytes.length && bytes[first] === 0) first++
  return rlpBytes(bytes.subarray(first))
}
