import { createHash } from 'node:crypto'
import { RLP } from 'micro-eth-signer/core/rlp.js'
import type { PayloadAttributes } from './engine_types.ts'

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex')

const u64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

/**
 * Names what is built by all that decides it but the pool, as go-ethereum does: the same again has the same name. The
 * first byte is the version of the attributes.
 */
export const payloadId = (version: 1 | 2 | 3, parentHash: string, attributes: PayloadAttributes): string => {
  const { timestamp, prevRandao, suggestedFeeRecipient, withdrawals, parentBeaconBlockRoot } = attributes
  const hash = createHash('sha256')
    .update(bytesOf(parentHash))
    .update(u64(timestamp))
    .update(bytesOf(prevRandao))
    .update(bytesOf(suggestedFeeRecipient))
  if (withdrawals !== undefined)
    hash.update(
      RLP.encode(
        withdrawals.map(({ index, validatorIndex, address, amount }) => [
          index,
          validatorIndex,
          bytesOf(address),
          amount,
        ]),
      ),
    )
  if (parentBeaconBlockRoot !== undefined) hash.update(bytesOf(parentBeaconBlockRoot))
  const id = hash.digest().subarray(0, 8)
  id[0] = version
  return `0x${id.toString('hex')}`
}
