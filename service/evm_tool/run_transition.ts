import type { TransactionBatch } from '../../host/chain/batch.ts'
import { TYPE_BLOB } from '../../host/chain/batch.ts'
import { transactionHashes } from '../../host/chain/decode.ts'
import type { TransactionInputError } from '../../host/chain/encode_batch.ts'
import { selectTransactions } from '../../host/chain/select_batch.ts'
import type { Withdrawal } from '../../host/chain/withdrawals.ts'
import type { BlockReward } from '../../host/flows/block_work.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { ExecutorOptions } from '../../host/flows/executor_interface.ts'
import type { Transition } from '../../host/flows/transition.ts'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { STATUS_REJECTED } from '../../host/receipts/receipts.ts'
import { type Allocation, MemoryState } from '../../host/state/memory_state.ts'
import { createStateTrie } from '../../host/state/trie/trie.ts'
import { writesOfChanges } from '../../host/state/writes/of_changes.ts'
import type { ToolBlock } from './block_env.ts'
import type { ForkRules } from './fork_rules.ts'
import { BLOB_WITHOUT_EXCESS, type Rejected, rejectedByState, unreadableText } from './rejected.ts'
import { SuppliedState } from './supplied_state.ts'
import { ToolError } from './tool_error.ts'

/** What is executed. */
export interface TransitionInput {
  readonly rules: ForkRules
  readonly chainId: bigint
  readonly alloc: Allocation
  readonly block: ToolBlock
  readonly blockHashes: ReadonlyMap<bigint, string> | undefined
  /** As they come over the wire; what is no transaction is rejected. */
  readonly transactions: readonly Uint8Array[]
  readonly withdrawals: readonly Withdrawal[] | undefined
  readonly reward: BlockReward | undefined
  /** `never`: as in a state test, in which no contract of the system is called. */
  readonly systemCalls: 'never' | undefined
}

/** Where it is executed. */
export type TransitionSetting = Pick<ExecutorOptions, 'device' | 'workers' | 'paths' | 'laneVm'>

/** One included transaction at its place. */
export interface IncludedTransaction {
  /** Among the included ones. */
  readonly index: number
  /** Among those that were executed: its row in `batch` and in the receipts. */
  readonly row: number
  /** 0x-hex. */
  readonly hash: string
  readonly bytes: Uint8Array
}

/** What came of it. */
export interface TransitionOutput {
  readonly input: TransitionInput
  readonly transition: Transition
  /** What could be read of the transactions. */
  readonly batch: TransactionBatch
  readonly included: readonly IncludedTransaction[]
  readonly rejected: readonly Rejected[]
  /** The state after it. */
  readonly state: MemoryState
}

/** Deposits are those of mainnet's contract on every chain, as go-ethereum's rules of tests have it. */
const DEPOSIT_CONTRACT = '0x00000000219ab540356cbb839cbe05303d7705fa'

/** At its place, in order, by the CPU tier alone: what it asks of the state is what serial execution asks. */
const SERIAL: TransitionSetting = { workers: 0, paths: 'never', laneVm: 'never' }

/** Executes the transactions in their order, and what the block does around them. Throws ToolError. */
export const runTransition = async (input: TransitionInput, setting: TransitionSetting): Promise<TransitionOutput> => {
  const first = await executed(input, setting)
  if (first.missing === undefined) return first.output
  // Executions ahead of their place may have asked for what no transaction asks for at its place.
  const serial = await executed(input, SERIAL)
  if (serial.missing === undefined) return serial.output
  const number = serial.missing
  const what = input.blockHashes === undefined ? 'no blockhashes provided' : 'blockhash for that block not provided'
  throw new ToolError('blockHash', `getHash(${number}) invoked, ${what}`)
}

interface Executed {
  readonly output: TransitionOutput
  /** The ancestor whose hash was asked for and not supplied. */
  readonly missing: bigint | undefined
}

const executed = async (input: TransitionInput, setting: TransitionSetting): Promise<Executed> => {
  const { rules, chainId, block, alloc, transactions, withdrawals, reward, systemCalls } = input
  const memory = MemoryState.from(alloc)
  const state = new SuppliedState(memory, input.blockHashes)
  const depositContract = DEPOSIT_CONTRACT
  const executor = createExecutor({ ...setting, fork: rules.fork, chainId, state, depositContract })
  try {
    const faults = new Map<number, TransactionInputError>()
    const decoded = await executor.decode(transactions, { faults })
    const { rows, rejected: unread } = readable(decoded, faults, input)
    const batch = rows.length === transactions.length ? decoded : selectTransactions(decoded, rows)
    const { parentHash, parentBeaconBlockRoot } = block
    const transition = await executor.transition({
      env: block.env,
      transactions: batch,
      signed: rows.map((i) => transactions[i]!),
      parentState: createStateTrie(memory),
      changes: true,
      ...(parentHash === undefined ? {} : { parentHash }),
      ...(parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot }),
      ...(withdrawals === undefined ? {} : { withdrawals }),
      ...(reward === undefined ? {} : { reward }),
      ...(systemCalls === undefined ? {} : { systemCalls }),
    })
    const ran = { input, transition, batch, state: memory }
    const rejected = [...unread, ...(await rejectedRows(ran, rows))].sort((a, b) => a.index - b.index)
    return {
      output: { ...ran, included: includedOf(transition, rows, transactions), rejected },
      missing: state.missing,
    }
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name !== 'BlockError') throw thrown
    throw new ToolError('evm', `could not process requests: ${thrown.message}`, { cause: thrown })
  } finally {
    executor.close()
  }
}

/** The rows that can be executed, and why the others cannot. */
const readable = (
  { count, type }: TransactionBatch,
  faults: ReadonlyMap<number, TransactionInputError>,
  { block, chainId }: TransitionInput,
): { readonly rows: number[]; readonly rejected: readonly Rejected[] } => {
  const rows: number[] = []
  const rejected: Rejected[] = []
  for (let index = 0; index < count; index++) {
    const fault = faults.get(index)
    if (fault !== undefined) rejected.push({ index, error: unreadableText(fault.reason, chainId) })
    else if (type[index] === TYPE_BLOB && block.excessBlobGas === undefined)
      rejected.push({ index, error: BLOB_WITHOUT_EXCESS })
    else rows.push(index)
  }
  return { rows, rejected }
}

const includedOf = (
  { receipts }: Transition,
  rows: readonly number[],
  transactions: readonly Uint8Array[],
): IncludedTransaction[] => {
  const executed = rows.flatMap((i, row) =>
    receipts.status[row] === STATUS_REJECTED ? [] : [{ row, bytes: transactions[i]! }],
  )
  const hashes = transactionHashes(executed.map(({ bytes }) => bytes))
  return executed.map(({ row, bytes }, index) => ({
    index,
    row,
    bytes,
    hash: bytesToHex(hashes.subarray(32 * index, 32 * (index + 1))),
  }))
}

type Ran = Omit<TransitionOutput, 'included' | 'rejected'>

/** What was rejected at its place, told with what it met there. */
const rejectedRows = async (ran: Ran, rows: readonly number[]): Promise<Rejected[]> => {
  const { transition, batch, input } = ran
  const codes = new Map(transition.rejected.map(({ index, code }) => [index, code]))
  const rejected: Rejected[] = []
  if (codes.size === 0) return rejected
  let blobs = 0
  await atPlaces(ran, (row, state) => {
    const own = batch.extras.get(row)?.blobVersionedHashes?.length ?? 0
    const code = codes.get(row)
    if (code === undefined) blobs += own
    else
      rejected.push({
        index: rows[row]!,
        error: rejectedByState(code, { input, batch, row, state, blobs: blobs + own }),
      })
  })
  return rejected
}

/** Visits each row of the batch with the state at its place, which must not be kept. */
export const atPlaces = async (
  { input, transition, batch }: Ran,
  visit: (row: number, state: MemoryState) => void | Promise<void>,
): Promise<void> => {
  const state = MemoryState.from(input.alloc)
  for (const [number, hash] of input.blockHashes ?? []) state.setBlockHash(number, hash)
  state.commit(writesOfChanges(transition.before!))
  for (let row = 0; row < batch.count; row++) {
    await visit(row, state)
    state.commit(writesOfChanges(transition.changes![row]!))
  }
}
