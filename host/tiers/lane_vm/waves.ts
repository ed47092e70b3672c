import { VM_QUOTAS, type VmQuota } from '../../../transpiler/layout/lane_vm_quota.ts'
import { OutOfMemoryError } from '../../device/fault.ts'
import { type VmBudget, type VmCounters, VmDispatches, type VmMachine } from './dispatches.ts'
import type { VmGroup } from './group.ts'
import type { VmBlock } from './uniform.ts'
import { cutWaves, layWave, type VmLanes, type VmWave, type WaveMemory } from './wave.ts'

export const TOO_SMALL = 'the device does not hold one workgroup of the lane VM'

/** A group, whose reasons are open until it is known which lanes run again. */
export interface VmWaveResult {
  readonly group: VmGroup
  readonly positions: Uint32Array
  readonly reasons: Map<number, string>
}

/** What waves of one request need of their runner. */
export interface WaveParts {
  readonly machine: VmMachine
  readonly lanes: VmLanes
  readonly block: VmBlock
  readonly budget: VmBudget
  readonly memory: WaveMemory
  readonly counters: VmCounters
  /** Of a wave: what the device binds, and has the memory for. */
  mostVectors(): number
  /** Counts waves beyond the first, and bytes of a wave. */
  ran(waves: number, bytes: number): void
  /** Frees what memory it can after a wave of so many vectors ran out of it; buffers that all waves share are lost. */
  makeRoom(vectors: number): void
}

/** A wave whose first dispatch is on its way. */
interface OpenWave {
  readonly wave: VmWave
  readonly dispatches: VmDispatches
}

/**
 * The waves of one request, quota by quota: as few as the device holds, halved while its memory runs out; the least
 * possible wave is tried twice, then its fault passes. While the device runs one, the host lays out the next and takes
 * what the one before left.
 */
export class QuotaWaves {
  readonly #parts: WaveParts
  /** By quota (leastWaves). */
  readonly #least: readonly number[]
  /** The next wave of those that run. */
  #ahead: OpenWave | undefined

  constructor(parts: WaveParts, least: readonly number[]) {
    this.#parts = parts
    this.#least = least
  }

  /** Sends the first wave of these lanes, which `run` will get as its first ones. */
  begin(n: number, positions: Uint32Array): void {
    this.#openAhead(positions.subarray(0, this.#endsFrom(n, positions, 0)[0]), VM_QUOTAS[n]!)
  }

  /** Waits for what is on its way. */
  async abandon(): Promise<void> {
    const ahead = this.#ahead
    this.#ahead = undefined
    await ahead?.dispatches.abandon()
  }

  /** Runs lanes of quota `n`. */
  async run(n: number, positions: Uint32Array): Promise<readonly VmWaveResult[]> {
    const quota = VM_QUOTAS[n]!
    const ran: VmWaveResult[] = []
    let ends = this.#endsFrom(n, positions, 0)
    let hasRoom = false
    for (let first = 0; first < positions.length; ) {
      const ahead = this.#takeAhead(quota)
      const wave = ahead?.wave ?? this.#layOut(positions.subarray(first, ends[0]), quota)
      const end = first + wave.laneCount
      try {
        const { dispatches } = ahead ?? this.#open(wave)
        ends = ends.filter((one) => one > end)
        if (ends.length > 0 && !hasRoom && this.#ahead === undefined)
          this.#openAhead(positions.subarray(end, ends[0]), quota)
        ran.push(await this.#close(dispatches, wave))
        first = end
        hasRoom = false
      } catch (thrown) {
        await this.abandon()
        if (!(thrown instanceof OutOfMemoryError) || hasRoom) throw thrown
        this.#parts.makeRoom(wave.storeVectors)
        // A wave that cannot be halved may fit the room that was made.
        hasRoom = wave.laneCount <= quota.neighbours
        const middle = hasRoom ? end : first + Math.ceil(wave.laneCount / 2 / quota.neighbours) * quota.neighbours
        ends = [middle, ...this.#endsFrom(n, positions, middle)]
      }
    }
    this.#parts.ran(Math.max(0, ran.length - 1), 0)
    return ran
  }

  #endsFrom(n: number, positions: Uint32Array, from: number): readonly number[] {
    const { lanes, mostVectors } = this.#parts
    const room = Math.max(mostVectors(), this.#least[n]!)
    const ends = cutWaves(lanes, positions.subarray(from), VM_QUOTAS[n]!, room)
    if (ends === undefined) throw new RangeError(TOO_SMALL)
    return ends.map((end) => from + end)
  }

  #layOut(positions: Uint32Array, quota: VmQuota): VmWave {
    const { lanes, memory, counters } = this.#parts
    const startedMs = performance.now()
    const wave = layWave(lanes, positions, quota, memory)
    counters.upload += performance.now() - startedMs
    return wave
  }

  #open(wave: VmWave): OpenWave {
    const { machine, block, budget, counters } = this.#parts
    const startedMs = performance.now()
    const dispatches = new VmDispatches(machine, wave, block)
    counters.upload += performance.now() - startedMs
    this.#parts.ran(0, dispatches.bytes)
    dispatches.send(budget, counters)
    return { wave, dispatches }
  }

  /** Where the device has no room for another wave beside the one that runs, it has its turn after it. */
  #openAhead(positions: Uint32Array, quota: VmQuota): void {
    const wave = this.#layOut(positions, quota)
    try {
      this.#ahead = this.#open(wave)
    } catch (thrown) {
      if (!(thrown instanceof OutOfMemoryError)) throw thrown
    }
  }

  /** The one that is on its way, where it is the next of this quota. */
  #takeAhead(quota: VmQuota): OpenWave | undefined {
    const ahead = this.#ahead
    if (ahead?.wave.quota !== quota) return undefined
    this.#ahead = undefined
    return ahead
  }

  async #close(dispatches: VmDispatches, { positions }: VmWave): Promise<VmWaveResult> {
    const { budget, counters, lanes } = this.#parts
    try {
      await dispatches.finish(budget, counters)
      const reasons = new Map<number, string>()
      const transactions = new Int32Array(positions.length)
      for (let lane = 0; lane < positions.length; lane++) transactions[lane] = lanes.transactions[positions[lane]!]!
      const group = await dispatches.collect(transactions, reasons, counters)
      dispatches.release()
      return { group, positions, reasons }
    } catch (thrown) {
      dispatches.drop()
      throw thrown
    }
  }
}
