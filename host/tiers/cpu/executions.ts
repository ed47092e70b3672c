import type { Executions, TouchVisitor } from '../../batch/executions.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import type { CpuExecution } from '../../batch/outcome.ts'
import { addBloomIndices, type BloomSet, bloomIndicesOfHex } from '../../chain/bloom.ts'
import type { ExactGas } from '../../chain/exact_gas.ts'
import { type LaneRows, NO_LENGTH } from '../../chain/lane_rows.ts'
import type { Log } from '../../chain/log.ts'
import { addressToHex } from '../../primitives/word.ts'

/** The executions of the CPU tier in a batch, in object form, each entered at its place when it is made. */
export class CpuExecutions implements Executions {
  readonly form = 'cpu'
  readonly #made: CpuExecution[] = []
  /** Among the executions of the batch; -1 before the first. */
  #number = -1
  /** Bits of what was hashed, by hex. */
  readonly #indices = new Map<string, Uint16Array>()

  /** Makes an execution the present one of transaction i. */
  add(batch: OpenBatch, i: number, execution: CpuExecution): void {
    if (this.#number < 0) this.#number = batch.executions.push(this) - 1
    batch.executionOf[i] = this.#number
    batch.laneOf[i] = this.#made.push(execution) - 1
    batch.status[i] = execution.status
    batch.gas[i] = execution.executionGas === undefined ? Number.NaN : Number(execution.executionGas)
    batch.refund[i] = Number(execution.gasRefund ?? 0n)
  }

  broken(): number {
    return 0
  }

  brokenAlone(): number {
    return 0
  }

  enter(): number {
    return 0
  }

  touched(_lane: number, _visit: TouchVisitor): void {}

  roundOn(): number {
    return 0
  }

  /** What runs at its place comes after every pass over the log. */
  writeTo(): void {}

  logs(lane: number): readonly Log[] {
    return this.#made[lane]!.logs
  }

  output(lane: number): Uint8Array {
    return this.#made[lane]!.output
  }

  exception(lane: number): string | undefined {
    return this.#made[lane]!.exception
  }

  transfers(lane: number): readonly number[] {
    return this.#made[lane]!.transfers ?? []
  }

  addBlooms({ transactions, lanes, first, end }: LaneRows, blooms: BloomSet): void {
    for (let place = first; place < end; place++) {
      for (const { address, topics } of this.#made[lanes[place]!]!.logs) {
        addBloomIndices(blooms, transactions[place]!, this.#indicesOf(address))
        for (const topic of topics) addBloomIndices(blooms, transactions[place]!, this.#indicesOf(topic))
      }
    }
  }

  markEmitting({ transactions, lanes, first, end }: LaneRows, address: Uint32Array, marks: Uint8Array): void {
    const hex = addressToHex(address, 0)
    for (let place = first; place < end; place++)
      if (this.#made[lanes[place]!]!.logs.some((log) => log.address === hex)) marks[transactions[place]!] = 1
  }

  /** Logs are objects here; most executions have none. */
  logsLengths({ transactions, lanes, first, end }: LaneRows, lengths: Uint32Array): void {
    for (let place = first; place < end; place++)
      lengths[transactions[place]!] = this.#made[lanes[place]!]!.logs.length === 0 ? 0 : NO_LENGTH
  }

  /** Those of no bytes: of the others no length is known. */
  writeLogs(): void {}

  exactGas(lane: number): ExactGas {
    const { gasUsed, executionGas } = this.#made[lane]!
    return { used: gasUsed, execution: executionGas }
  }

  contractAddress(lane: number): string | undefined {
    return this.#made[lane]!.contractAddress
  }

  depositNonce(lane: number): bigint | undefined {
    return this.#made[lane]!.depositNonce
  }

  #indicesOf(hex: string): Uint16Array {
    let indices = this.#indices.get(hex)
    if (indices === undefined) {
      indices = bloomIndicesOfHex(hex)
      this.#indices.set(hex, indices)
    }
    return indices
  }
}
