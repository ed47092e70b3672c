import { TYPE_BLOB } from '../../host/chain/batch.ts'
import type { Log } from '../../host/chain/log.ts'
import { bytesToHex, hexToBytes } from '../../host/primitives/hex.ts'
import { keccak256Hex } from '../../host/primitives/keccak.ts'
import { rlpBytes, rlpInteger, rlpList } from '../../host/primitives/rlp.ts'
import { addressToHex, quantityToBigInt } from '../../host/primitives/word.ts'
import { logsHash } from '../../host/receipts/logs_hash.ts'
import { withdrawalsRoot } from '../../host/roots/roots.ts'
import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import { GAS_PER_BLOB } from '../../transpiler/spec/gas.ts'
import { hexNumber } from './json_values.ts'
import type { IncludedTransaction, TransitionOutput } from './run_transition.ts'

/** The block has no hash: what go-ethereum's tool says in place of one. */
const BLOCK_HASH = `0x1337${'0'.repeat(60)}`
const NO_CONTRACT = `0x${'0'.repeat(40)}`

/** What `--output.result` writes: the fields of go-ethereum in their order. */
export const resultJson = (output: TransitionOutput): Readonly<Record<string, unknown>> => {
  const { transition, input, included, rejected } = output
  const { block, withdrawals } = input
  const logs = included.flatMap(({ row }) => transition.receipts.logs(row))
  const { requests, requestsHash } = transition
  return {
    stateRoot: transition.stateRoot,
    txRoot: transition.transactionsRoot,
    receiptsRoot: transition.receiptsRoot,
    logsHash: logsHash(logs),
    logsBloom: transition.logsBloom,
    receipts: receiptsJson(output),
    ...(rejected.length === 0 ? {} : { rejected }),
    currentDifficulty: block.difficulty === undefined ? null : hexNumber(block.difficulty),
    gasUsed: hexNumber(transition.gasUsed),
    ...(block.baseFee === undefined ? {} : { currentBaseFee: hexNumber(block.baseFee) }),
    ...(withdrawals === undefined ? {} : { withdrawalsRoot: withdrawalsRoot(withdrawals) }),
    ...(block.excessBlobGas === undefined
      ? {}
      : { currentExcessBlobGas: hexNumber(block.excessBlobGas), blobGasUsed: hexNumber(transition.blobGasUsed) }),
    ...(requestsHash === undefined ? {} : { requestsHash }),
    requests:
      requests === undefined
        ? null
        : [requests.deposits, requests.withdrawals, requests.consolidations].flatMap((data, type) =>
            data.length === 0 ? [] : [`0x0${type}${bytesToHex(data).slice(2)}`],
          ),
  }
}

const receiptsJson = (output: TransitionOutput): readonly object[] => {
  const counter = { logs: 0 }
  return output.included.map((transaction) => receiptJson(output, transaction, counter))
}

const receiptJson = (
  { transition, batch, input }: TransitionOutput,
  { row, index, hash }: IncludedTransaction,
  counter: { logs: number },
): object => {
  const receipt = transition.receipts.get(row)!
  const number = hexNumber(input.block.env.number)
  const type = batch.type[row]!
  const at = { blockNumber: number, transactionHash: hash, transactionIndex: hexNumber(index), blockHash: BLOCK_HASH }
  const logs = receipt.logs.map((log) => logJson(log, at, counter.logs++))
  const blobs = batch.extras.get(row)?.blobVersionedHashes?.length ?? 0
  return {
    ...(type === 0 ? {} : { type: hexNumber(type) }),
    root: transition.postStates?.[row] ?? '0x',
    status: hexNumber(receipt.status),
    cumulativeGasUsed: hexNumber(receipt.cumulativeGasUsed),
    logsBloom: receipt.logsBloom,
    logs,
    transactionHash: hash,
    contractAddress: batch.creates[row] === 1 ? createdAddress(batch, row) : NO_CONTRACT,
    gasUsed: hexNumber(receipt.gasUsed),
    effectiveGasPrice: null,
    ...(type === TYPE_BLOB
      ? { blobGasUsed: hexNumber(GAS_PER_BLOB * blobs), blobGasPrice: hexNumber(input.block.env.blobBaseFee!) }
      : {}),
    blockHash: BLOCK_HASH,
    blockNumber: number,
    transactionIndex: hexNumber(index),
  }
}

const logJson = ({ address, topics, data }: Log, at: object, index: number): object => ({
  address,
  topics,
  data,
  ...at,
  logIndex: hexNumber(index),
  removed: false,
})

/** Of a contract that a transaction makes, or would have made had it not failed (YP 7). */
const createdAddress = ({ from, nonce }: TransitionOutput['batch'], row: number): string => {
  const sender = rlpBytes(hexToBytes(addressToHex(from, LIMBS_PER_ADDRESS * row)))
  return `0x${keccak256Hex(rlpList([sender, rlpInteger(quantityToBigInt(nonce, 2 * row))])).slice(-40)}`
}
