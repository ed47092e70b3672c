import { createHash } from 'node:crypto'
import { hexToBytes } from '../../primitives/hex.ts'
import { keccak256 } from '../../primitives/keccak.ts'
import { rlpBytes, rlpInteger, rlpList } from '../../primitives/rlp.ts'
import type { Withdrawal } from '../withdrawals.ts'

/** Attributes of a payload of the OP stack, as its name depends on them. Hashes and addresses are 0x-hex. */
export interface OpPayloadAttributes {
  readonly timestamp: bigint
  readonly prevRandao: string
  readonly suggestedFeeRecipient: string
  readonly withdrawals?: readonly Withdrawal[]
  readonly parentBeaconBlockRoot?: string
  readonly transactions?: readonly Uint8Array[]
  readonly noTxPool?: boolean
  readonly gasLimit?: bigint
  readonly eip1559Params?: string
  readonly minBaseFee?: bigint
}

const u64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

/**
 * The name of a payload that is built on `parentHash` with these attributes, 8 bytes 0x-hex, as op-geth and op-reth
 * have it (optimism rust/op-alloy/crates/rpc-types-engine/src/attributes.rs). Its first byte is the version.
 */
export const opPayloadId = (version: number, parentHash: string, attributes: OpPayloadAttributes): string => {
  const { withdrawals, parentBeaconBlockRoot, transactions = [], noTxPool = false } = attributes
  const { gasLimit, eip1559Params, minBaseFee } = attributes
  const hash = createHash('sha256')
    .update(hexToBytes(parentHash))
    .update(u64(attributes.timestamp))
    .update(hexToBytes(attributes.prevRandao))
    .update(hexToBytes(attributes.suggestedFeeRecipient))
  if (withdrawals !== undefined) hash.update(rlpList(withdrawals.map(encoded)))
  if (parentBeaconBlockRoot !== undefined) hash.update(hexToBytes(parentBeaconBlockRoot))
  if (noTxPool || transactions.length > 0) {
    hash.update(Uint8Array.of(noTxPool ? 1 : 0)).update(u64(BigInt(transactions.length)))
    for (const raw of transactions) hash.update(keccak256(raw))
  }
  if (gasLimit !== undefined) hash.update(u64(gasLimit))
  if (eip1559Params !== undefined) hash.update(hexToBytes(eip1559Params))
  if (minBaseFee !== undefined) hash.update(u64(minBaseFee))
  const id = hash.digest().subarray(0, 8)
  id[0] = version
  return `0x${id.toString('hex')}`
}

const encoded = ({ index, validatorIndex, address, amount }: Withdrawal): Uint8Array =>
  rlpList([rlpInteger(index), rlpInteger(validatorIndex), rlpBytes(hexToBytes(address)), rlpInteger(amount)])
