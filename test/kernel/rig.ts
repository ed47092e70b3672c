import { afterAll, beforeAll, describe } from 'vitest'
import { listAdapters } from '../../host/device/adapter.ts'
import type { Binding } from '../../host/device/binding.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import {
  BINDINGS,
  ENVIRONMENT_BYTES,
  ENVIRONMENT_SKELETONS_AT,
  ENVIRONMENT_WORDS_AT,
  WORKGROUP_SIZE,
} from '../../transpiler/layout/environment.ts'
import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'

const adaptersUnderTest = async (): Promise<readonly string[]> => {
  const wanted = process.env['WGEVM_ADAPTER']
  if (wanted) return [wanted]
  const kinds = (await listAdapters()).filter(({ accepted }) => accepted).map(({ kind }) => kind)
  if (kinds.length === 0) throw new Error('no WebGPU adapter works here: kernel tests need one (try wgevm doctor)')
  return [...new Set(kinds)]
}

/** The adapter that WGEVM_ADAPTER names, else every kind of adapter that this machine has. */
export const ADAPTERS = await adaptersUnderTest()

/** A suite that runs once for each adapter with a device of its own, and prints what its kernels took to compile. */
export const describeOnAdapters = (
  title: string,
  suite: (rig: Rig, adapter: string) => void,
  robustness: 'on' | 'off' = 'off',
): void => {
  describe.each(ADAPTERS)(`${title}, on %s${robustness === 'on' ? ' with robustness' : ''}`, (adapter) => {
    const rig = new Rig()
    beforeAll(() => rig.open(adapter, robustness))
    afterAll(() => {
      console.info(`compile time of ${title}, on ${adapter}\n${rig.compileTimes.join('\n')}`)
      rig.close()
    })
    suite(rig, adapter)
  })
}

/** A buffer of one run: `data` is uploaded; `output` comes back. */
export interface RigBuffer extends Binding {
  readonly data?: Uint32Array
  /** Where there is no data. */
  readonly sizeBytes?: number
  readonly output?: true
}

export interface RigRun {
  readonly label: string
  /** Several kernels of the same entry run one after another on the same buffers. */
  readonly wgsl: string | readonly string[]
  readonly entryPoint: string
  readonly buffers: readonly RigBuffer[]
  readonly invocations: number
}

export class Rig {
  readonly compileTimes: string[] = []
  #device: ComputeDevice | undefined
  readonly #seen = new Set<string>()

  async open(adapter: string, robustness: 'on' | 'off'): Promise<void> {
    this.#device = await openDevice(robustness === 'on' ? { adapter, robustness } : { adapter })
  }

  close(): void {
    this.#device?.destroy()
  }

  get device(): ComputeDevice {
    if (this.#device === undefined) throw new Error('the rig is used outside a test')
    return this.#device
  }

  /** Compiles, uploads, dispatches; the contents of the output buffers in order. */
  async run({ label, wgsl, entryPoint, buffers, invocations }: RigRun): Promise<readonly Uint32Array[]> {
    const { device } = this
    const bindings = buffers.map(({ binding, type }) => ({ binding, type }))
    const texts = typeof wgsl === 'string' ? [wgsl] : wgsl
    const kernels = await Promise.all(texts.map((text) => device.kernel({ label, wgsl: text, entryPoint, bindings })))
    const made = buffers.map(({ binding, type, data, sizeBytes }) => {
      const bytes = data?.byteLength ?? sizeBytes ?? 0
      const buffer = type === 'uniform' ? device.uniform(label, bytes) : device.storage(label, bytes)
      if (data !== undefined) device.upload(buffer, 0, data)
      return { binding, buffer, byteOffset: 0, byteLength: bytes }
    })
    if (!this.#seen.has(label)) {
      this.#seen.add(label)
      for (const kernel of kernels) {
        const firstMs = await kernel.warmUp()
        this.compileTimes.push(
          `  ${label}: pipeline ${kernel.compileMs.toFixed(0)} ms, first dispatch ${firstMs.toFixed(0)} ms`,
        )
      }
    }
    const bindGroup = device.bindGroup(
      kernels[0]!,
      made.map(({ binding, buffer }) => ({ binding, buffer })),
    )
    const workgroups = Math.ceil(invocations / WORKGROUP_SIZE)
    const commands = kernels.map((kernel) => ({ kind: 'dispatch' as const, kernel, bindGroup, workgroups }))
    const { reads } = await device.run(commands, {
      reads: made.filter((_, i) => buffers[i]!.output),
    })
    for (const { buffer } of made) buffer.destroy()
    return reads
  }
}

/** The environment of an execution kernel; masks are capacity - 1. */
export const environmentOf = (fields: {
  readonly laneCount: number
  readonly slotMask?: number
  readonly accountMask?: number
  readonly words?: readonly bigint[]
  readonly skeletons?: readonly number[]
}): Uint32Array => {
  const environment = new Uint32Array(ENVIRONMENT_BYTES / 4)
  environment.set([fields.laneCount, 0, fields.slotMask ?? 0, fields.accountMask ?? 0])
  environment.set(limbsOf(fields.words ?? []), ENVIRONMENT_WORDS_AT * 4)
  environment.set(fields.skeletons ?? [], ENVIRONMENT_SKELETONS_AT * 4)
  return environment
}

/** Buffers of a kernel that uses the lane library only: environment, lanesIn and lanesOut. */
export const laneBuffers = (environment: Uint32Array, lanesIn: Uint32Array, outputColumns: number): RigBuffer[] => [
  { binding: BINDINGS.environment, type: 'uniform', data: environment },
  { binding: BINDINGS.lanesIn, type: 'read-only-storage', data: lanesIn },
  { binding: BINDINGS.lanesOut, type: 'storage', sizeBytes: outputColumns * environment[0]! * 16, output: true },
]

/** A compute entry `test` whose body sees `lane`, for the lanes of an execution kernel. */
export const laneEntry = (body: string): string => `
@compute @workgroup_size(${WORKGROUP_SIZE})
fn test(@builtin(global_invocation_id) invocation: vec3<u32>) {
  let lane = invocation.x;
  if (lane >= lane_count()) {
    return;
  }
  ${body}
}
`

/** Words as limbs, one after another. */
export const limbsOf = (words: readonly bigint[]): Uint32Array => {
  const limbs = new Uint32Array(words.length * LIMBS_PER_WORD)
  words.forEach((word, i) => {
    for (let limb = 0; limb < LIMBS_PER_WORD; limb++) {
      limbs[i * LIMBS_PER_WORD + limb] = Number((word >> BigInt(32 * limb)) & 0xffffffffn)
    }
  })
  return limbs
}

/** The word at `limbs[at..at+8]`. */
export const wordAt = (limbs: Uint32Array, at: number): bigint => {
  let word = 0n
  for (let limb = LIMBS_PER_WORD - 1; limb >= 0; limb--) word = (word << 32n) | BigInt(limbs[at + limb]!)
  return word
}

/** Lane columns: `columns[c]` is a list of words or of single vectors, one for each lane; words take two columns. */
export const columnsOf = (columns: readonly (readonly bigint[] | readonly (readonly number[])[])[]): Uint32Array => {
  const laneCount = columns[0]?.length ?? 0
  const vectors = columns.reduce((sum, column) => sum + (typeof column[0] === 'bigint' ? 2 : 1), 0)
  const lanes = new Uint32Array(vectors * laneCount * 4)
  let at = 0
  for (const column of columns) {
    const isWord = typeof column[0] === 'bigint'
    column.forEach((value, lane) => {
      const limbs = typeof value === 'bigint' ? limbsOf([value]) : Uint32Array.from(value)
      lanes.set(limbs.subarray(0, 4), (at * laneCount + lane) * 4)
      if (isWord) lanes.set(limbs.subarray(4), ((at + 1) * laneCount + lane) * 4)
    })
    at += isWord ? 2 : 1
  }
  return lanes
}

/** The word in columns `column` and `column + 1` of a lane. */
export const laneWord = (lanes: Uint32Array, laneCount: number, column: number, lane: number): bigint => {
  const low = (column * laneCount + lane) * 4
  const high = ((column + 1) * laneCount + lane) * 4
  return wordAt(Uint32Array.of(...lanes.subarray(low, low + 4), ...lanes.subarray(high, high + 4)), 0)
}

/** The vector in a column of a lane. */
export const laneVector = (lanes: Uint32Array, laneCount: number, column: number, lane: number): number[] => {
  const at = (column * laneCount + lane) * 4
  return [...lanes.subarray(at, at + 4)]
}
