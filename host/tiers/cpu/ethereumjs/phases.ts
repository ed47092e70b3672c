import { type EVM, EVMError, type EVMResult, type EVMRunCallOpts } from '@ethereumjs/evm'
import { Account, Address } from '@ethereumjs/util'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { designatorOf, isDelegation } from '../../../../transpiler/spec/delegation.ts'
import { type Fork, isAtLeast, valueAt } from '../../../../transpiler/spec/forks.ts'
import {
  GAS_AUTHORIZATION,
  GAS_AUTHORIZATION_NEW_ACCOUNT,
  MAX_NONCE,
  MAX_REFUND_QUOTIENT_BY_FORK,
} from '../../../../transpiler/spec/gas.ts'
import type { CpuExecution, CpuOutcome } from '../../../batch/outcome.ts'
import { type TransactionBatch, type TransactionExtras, transactionData } from '../../../chain/batch.ts'
import type { BlockEnvironment } from '../../../chain/environment.ts'
import type { Log } from '../../../chain/log.ts'
import { operatorFee } from '../../../chain/op/l1_fees.ts'
import { isOpAtLeast, type OpFork } from '../../../chain/op/op_forks.ts'
import { VAULTS } from '../../../chain/op/predeploys.ts'
import { REJECTION, type Rejection } from '../../../chain/rejection.ts'
import type { TransactionRules } from '../../../chain/rules.ts'
import { bytesToHex, hexToBytes } from '../../../primitives/hex.ts'
import { addressToBytes, wordToBigInt, wordToBytes } from '../../../primitives/word.ts'
import type { StateSnapshot } from '../../../state/snapshot.ts'
import { isBelow, moveBalance } from './seen_account.ts'
import type { CpuState } from './state.ts'
import { TransferEvm } from './transfer_evm.ts'

/**
 * One transaction of a batch at its place in the order.
 * `gasAvailable` is what the transactions before it left of the block's gas limit; absent: not checked.
 */
export interface CpuRequest {
  readonly env: BlockEnvironment
  readonly batch: TransactionBatch
  readonly index: number
  /** `transactionRules` of the batch. */
  readonly rules: TransactionRules
  readonly snapshot: StateSnapshot
  readonly gasAvailable?: bigint
  /** A call that is only simulated: its sender may be a contract. */
  readonly anySender?: boolean
}

/**
 * A transaction on its way through the phases: validate, buyGas, prepare, call, settle. Each takes what the ones before
 * it left in `state`.
 */
export interface Transacting {
  readonly evm: EVM
  readonly request: CpuRequest
  readonly extras: Omit<TransactionExtras, 'deposit'>
  /** Of a deposit of the OP stack alone. */
  readonly deposit: TransactionExtras['deposit']
  readonly fork: Fork
  /** On a chain of the OP stack. */
  readonly opFork: OpFork | undefined
  readonly chainId: bigint
  readonly state: CpuState
  /** Addresses of the fork's precompiled contracts, without 0x: they are warm, whatever stands there. */
  readonly precompiles: readonly string[]
  /** Numbers of the blocks whose hashes it asked for. */
  readonly blockHashes: ReadonlySet<bigint>
  readonly block: EvmBlock
  readonly sender: Address
  /** The sender's, as it stands before the transaction; `buyGas` takes from it. */
  readonly account: Account
  readonly nonce: bigint
  readonly gasLimit: bigint
  /** Wei per gas that the sender pays. */
  readonly price: bigint
  readonly intrinsic: bigint
  readonly floor: bigint
}

export type EvmBlock = NonNullable<EVMRunCallOpts['block']>

/** The lowest REJECTION code that applies: the static one, or one that the state gives. Nothing changes. */
export const validate = async (tx: Transacting): Promise<Rejection | 0> => {
  const { request, state, sender, account, nonce, gasLimit } = tx
  const { index, rules, gasAvailable, anySender = false } = request
  const fixed = rules.rejection[index]! as Rejection | 0
  let found: Rejection | 0 = REJECTION.none
  if (gasAvailable !== undefined && gasLimit > gasAvailable) found = REJECTION.gasLimitReached
  if (isBelow(account, wordToBigInt(rules.cost, LIMBS_PER_WORD * index))) found = REJECTION.insufficientFunds
  // EIP-3607 with EIP-7702: a sender may have code only where it is a delegation, from Prague on.
  if (!anySender && account.isContract()) {
    const isDelegated = isAtLeast(tx.fork, 'prague') && isDelegation(await state.getCode(sender))
    if (!isDelegated) found = REJECTION.senderNotEoa
  }
  if (account.nonce > nonce) found = REJECTION.nonceTooLow
  if (account.nonce < nonce) found = REJECTION.nonceTooHigh
  if (fixed === REJECTION.none) return found
  return found === REJECTION.none || fixed < found ? fixed : found
}

/** The sender pays for all its gas, and for what is beside it; its nonce counts up. */
export const buyGas = async (tx: Transacting): Promise<void> => {
  const { evm, request, sender, account, nonce, gasLimit, price } = tx
  const { index, rules } = request
  const extraFee = rules.extraFee.length === 0 ? 0n : wordToBigInt(rules.extraFee, LIMBS_PER_WORD * index)
  moveBalance(account, -(gasLimit * price + extraFee))
  account.nonce = nonce + 1n
  await evm.journal.putAccount(sender, account)
}

/** What stands before the first step: warm accounts and slots, and authorizations. Returns the refund of these. */
export const prepare = (tx: Transacting): Promise<bigint> => {
  warmParties(tx)
  return authorize(tx)
}

/** Runs the call or the creation with the gas that is left of the limit. */
export const call = ({
  evm,
  request,
  extras,
  block,
  sender,
  price,
  gasLimit,
  intrinsic,
}: Transacting): Promise<EVMResult> => {
  const { batch, index } = request
  const { blobVersionedHashes } = extras
  return evm.runCall({
    block,
    gasPrice: price,
    caller: sender,
    gasLimit: gasLimit - intrinsic,
    ...(batch.creates[index] === 1 ? {} : { to: addressAt(batch.to, index) }),
    value: wordToBigInt(batch.value, LIMBS_PER_WORD * index),
    data: transactionData(batch, index),
    skipNonceIncrement: true,
    ...(blobVersionedHashes === undefined ? {} : { blobVersionedHashes: blobVersionedHashes as `0x${string}`[] }),
  })
}

/** Gives back the gas that was not used, pays the coinbase, and clears up. `refund`: what `prepare` gave. */
export const settle = async (tx: Transacting, result: EVMResult, refund: bigint): Promise<CpuExecution> => {
  const { evm, request, state, sender, gasLimit, price } = tx
  const gasUsed = gasUsedBy(tx, result, refund)
  const { rules, index, env } = request
  const { charges } = rules
  const payer = (await state.getAccount(sender)) ?? new Account()
  const operator = charges?.operator
  const operatorOf = (gas: bigint): bigint => (operator === undefined ? 0n : operatorFee(operator, gas))
  moveBalance(payer, (gasLimit - gasUsed) * price + operatorOf(gasLimit) - operatorOf(gasUsed))
  await evm.journal.putAccount(sender, payer)
  const fee = gasUsed * wordToBigInt(rules.priority, LIMBS_PER_WORD * index)
  const coinbaseFee = await pay(tx, tx.block.header.coinbase, fee)
  if (charges === undefined) return finish(tx, result, gasUsed, coinbaseFee)
  const l1Fee = wordToBigInt(charges.l1Fee, LIMBS_PER_WORD * index)
  const fees = [gasUsed * env.baseFeePerGas, l1Fee, operatorOf(gasUsed)]
  const vaultFees: (bigint | undefined)[] = []
  for (const [n, vault] of VAULTS.entries()) {
    const isPaid = n < 2 || isOpAtLeast(charges.fork, 'isthmus')
    vaultFees.push(isPaid ? await pay(tx, new Address(hexToBytes(vault)), fees[n]!) : undefined)
  }
  return { ...(await finish(tx, result, gasUsed, coinbaseFee)), vaultFees }
}

/**
 * A deposit of the OP stack (op-stack specification, deposits): the mint stays whatever happens; no fee is paid and no
 * nonce checked. One that cannot even start (too little gas for its data, too little balance for its value) fails, uses
 * all its gas and counts the sender's nonce up. Before Regolith every deposit uses all its gas, and one of the system
 * none; from Regolith on there is none of the system, and what says to be one fails.
 */
export const deposit = async (
  tx: Transacting,
  { mint, isSystem }: NonNullable<TransactionExtras['deposit']>,
): Promise<CpuOutcome> => {
  const { evm, request, state, sender, account, gasLimit, intrinsic, floor, opFork } = tx
  const { batch, index, gasAvailable } = request
  if (!isSystem && gasAvailable !== undefined && gasLimit > gasAvailable) {
    return { rejected: REJECTION.gasLimitReached, reads: state.reads([]) }
  }
  const depositNonce = account.nonce
  moveBalance(account, mint)
  account.nonce += 1n
  await evm.journal.putAccount(sender, account)
  const isBedrock = opFork === 'bedrock'
  const starts =
    (!isSystem || opFork === undefined || isBedrock) &&
    gasLimit >= intrinsic &&
    gasLimit >= floor &&
    !isBelow(account, wordToBigInt(batch.value, LIMBS_PER_WORD * index))
  let result = FAILED_DEPOSIT
  let gasUsed = gasLimit
  if (starts) {
    warmParties(tx)
    result = await call(tx)
    gasUsed = isBedrock ? gasLimit : gasUsedBy(tx, result, 0n)
  }
  const isFree = isSystem && (opFork === undefined || isBedrock)
  return { ...(await finish(tx, result, isFree ? 0n : gasUsed, undefined)), depositNonce }
}

/** What is left of a deposit that could not start. */
const FAILED_DEPOSIT: EVMResult = {
  execResult: {
    executionGasUsed: 0n,
    returnValue: new Uint8Array(0),
    exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
  },
}

/**
 * EIP-2929, 2930 and 3651: what is warm before the first step. The EVM warms a created address, and the code that a
 * called delegation points to.
 */
const warmParties = ({ evm, fork, request, block, sender, precompiles }: Transacting): void => {
  const { batch, index } = request
  if (!isAtLeast(fork, 'berlin')) return
  const { journal } = evm
  for (const address of precompiles) journal.addAlwaysWarmAddress(address)
  journal.addAlwaysWarmAddress(sender.toString())
  if (batch.creates[index] === 0) journal.addAlwaysWarmAddress(addressAt(batch.to, index).toString())
  if (isAtLeast(fork, 'shanghai')) journal.addAlwaysWarmAddress(block.header.coinbase.toString())
  const key = new Uint8Array(32)
  for (let entry = batch.accessStart[index]!; entry < batch.accessStart[index + 1]!; entry++) {
    const address = addressAt(batch.accessAddress, entry).toString()
    journal.addAlwaysWarmAddress(address)
    for (let k = batch.accessKeyStart[entry]!; k < batch.accessKeyStart[entry + 1]!; k++) {
      wordToBytes(key, 0, batch.accessKey, LIMBS_PER_WORD * k)
      journal.addAlwaysWarmSlot(address, bytesToHex(key))
    }
  }
}

/**
 * Applies the authorizations in order (EIP-7702); one that does not hold is skipped. They stay whatever the call does.
 * Returns the refund for authorities that existed.
 */
const authorize = async (tx: Transacting): Promise<bigint> => {
  const { evm, state } = tx
  let refund = 0n
  for (const { chainId, address, nonce, authority } of tx.extras.authorizations ?? []) {
    if (authority === undefined || nonce >= MAX_NONCE || (chainId !== 0n && chainId !== tx.chainId)) continue
    const signer = new Address(hexToBytes(authority))
    evm.journal.addAlwaysWarmAddress(authority)
    const account = await state.getAccount(signer)
    if (account?.isContract() === true && !isDelegation(await state.getCode(signer))) continue
    if ((account?.nonce ?? 0n) !== nonce) continue
    if (account !== undefined) refund += BigInt(GAS_AUTHORIZATION_NEW_ACCOUNT - GAS_AUTHORIZATION)
    const authorized = account ?? new Account()
    authorized.nonce += 1n
    await evm.journal.putAccount(signer, authorized)
    const target = hexToBytes(address)
    const clears = target.every((byte) => byte === 0)
    await state.putCode(signer, clears ? new Uint8Array(0) : designatorOf(target))
  }
  return refund
}

/** Refund capped (EIP-3529), then the floor (EIP-7623). */
const gasUsedBy = ({ fork, intrinsic, floor }: Transacting, { execResult }: EVMResult, authorized: bigint): bigint => {
  const spent = intrinsic + execResult.executionGasUsed
  const cap = spent / BigInt(valueAt(MAX_REFUND_QUOTIENT_BY_FORK, fork))
  const refund = authorized + (execResult.gasRefund ?? 0n)
  const used = spent - (refund < cap ? refund : cap)
  return used < floor ? floor : used
}

/**
 * Gives who is paid fees one and returns undefined, where the transaction has looked at that account. Otherwise nothing
 * is read or written and the fee is returned. Before EIP-161 a fee of zero makes an account, so it cannot wait.
 */
const pay = async ({ evm, state, fork }: Transacting, payee: Address, fee: bigint): Promise<bigint | undefined> => {
  if (!state.has(payee) && isAtLeast(fork, 'spuriousDragon')) return fee
  const account = (await state.getAccount(payee)) ?? new Account()
  moveBalance(account, fee)
  await evm.journal.putAccount(payee, account)
  return undefined
}

const finish = async (
  tx: Transacting,
  result: EVMResult,
  gasUsed: bigint,
  coinbaseFee: bigint | undefined,
): Promise<CpuExecution> => {
  const { evm, state, blockHashes } = tx
  await destroy(tx, result)
  await evm.journal.cleanup()
  const { execResult, createdAddress } = result
  const status = execResult.exceptionError === undefined ? 1 : 0
  return {
    status,
    gasUsed,
    gasRefund: execResult.gasRefund ?? 0n,
    executionGas: execResult.executionGasUsed,
    ...(execResult.exceptionError === undefined ? {} : { exception: execResult.exceptionError.error }),
    logs: (execResult.logs ?? []).map(logOf),
    ...(evm instanceof TransferEvm ? { transfers: transfersIn(evm, execResult.logs ?? []) } : {}),
    output: execResult.returnValue,
    ...(status === 1 && createdAddress !== undefined ? { contractAddress: createdAddress.toString() } : {}),
    coinbaseFee,
    reads: state.reads([...blockHashes]),
    writes: state.writes(),
  }
}

/** SELFDESTRUCT takes effect; from EIP-6780 on (Cancun) only for contracts made in this transaction. */
const destroy = async ({ evm, fork }: Transacting, { execResult }: EVMResult): Promise<void> => {
  for (const hex of execResult.selfdestruct?.keys() ?? []) {
    if (isAtLeast(fork, 'cancun') && execResult.createdAddresses?.has(hex) !== true) continue
    await evm.journal.deleteAccount(new Address(hexToBytes(hex)))
  }
}

export const addressAt = (addresses: Uint32Array, n: number): Address => {
  const bytes = new Uint8Array(20)
  addressToBytes(bytes, 0, addresses, LIMBS_PER_ADDRESS * n)
  return new Address(bytes)
}

const transfersIn = ({ transfers }: TransferEvm, logs: readonly object[]): readonly number[] =>
  logs.flatMap((log, n) => (transfers.has(log) ? [n] : []))

const logOf = ([address, topics, data]: readonly [Uint8Array, Uint8Array[], Uint8Array]): Log => ({
  address: bytesToHex(address),
  topics: topics.map(bytesToHex),
  data: bytesToHex(data),
})
