import type { Common } from '@ethereumjs/common'
import type { Address } from '@ethereumjs/util'
import type { TransactionObject } from '../../chain/batch.ts'
import type { BlockEnvironment } from '../../chain/environment.ts'
import { bytesToHex } from '../../primitives/hex.ts'

/** What this package needs of a transaction of @ethereumjs/tx, of any type. */
export interface VmTransaction {
  readonly type: number
  readonly nonce: bigint
  readonly gasLimit: bigint
  readonly to?: Address | undefined
  readonly value: bigint
  readonly data: Uint8Array
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly maxFeePerBlobGas?: bigint
  readonly blobVersionedHashes?: readonly string[]
  readonly accessList?: readonly (readonly [Uint8Array, readonly Uint8Array[]])[]
  getSenderAddress(): Address
  getIntrinsicGas(): bigint
}

/** What this package needs of a block of @ethereumjs/block. */
export interface VmBlock {
  readonly transactions: readonly VmTransaction[]
  readonly header: {
    readonly number: bigint
    readonly timestamp: bigint
    readonly coinbase: Address
    readonly gasLimit: bigint
    readonly difficulty: bigint
    readonly prevRandao: Uint8Array
    readonly baseFeePerGas?: bigint | undefined
    getBlobGasPrice(): bigint | undefined
  }
}

/** The block behind `runCall`'s option, or undefined where it is only a header or holds no transactions. */
export const vmBlockOf = (block: unknown): VmBlock | undefined => {
  if (typeof block !== 'object' || block === null || !('transactions' in block)) return undefined
  return Array.isArray(block.transactions) && block.transactions.length > 0 ? (block as VmBlock) : undefined
}

export const TYPE_BLOB = 3
export const TYPE_SET_CODE = 4

export const environmentOf = ({ header }: VmBlock, common: Common): BlockEnvironment => {
  const isMerged = common.gteHardfork('paris')
  const blobBaseFee = common.isActivatedEIP(4844) ? header.getBlobGasPrice() : undefined
  return {
    number: header.number,
    timestamp: header.timestamp,
    coinbase: header.coinbase.toString(),
    gasLimit: header.gasLimit,
    baseFeePerGas: header.baseFeePerGas ?? 0n,
    prevRandao: isMerged ? BigInt(bytesToHex(header.prevRandao)) : header.difficulty,
    ...(blobBaseFee === undefined ? {} : { blobBaseFee }),
  }
}

/** The sender of a transaction, as bytes and as hex. */
export interface Sender {
  readonly address: Address
  readonly hex: string
}

const senders = new WeakMap<VmTransaction, Sender>()

/** @ethereumjs/tx keeps the public key and hashes it at every `getSenderAddress`; here once for each transaction. */
export const senderOf = (tx: VmTransaction): Sender => {
  let sender = senders.get(tx)
  if (sender === undefined) {
    const address = tx.getSenderAddress()
    sender = { address, hex: address.toString() }
    senders.set(tx, sender)
  }
  return sender
}

/** A transaction for the executor. Type 4 is left out: its authorizations act before its call. */
export const transactionOf = (tx: VmTransaction): TransactionObject => ({
  type: tx.type as 0 | 1 | 2 | 3,
  from: senderOf(tx).hex,
  ...(tx.to === undefined ? {} : { to: tx.to.toString() }),
  nonce: tx.nonce,
  gasLimit: tx.gasLimit,
  value: tx.value,
  data: bytesToHex(tx.data),
  ...(tx.maxFeePerGas === undefined
    ? { gasPrice: tx.gasPrice ?? 0n }
    : { maxFeePerGas: tx.maxFeePerGas, maxPriorityFeePerGas: tx.maxPriorityFeePerGas ?? 0n }),
  ...(tx.type === 0 || tx.accessList === undefined
    ? {}
    : {
        accessList: tx.accessList.map(([address, keys]) => ({
          address: bytesToHex(address),
          storageKeys: keys.map(bytesToHex),
        })),
      }),
  ...(tx.type === TYPE_BLOB
    ? { maxFeePerBlobGas: tx.maxFeePerBlobGas ?? 0n, blobVersionedHashes: tx.blobVersionedHashes ?? [] }
    : {}),
})

/** EIP-1559: what the sender pays per gas. */
export const effectivePrice = (tx: VmTransaction, baseFee: bigint): bigint => {
  if (tx.maxFeePerGas === undefined) return tx.gasPrice ?? 0n
  const tip = tx.maxPriorityFeePerGas ?? 0n
  const most = tx.maxFeePerGas - baseFee
  return baseFee + (tip < most ? tip : most)
}
