import type { ComputeDevice } from '../../host/device/compute_device.ts'
import type { BenchReport } from '../report/schema.ts'
import { median } from '../report/statistics.ts'

/** A part of the work on a block that is measured alone, each way to do it beside its peers: `wgevm bench NAME`. */
export interface Part {
  /** A word of the command line, which no workload has. */
  readonly name: string
  /** One line for `--list`. */
  readonly title: string
  /** What is counted: `recoveries`, `keccak-f`, `slots`. */
  readonly unit: string
  /** How many of them, where `--size` does not say. */
  readonly size: number
  /** Every row has the same work. Throws where a result is wrong: an unverified row is never returned. */
  run(options: PartOptions): Promise<readonly PartRow[]>
}

export interface PartOptions {
  readonly device: ComputeDevice
  readonly size: number
  /** Measured times per row, after warming up. */
  readonly samples: number
  readonly seed: number
  /** Says what is being done, a few words. */
  readonly step: (what: string) => void
}

/** One way to do the work. Times in milliseconds. */
export interface PartRow {
  /** `device`, `workers`, `hash-wasm`, ... */
  readonly form: string
  /** Not of this project. */
  readonly isPeer: boolean
  readonly count: number
  /** Wall time of each sample. */
  readonly samplesMs: readonly number[]
  /** The median of the samples. */
  readonly ms: number
  readonly perSecond: number
  /** What dispatches took by timestamp in a sample of its own, where that was measured. */
  readonly deviceMs?: number
  /** Against what the results were compared, in words. */
  readonly verified: string
  /** What a reader must know of the row: threads, sizes, what it leaves out. */
  readonly note?: string
}

/** The result file of `wgevm bench senders|keccak|trie --json`. Fields below `wgevm-part/1` are only ever added. */
export interface PartReport extends Pick<BenchReport, 'commit' | 'date' | 'machine' | 'adapter' | 'node'> {
  readonly schema: 'wgevm-part/1'
  readonly parts: readonly {
    readonly part: string
    readonly unit: string
    readonly rows: readonly PartRow[]
  }[]
}

/** A row of samples that were taken of the same `count`. */
export const partRow = (
  row: Pick<PartRow, 'form' | 'isPeer' | 'count' | 'samplesMs' | 'verified'> &
    Pick<Partial<PartRow>, 'deviceMs' | 'note'>,
): PartRow => {
  const ms = median(row.samplesMs)
  return { ...row, ms, perSecond: (1000 * row.count) / ms }
}
