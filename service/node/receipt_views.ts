import { RLP } from 'micro-eth-signer/core/rlp.js'
import { blobGas } from '../../host/chain/blob_schedule.ts'
import type { TransactionObject } from '../../host/index.ts'
import { createdAddress } from './created_address.ts'
import type { L1FeeView } from './op_receipts.ts'
import { gasPriceOf } from './transaction_views.ts'
import type { DepositReceiptView, LogView, PlaceView, ReceiptView } from './views.ts'

/** What the receipts of one block share. */
export interface ReceiptBlock {
  readonly hash: string
  readonly number: bigint
  readonly timestamp: bigint
  readonly baseFee: bigint | undefined
  readonly blobPrice: bigint | undefined
}

/** A receipt as its trie holds it: what it says, read. */
interface StoredReceipt {
  readonly status: number | undefined
  readonly root: string | undefined
  readonly cumulativeGasUsed: bigint
  readonly logsBloom: string
  readonly deposit: DepositReceiptView | undefined
  readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: Uint8Array }[]
}

type Item = Uint8Array | Item[]

const hex = (item: Item | undefined): string => `0x${Buffer.from(item as Uint8Array).toString('hex')}`

const integer = (item: Item | undefined): bigint => {
  const bytes = item as Uint8Array
  return bytes.length === 0 ? 0n : BigInt(hex(bytes))
}

/** Reads a receipt as its trie holds it. */
export const readReceipt = (bytes: Uint8Array): StoredReceipt => {
  const [first, gas, bloom, logs, nonce, version] = RLP.decode(bytes[0]! < 0xc0 ? bytes.subarray(1) : bytes) as Item[]
  const isRoot = (first as Uint8Array).length === 32
  return {
    status: isRoot ? undefined : Number(integer(first)),
    root: isRoot ? hex(first) : undefined,
    cumulativeGasUsed: integer(gas),
    logsBloom: hex(bloom),
    deposit:
      nonce === undefined
        ? undefined
        : { nonce: integer(nonce), version: version === undefined ? undefined : integer(version) },
    logs: (logs as Item[][]).map(([address, topics, data]) => ({
      address: hex(address),
      topics: (topics as Item[]).map(hex),
      data: data as Uint8Array,
    })),
  }
}

/** What a receipt of a deposit has beyond others. */
export const depositReceiptOf = (bytes: Uint8Array): DepositReceiptView | undefined => readReceipt(bytes).deposit

/** Logs of the receipts of a block, in their order. */
export const logsOf = (
  { hash, number, timestamp }: ReceiptBlock,
  receipts: readonly Uint8Array[],
  hashes: readonly string[],
): readonly LogView[] => {
  let logIndex = 0
  return receipts.flatMap((bytes, index) => {
    const place: PlaceView = { blockHash: hash, blockNumber: number, blockTimestamp: timestamp, index }
    return readReceipt(bytes).logs.map((log) => ({
      ...log,
      place,
      transactionHash: hashes[index]!,
      logIndex: logIndex++,
    }))
  })
}

/** The receipts of a block with its transactions. */
export const receiptViews = (
  block: ReceiptBlock,
  receipts: readonly Uint8Array[],
  transactions: readonly TransactionObject[],
  hashes: readonly string[],
  l1Fees: readonly (L1FeeView | undefined)[],
): readonly ReceiptView[] => {
  const logs: LogView[][] = receipts.map(() => [])
  for (const log of logsOf(block, receipts, hashes)) logs[log.place.index]!.push(log)
  let gasBefore = 0n
  return receipts.map((bytes, index) => {
    const { cumulativeGasUsed, logsBloom, status, root, deposit } = readReceipt(bytes)
    const l1Fee = l1Fees[index]
    const transaction = transactions[index]!
    const { from, to, nonce, type = 0, blobVersionedHashes } = transaction
    const gasUsed = cumulativeGasUsed - gasBefore
    gasBefore = cumulativeGasUsed
    return {
      transactionHash: hashes[index]!,
      place: { blockHash: block.hash, blockNumber: block.number, blockTimestamp: block.timestamp, index },
      type,
      from,
      to,
      contractAddress: to === undefined ? createdAddress(from, deposit?.nonce ?? nonce) : undefined,
      gasUsed,
      cumulativeGasUsed,
      effectiveGasPrice: gasPriceOf(transaction, block.baseFee),
      blobGasUsed: blobVersionedHashes === undefined ? l1Fee?.daFootprint : blobGas(blobVersionedHashes.length),
      blobGasPrice: blobVersionedHashes === undefined ? undefined : block.blobPrice,
      logsBloom,
      logs: logs[index]!,
      status,
      root,
      deposit,
      l1Fee,
    }
  })
}
