import type { TransactionBatch } from '../chain/batch.ts'
import { BLOOM_BYTES, bloomIndices, setBloomBit } from '../chain/bloom.ts'
import type { Log } from '../chain/log.ts'
import { REJECTION, type Rejection } from '../chain/rejection.ts'
import { bytesToHex } from '../primitives/hex.ts'
import { addBloomIndices, type BloomSet, LaneDecoder, type LaneGroup } from '../tiers/path/receipts.ts'

export {
  addBloomIndices,
  type BloomItem,
  type BloomSet,
  bloomItems,
  type LaneGroup,
  type LaneTables,
} from '../tiers/path/receipts.ts'

/**
 * A receipt in object form (YP 4.3.1). Hex is 0x and lower case. `output` is return or revert data, which a consensus
 * receipt does not carry.
 *
 * Example: {@link Receipts}.
 */
export interface Receipt {
  readonly type: number
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly cumulativeGasUsed: bigint
  readonly logs: readonly Log[]
  readonly logsBloom: string
  readonly output: string
  /** Of a creation that succeeded. */
  readonly contractAddress?: string
  /** Of a deposit: the sender's nonce before it. */
  readonly depositNonce?: bigint
}

/** What the receipts take from an execution in object form. @internal */
export interface ObjectOutcome {
  readonly status: 0 | 1
  readonly gasUsed: bigint
  readonly logs: readonly Log[]
  readonly output: Uint8Array
  readonly contractAddress?: string
  readonly depositNonce?: bigint
  readonly executionGas?: bigint
  readonly gasRefund?: bigint
  readonly exception?: string
}

/** What the EVM made of a transaction's call, without what a transaction pays around it. @internal */
export interface CallOutcome {
  /** Without the intrinsic part; the refund is not taken off. */
  readonly executionGas: bigint
  /** Refund counter at the end, before its cap. */
  readonly gasRefund: bigint
  /** Why it failed, in the words of @ethereumjs/evm; undefined where it succeeded. */
  readonly exception: string | undefined
}

/**
 * Reads what device executions left, by lane. `to` and `i`: the called addresses of the batch, and the lane's
 * transaction.
 *
 * @internal
 */
export interface LaneReceipts {
  logs(lane: number, to: Uint32Array, i: number): readonly Log[]
  output(lane: number): Uint8Array
  /** @internal */
  callOutcome(lane: number): CallOutcome | undefined
  addBloom(blooms: BloomSet, lane: number, to: Uint32Array, i: number): void
}

export const STATUS_FAILURE = 0
export const STATUS_SUCCESS = 1
/** Not included in the block: no gas, no receipt. */
export const STATUS_REJECTED = 2

const FROM_TRANSFER = 0
const FROM_LANE = 1
const FROM_OBJECT = 2

/**
 * The receipts of a batch in columns; a receipt in object form is made on demand, and so are logs and blooms.
 *
 * status              u8[n]    STATUS_*
 * gasUsed             f64[n]   0 where rejected
 * cumulativeGasUsed   f64[n]   running sum in transaction order
 *
 * Doubles are rounded from 2^53 on: `get`, `gasUsedOf`, `cumulativeGasUsedOf` and `blockGasUsed` are exact.
 *
 * Each transaction must be set once; setting it again replaces what was set.
 *
 * @example
 * import { createExecutor, MemoryState, receiptsRoot } from 'wgevm'
 *
 * const alice = '0x00000000000000000000000000000000000a11ce'
 * const state = MemoryState.from({ [alice]: { balance: 10n ** 18n } })
 * const executor = createExecutor({ fork: 'osaka', chainId: 1n, state })
 * const { receipts } = await executor.execute({
 *   env: { number: 1n, timestamp: 1n, coinbase: alice, gasLimit: 60_000_000n, baseFeePerGas: 7n, prevRandao: 0n },
 *   transactions: [{ from: alice, to: alice, nonce: 0n, gasLimit: 21_000n, gasPrice: 10n }],
 * })
 * console.log(receipts.count, receipts.get(0)?.cumulativeGasUsed, receipts.blockBloom().length) // 1 21000n 256
 * console.log(receiptsRoot(receipts).length) // 66
 * executor.close()
 */
export class Receipts {
  readonly count: number
  readonly type: Uint8Array
  readonly status: Uint8Array
  readonly gasUsed: Float64Array
  readonly #batch: TransactionBatch
  readonly #cumulative: Float64Array
  readonly #from: Uint8Array
  /** Group number of a lane; REJECTION code where rejected. */
  readonly #group: Uint32Array
  readonly #lane: Uint32Array
  readonly #groups: LaneReceipts[] = []
  readonly #groupStatus: number[] = []
  readonly #objects = new Map<number, ObjectOutcome>()
  #summed = false
  /** Running sums where one of them passes what doubles can tell apart. */
  #wideSums: readonly bigint[] | undefined
  #blooms: BloomSet | undefined

  /** @internal */
  constructor(batch: TransactionBatch) {
    const { count } = batch
    this.count = count
    this.type = batch.type
    this.status = new Uint8Array(count)
    this.gasUsed = new Float64Array(count)
    this.#batch = batch
    this.#cumulative = new Float64Array(count)
    this.#from = new Uint8Array(count)
    this.#group = new Uint32Array(count)
    this.#lane = new Uint32Array(count)
  }

  /** Makes a dispatch known; returns the number that `setLane` takes. @internal */
  addGroup(group: LaneGroup): number {
    this.#groupStatus.push(group.kernel.status === 'success' ? STATUS_SUCCESS : STATUS_FAILURE)
    return this.#groups.push(new LaneDecoder(group)) - 1
  }

  /** The same for lanes that need not end alike; `setVm` takes the number. @internal */
  addReceipts(group: LaneReceipts): number {
    this.#groupStatus.push(STATUS_FAILURE)
    return this.#groups.push(group) - 1
  }

  /** A plain transfer that succeeded: no logs, no output. @internal */
  setTransfer(i: number, gasUsed: number): void {
    this.#set(i, STATUS_SUCCESS, gasUsed, FROM_TRANSFER)
  }

  /** Lane `lane` of a dispatch; the path says the status. @internal */
  setLane(i: number, group: number, lane: number, gasUsed: number): void {
    this.#set(i, this.#groupStatus[group]!, gasUsed, FROM_LANE)
    this.#group[i] = group
    this.#lane[i] = lane
  }

  /** Lane `lane` of what `addReceipts` took. @internal */
  setVm(i: number, group: number, lane: number, status: 0 | 1, gasUsed: number): void {
    this.#set(i, status, gasUsed, FROM_LANE)
    this.#group[i] = group
    this.#lane[i] = lane
  }

  /** @internal */
  setCpu(i: number, outcome: ObjectOutcome): void {
    this.#set(i, outcome.status, Number(outcome.gasUsed), FROM_OBJECT)
    this.#objects.set(i, outcome)
  }

  /** @internal */
  setRejected(i: number, rejection: Rejection): void {
    this.#set(i, STATUS_REJECTED, 0, FROM_TRANSFER)
    this.#group[i] = rejection
  }

  #set(i: number, status: number, gasUsed: number, from: number): void {
    this.status[i] = status
    this.gasUsed[i] = gasUsed
    this.#from[i] = from
    this.#summed = false
    this.#blooms = undefined
  }

  get cumulativeGasUsed(): Float64Array {
    if (!this.#summed) {
      let sum = 0
      for (let i = 0; i < this.count; i++) {
        sum += this.gasUsed[i]!
        this.#cumulative[i] = sum
      }
      this.#wideSums = sum <= Number.MAX_SAFE_INTEGER ? undefined : this.#exactSums()
      this.#summed = true
    }
    return this.#cumulative
  }

  /** Gas used by the whole batch; rounded from 2^53 on. */
  get totalGasUsed(): number {
    return this.count === 0 ? 0 : this.cumulativeGasUsed[this.count - 1]!
  }

  /** Gas used by the whole batch. */
  get blockGasUsed(): bigint {
    return this.count === 0 ? 0n : this.cumulativeGasUsedOf(this.count - 1)
  }

  /** Gas used by transaction i; 0 where it was rejected. */
  gasUsedOf(i: number): bigint {
    return this.#from[i] === FROM_OBJECT ? this.#objects.get(i)!.gasUsed : BigInt(this.gasUsed[i]!)
  }

  /** Gas used by the transactions up to i, which is one of them. */
  cumulativeGasUsedOf(i: number): bigint {
    const sums = this.cumulativeGasUsed
    return this.#wideSums === undefined ? BigInt(sums[i]!) : this.#wideSums[i]!
  }

  #exactSums(): bigint[] {
    let sum = 0n
    return Array.from({ length: this.count }, (_, i) => {
      sum += this.gasUsedOf(i)
      return sum
    })
  }

  /** Why transaction i is not included; REJECTION.none where it is. */
  rejection(i: number): Rejection | 0 {
    return this.status[i] === STATUS_REJECTED ? (this.#group[i] as Rejection) : REJECTION.none
  }

  /** The receipt of transaction i, or undefined where it was rejected. */
  get(i: number): Receipt | undefined {
    if (i < 0 || i >= this.count) throw new RangeError(`no transaction ${i} in a batch of ${this.count}`)
    const status = this.status[i]!
    if (status === STATUS_REJECTED) return undefined
    const outcome = this.#from[i] === FROM_OBJECT ? this.#objects.get(i) : undefined
    const { contractAddress, depositNonce } = outcome ?? {}
    return {
      type: this.type[i]!,
      status: status as 0 | 1,
      gasUsed: this.gasUsedOf(i),
      cumulativeGasUsed: this.cumulativeGasUsedOf(i),
      logs: this.logs(i),
      logsBloom: bytesToHex(this.blooms().subarray(BLOOM_BYTES * i, BLOOM_BYTES * (i + 1))),
      output: bytesToHex(this.output(i)),
      ...(contractAddress === undefined ? {} : { contractAddress }),
      ...(depositNonce === undefined ? {} : { depositNonce }),
    }
  }

  /** Logs of transaction i in their order; none where it failed or was rejected. */
  logs(i: number): readonly Log[] {
    if (this.#from[i] === FROM_OBJECT) return this.#objects.get(i)!.logs
    if (this.#from[i] === FROM_LANE) return this.#groups[this.#group[i]!]!.logs(this.#lane[i]!, this.#batch.to, i)
    return []
  }

  /** Of a deposit: the sender's nonce before it; undefined for every other transaction. */
  depositNonce(i: number): bigint | undefined {
    return this.#from[i] === FROM_OBJECT ? this.#objects.get(i)!.depositNonce : undefined
  }

  /** Undefined where the transaction was rejected, and where only the status of a failure is known. @internal */
  callOutcome(i: number): CallOutcome | undefined {
    if (this.status[i] === STATUS_REJECTED) return undefined
    if (this.#from[i] === FROM_TRANSFER) return { executionGas: 0n, gasRefund: 0n, exception: undefined }
    if (this.#from[i] === FROM_LANE) return this.#groups[this.#group[i]!]!.callOutcome(this.#lane[i]!)
    const { status, executionGas, gasRefund, exception } = this.#objects.get(i)!
    if (executionGas === undefined || gasRefund === undefined) return undefined
    if ((status === STATUS_SUCCESS) !== (exception === undefined)) return undefined
    return { executionGas, gasRefund, exception }
  }

  /** Return or revert data of transaction i. */
  output(i: number): Uint8Array {
    if (this.#from[i] === FROM_OBJECT) return this.#objects.get(i)!.output
    if (this.#from[i] === FROM_LANE) return this.#groups[this.#group[i]!]!.output(this.#lane[i]!)
    return new Uint8Array(0)
  }

  /** Bloom of every transaction, 256 bytes each, zero where rejected (YP 4.3.1). */
  blooms(): Uint8Array {
    return this.#filters().of
  }

  /** The bloom of the block: all of them together. */
  blockBloom(): Uint8Array {
    const block = new Uint8Array(BLOOM_BYTES)
    const { seen } = this.#filters()
    for (let index = 0; index < seen.length; index++) if (seen[index] === 1) setBloomBit(block, 0, index)
    return block
  }

  #filters(): BloomSet {
    if (this.#blooms !== undefined) return this.#blooms
    const blooms: BloomSet = { of: new Uint8Array(BLOOM_BYTES * this.count), seen: new Uint8Array(8 * BLOOM_BYTES) }
    const cache = new Map<string, Uint16Array>()
    for (let i = 0; i < this.count; i++) {
      const from = this.#from[i]
      if (from === FROM_LANE) {
        this.#groups[this.#group[i]!]!.addBloom(blooms, this.#lane[i]!, this.#batch.to, i)
      } else if (from === FROM_OBJECT) {
        for (const log of this.#objects.get(i)!.logs) {
          for (const item of [log.address, ...log.topics]) {
            let indices = cache.get(item)
            if (indices === undefined) {
              indices = bloomIndicesOfHex(item)
              cache.set(item, indices)
            }
            addBloomIndices(blooms, i, indices)
          }
        }
      }
    }
    this.#blooms = blooms
    return blooms
  }
}

const bloomIndicesOfHex = (hex: string): Uint16Array => {
  const indices = new Uint16Array(3)
  bloomIndices(indices, Buffer.from(hex.slice(2), 'hex'))
  return indices
}
