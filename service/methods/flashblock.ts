import { toData, toQuantity } from '../json_rpc/codec.ts'
import type { Json } from '../json_rpc/method.ts'
import type { Flashblock, FlashblockBase, FlashblockDiff, FlashblockReceipt } from '../node/flashblock.ts'
import { jsonOfWithdrawal } from './encode.ts'

/** A sub-block as rollup-boost reads it: numbers are quantities but for the index and the number in the metadata. */
export const jsonOfFlashblock = ({ payloadId, index, base, diff, metadata }: Flashblock): Json => ({
  payload_id: payloadId,
  index,
  base: base === undefined ? undefined : jsonOfBase(base),
  diff: jsonOfDiff(diff),
  metadata: {
    block_number: Number(metadata.blockNumber),
    new_account_balances: Object.fromEntries(metadata.balances.map(([address, wei]) => [address, toQuantity(wei)])),
    receipts: Object.fromEntries(metadata.receipts.map((one) => [one.transactionHash, jsonOfReceipt(one)])),
  },
})

const jsonOfBase = (base: FlashblockBase): Json => ({
  parent_beacon_block_root: base.parentBeaconBlockRoot,
  parent_hash: base.parentHash,
  fee_recipient: base.feeRecipient,
  prev_randao: base.prevRandao,
  block_number: toQuantity(base.blockNumber),
  gas_limit: toQuantity(base.gasLimit),
  timestamp: toQuantity(base.timestamp),
  extra_data: base.extraData,
  base_fee_per_gas: toQuantity(base.baseFeePerGas),
})

const jsonOfDiff = (diff: FlashblockDiff): Json => ({
  state_root: diff.stateRoot,
  receipts_root: diff.receiptsRoot,
  logs_bloom: diff.logsBloom,
  gas_used: toQuantity(diff.gasUsed),
  block_hash: diff.blockHash,
  transactions: diff.transactions.map(toData),
  withdrawals: diff.withdrawals.map(jsonOfWithdrawal),
  withdrawals_root: diff.withdrawalsRoot,
  blob_gas_used: diff.blobGasUsed === undefined ? undefined : toQuantity(diff.blobGasUsed),
})

/** Names of the types of receipts in op-alloy (OpReceipt). */
const NAMES: Readonly<Record<number, string>> = {
  0: 'Legacy',
  1: 'Eip2930',
  2: 'Eip1559',
  4: 'Eip7702',
  126: 'Deposit',
}

const jsonOfReceipt = ({ type, status, cumulativeGasUsed, logs, deposit }: FlashblockReceipt): Json => ({
  [NAMES[type]!]: {
    status: toQuantity(status),
    cumulativeGasUsed: toQuantity(cumulativeGasUsed),
    logs: logs.map(({ address, topics, data }) => ({ address, topics, data: toData(data) })),
    depositNonce: deposit === undefined ? undefined : toQuantity(deposit.nonce),
    depositReceiptVersion: deposit?.version === undefined ? undefined : toQuantity(deposit.version),
  },
})
