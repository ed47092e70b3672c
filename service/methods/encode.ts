import type { AccessListEntry, BlockHeader, Withdrawal } from '../../host/index.ts'
import { toData, toQuantity } from '../json_rpc/codec.ts'
import { JsonText } from '../json_rpc/json_text.ts'
import type { Json } from '../json_rpc/method.ts'
import type { L1FeeView } from '../node/op_receipts.ts'
import type { SimulatedBlockText, SimulatedBlockView, SimulatedCallView } from '../node/state_calls.ts'
import type {
  BlockView,
  CapabilitiesView,
  FeeHistory,
  LogView,
  ProofView,
  ReceiptView,
  RulesView,
  TransactionView,
} from '../node/views.ts'

/** Views of the node as JSON (execution-apis src/schemas). A member that is absent is left out. */
const optional = (value: bigint | undefined): string | undefined =>
  value === undefined ? undefined : toQuantity(value)

/** A block without what is in it. */
export const jsonOfHeader = (hash: string, header: BlockHeader) => ({
  number: toQuantity(header.number),
  hash,
  parentHash: header.parentHash,
  nonce: header.nonce,
  mixHash: header.mixHash,
  sha3Uncles: header.uncleHash,
  logsBloom: header.logsBloom,
  transactionsRoot: header.transactionsRoot,
  stateRoot: header.stateRoot,
  receiptsRoot: header.receiptsRoot,
  miner: header.coinbase,
  difficulty: toQuantity(header.difficulty),
  extraData: header.extraData,
  gasLimit: toQuantity(header.gasLimit),
  gasUsed: toQuantity(header.gasUsed),
  timestamp: toQuantity(header.timestamp),
  baseFeePerGas: optional(header.baseFeePerGas),
  withdrawalsRoot: header.withdrawalsRoot,
  blobGasUsed: optional(header.blobGasUsed),
  excessBlobGas: optional(header.excessBlobGas),
  parentBeaconBlockRoot: header.parentBeaconBlockRoot,
  requestsHash: header.requestsHash,
})

export const jsonOfBlock = ({ hash, header, sizeBytes, transactions, uncles, withdrawals }: BlockView): Json => ({
  ...jsonOfHeader(hash, header),
  size: toQuantity(sizeBytes),
  transactions: transactions.map((one) => (typeof one === 'string' ? one : jsonOfTransaction(one))),
  uncles,
  withdrawals: withdrawals?.map(jsonOfWithdrawal),
})

/** A block that is text already stays so, and all of them are then. */
export const jsonOfSimulated = (blocks: readonly (SimulatedBlockView | SimulatedBlockText)[]): Json => {
  if (!blocks.some((block) => 'text' in block))
    return (blocks as readonly SimulatedBlockView[]).map(jsonOfSimulatedBlock)
  const parts: Uint8Array[] = []
  for (const [n, block] of blocks.entries()) {
    parts.push(Buffer.from(n === 0 ? '[' : ','))
    if ('text' in block) parts.push(...block.text)
    else parts.push(Buffer.from(JSON.stringify(jsonOfSimulatedBlock(block))))
  }
  return new JsonText([...parts, Buffer.from(']')])
}

const jsonOfSimulatedBlock = ({ block, calls }: SimulatedBlockView): Json => ({
  ...(jsonOfBlock(block) as { readonly [name: string]: Json }),
  calls: calls.map(jsonOfSimulatedCall),
})

const jsonOfSimulatedCall = ({ output, logs, gasUsed, mostGasUsed, status, error }: SimulatedCallView): Json => ({
  returnData: toData(output),
  logs: logs.map(jsonOfLog),
  gasUsed: toQuantity(gasUsed),
  maxUsedGas: toQuantity(mostGasUsed),
  status: toQuantity(status),
  error: error === undefined ? undefined : jsonOfCallError(error),
})

export const jsonOfCallError = ({ message, code, data }: NonNullable<SimulatedCallView['error']>) => ({
  message,
  code,
  data: data === undefined ? undefined : toData(data),
})

export const jsonOfWithdrawal = ({ index, validatorIndex, address, amount }: Withdrawal): Json => ({
  index: toQuantity(index),
  validatorIndex: toQuantity(validatorIndex),
  address,
  amount: toQuantity(amount),
})

/** Such that its bytes, and so its hash, can be made of it. A mint of nothing is left out. */
const jsonOfDeposit = ({ hash, transaction, place, depositReceipt }: TransactionView): Json => {
  const { sourceHash, mint, isSystem } = transaction.deposit!
  return {
    blockHash: place?.blockHash ?? null,
    blockNumber: place === undefined ? null : toQuantity(place.blockNumber),
    blockTimestamp: place === undefined ? null : toQuantity(place.blockTimestamp),
    transactionIndex: place === undefined ? null : toQuantity(place.index),
    type: toQuantity(transaction.type ?? 0),
    hash,
    sourceHash,
    from: transaction.from,
    to: transaction.to ?? null,
    mint: mint === 0n ? undefined : toQuantity(mint),
    value: toQuantity(transaction.value ?? 0n),
    gas: toQuantity(transaction.gasLimit),
    isSystemTx: isSystem,
    input: transaction.data ?? '0x',
    nonce: toQuantity(depositReceipt?.nonce ?? 0n),
    depositReceiptVersion: optional(depositReceipt?.version),
    gasPrice: '0x0',
    v: '0x0',
    r: '0x0',
    s: '0x0',
  }
}

export const jsonOfTransaction = (view: TransactionView): Json => {
  if (view.transaction.deposit !== undefined) return jsonOfDeposit(view)
  const { hash, transaction, gasPrice, chainId, v, r, s, place } = view
  const { type = 0, maxFeePerGas, maxPriorityFeePerGas, maxFeePerBlobGas, accessList, authorizations } = transaction
  return {
    blockHash: place?.blockHash ?? null,
    blockNumber: place === undefined ? null : toQuantity(place.blockNumber),
    blockTimestamp: place === undefined ? null : toQuantity(place.blockTimestamp),
    from: transaction.from,
    gas: toQuantity(transaction.gasLimit),
    gasPrice: toQuantity(gasPrice),
    maxFeePerGas: optional(maxFeePerGas),
    maxPriorityFeePerGas: optional(maxPriorityFeePerGas),
    maxFeePerBlobGas: optional(maxFeePerBlobGas),
    hash,
    input: transaction.data ?? '0x',
    nonce: toQuantity(transaction.nonce),
    to: transaction.to ?? null,
    transactionIndex: place === undefined ? null : toQuantity(place.index),
    value: toQuantity(transaction.value ?? 0n),
    type: toQuantity(type),
    accessList: accessList?.map(jsonOfAccess),
    chainId: optional(chainId),
    blobVersionedHashes: transaction.blobVersionedHashes,
    authorizationList: authorizations?.map(({ chainId: chain, address, nonce, signature }) => ({
      chainId: toQuantity(chain),
      address,
      nonce: toQuantity(nonce),
      yParity: optional(signature?.yParity),
      r: optional(signature?.r),
      s: optional(signature?.s),
    })),
    v: toQuantity(v),
    r: toQuantity(r),
    s: toQuantity(s),
    yParity: type === 0 ? undefined : toQuantity(v),
  }
}

export const jsonOfAccess = ({ address, storageKeys }: AccessListEntry): Json => ({ address, storageKeys })

export const jsonOfLog = ({ address, topics, data, place, transactionHash, logIndex }: LogView): Json => ({
  address,
  topics,
  data: toData(data),
  blockNumber: toQuantity(place.blockNumber),
  transactionHash,
  transactionIndex: toQuantity(place.index),
  blockHash: place.blockHash,
  blockTimestamp: toQuantity(place.blockTimestamp),
  logIndex: toQuantity(logIndex),
  removed: false,
})

export const jsonOfReceipt = (receipt: ReceiptView): Json => ({
  blobGasPrice: optional(receipt.blobGasPrice),
  blobGasUsed: optional(receipt.blobGasUsed),
  blockHash: receipt.place.blockHash,
  blockNumber: toQuantity(receipt.place.blockNumber),
  contractAddress: receipt.contractAddress ?? null,
  cumulativeGasUsed: toQuantity(receipt.cumulativeGasUsed),
  effectiveGasPrice: toQuantity(receipt.effectiveGasPrice),
  from: receipt.from,
  gasUsed: toQuantity(receipt.gasUsed),
  logs: receipt.logs.map(jsonOfLog),
  logsBloom: receipt.logsBloom,
  root: receipt.root,
  status: receipt.status === undefined ? undefined : toQuantity(receipt.status),
  to: receipt.to ?? null,
  transactionHash: receipt.transactionHash,
  transactionIndex: toQuantity(receipt.place.index),
  type: toQuantity(receipt.type),
  depositNonce: optional(receipt.deposit?.nonce),
  depositReceiptVersion: optional(receipt.deposit?.version),
  ...(receipt.l1Fee === undefined ? {} : jsonOfL1Fee(receipt.l1Fee)),
})

const jsonOfL1Fee = (view: L1FeeView) => ({
  l1Fee: toQuantity(view.fee),
  l1GasUsed: toQuantity(view.gasUsed),
  l1GasPrice: toQuantity(view.gasPrice),
  l1FeeScalar: view.scalar === undefined ? undefined : millionths(view.scalar),
  l1BaseFeeScalar: optional(view.baseFeeScalar),
  l1BlobBaseFee: optional(view.blobBaseFee),
  l1BlobBaseFeeScalar: optional(view.blobBaseFeeScalar),
  operatorFeeScalar: optional(view.operatorFeeScalar),
  operatorFeeConstant: optional(view.operatorFeeConstant),
  daFootprintGasScalar: optional(view.daFootprintGasScalar),
})

/** In decimal, without zeros at the end. */
const millionths = (value: bigint): string =>
  `${value / 1_000_000n}.${(value % 1_000_000n).toString().padStart(6, '0')}`.replace(/\.?0+$/, '')

/** Keys come back as the caller has written them. */
export const jsonOfProof = ({ address, proof }: ProofView, keys: readonly string[]): Json => ({
  address,
  accountProof: proof.accountProof,
  balance: toQuantity(proof.balance),
  codeHash: proof.codeHash,
  nonce: toQuantity(proof.nonce),
  storageHash: proof.storageHash,
  storageProof: proof.storageProof.map((slot, i) => ({
    key: keys[i],
    value: toQuantity(slot.value),
    proof: slot.proof,
  })),
})

export const jsonOfFeeHistory = (history: FeeHistory): Json => ({
  oldestBlock: toQuantity(history.oldestBlock),
  reward: history.reward?.map((block) => block.map(toQuantity)),
  baseFeePerGas: history.baseFeePerGas.map(toQuantity),
  gasUsedRatio: history.gasUsedRatio,
  baseFeePerBlobGas: history.baseFeePerBlobGas.map(toQuantity),
  blobGasUsedRatio: history.blobGasUsedRatio,
})

/** EIP-7910: numbers are JSON's here, but for the chain's. */
export const jsonOfRules = ({ blobs, ...rules }: RulesView): Json => ({
  activationTime: Number(rules.activationTime),
  blobSchedule:
    blobs === undefined
      ? null
      : { target: blobs.targetBlobs, max: blobs.maxBlobs, baseFeeUpdateFraction: Number(blobs.updateFraction) },
  chainId: toQuantity(rules.chainId),
  forkId: rules.forkId,
  precompiles: rules.precompiles,
  systemContracts: rules.systemContracts,
})

export const jsonOfCapabilities = ({ head, oldestState }: CapabilitiesView): Json => {
  const all = { disabled: false, oldestBlock: toQuantity(0) }
  const states = { disabled: false, oldestBlock: toQuantity(oldestState) }
  return {
    head: { number: toQuantity(head.number), hash: head.hash },
    state: states,
    tx: all,
    logs: all,
    receipts: all,
    blocks: all,
    stateproofs: states,
  }
}
