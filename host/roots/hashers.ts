import { KECCAK_RATE_BYTES } from '../../transpiler/layout/word.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { faultText } from '../device/fault.ts'
import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'
import { SERIAL_HASHER } from '../primitives/keccak_many.ts'
import { ThreadsHasher } from '../primitives/threads_hasher.ts'
import { createDeviceHasher, type DeviceHasher } from './device_hasher.ts'
import { type HashRate, measureHasher, rateCost } from './measure_hasher.ts'

/** A form of hashing: a device, WebAssembly on threads, WebAssembly on this thread. */
export type HasherForm = 'device' | 'threads' | 'thread'

export interface HashersTerms {
  /** Default `auto`: the form that takes least for a plan, by what was measured. The digests are the same. */
  readonly mode?: HasherForm | 'auto'
  /** Threads besides this one. */
  readonly workers?: number
  /** The device that there is now. */
  readonly device?: () => ComputeDevice | undefined
  /** Hashing on a device. */
  readonly deviceForm?: (device: ComputeDevice) => DeviceHasher
}

/** Before it is measured: on a core of 2.5 GHz, in microseconds. */
const THREAD_RATE: HashRate = { planUs: 1, levelUs: 1, blockUs: 0.35 }
const THREADS_PLAN_US = 50
const THREADS_LEVEL_US = 30
/** Threads start for a plan that would keep this one busy for so long. */
const THREADS_PAY_US = 3_000
/** A kernel is compiled once so many blocks have come: on a software device that is a second, once for a machine. */
const DEVICE_PAYS_BLOCKS = { hardware: 1 << 14, software: 1 << 20 } as const
/** A plan of so many blocks says what its form takes. */
const LEAST_NOTED_BLOCKS = 4096

interface OnDevice {
  readonly device: ComputeDevice
  readonly hasher: DeviceHasher
  isRefused: boolean
}

/**
 * The forms of hashing of one executor, and which one takes what (docs/decisions/0034-hashing-in-bulk.md). A form that
 * fails hands its plan to the next one; what went wrong is kept for `takeFaults`.
 */
export class Hashers implements NodeHasher {
  readonly name = 'auto'
  readonly #terms: HashersTerms
  readonly #threads: ThreadsHasher
  readonly #rates = new Map<HasherForm, HashRate>([['thread', THREAD_RATE]])
  readonly #faults: string[] = []
  #blocks = 0
  #onDevice: OnDevice | undefined
  #trying: Promise<void> | undefined
  #isClosed = false

  constructor(terms: HashersTerms = {}) {
    this.#terms = terms
    this.#threads = new ThreadsHasher(terms.workers === undefined ? {} : { workers: terms.workers })
    const { threads } = this.#threads
    const blockUs = THREAD_RATE.blockUs / threads
    if (threads > 1) this.#rates.set('threads', { planUs: THREADS_PLAN_US, levelUs: THREADS_LEVEL_US, blockUs })
  }

  async hash(plan: HashPlan): Promise<Uint8Array> {
    const blocks = blocksOf(plan)
    this.#blocks += blocks
    this.#tryDevice()
    for (const form of this.#order(plan, blocks)) {
      const startedMs = performance.now()
      try {
        const digests = await this.#hasherOf(form).hash(plan)
        this.#note(form, plan, blocks, 1000 * (performance.now() - startedMs))
        return digests
      } catch (thrown) {
        if (form === 'thread') throw thrown
        this.#refuse(form, thrown)
      }
    }
    throw new Error('this thread hashes whatever no other form does')
  }

  /** What went wrong since it was last taken. */
  takeFaults(): readonly string[] {
    return [...this.#faults.splice(0), ...this.#threads.faults.splice(0)]
  }

  /** What is known of the forms now. */
  get rates(): ReadonlyMap<HasherForm, HashRate> {
    return this.#rates
  }

  /** The form that would take this plan now. */
  choice(plan: HashPlan): HasherForm {
    return this.#order(plan, blocksOf(plan))[0]!
  }

  /** Measures every form that there is, one after another; starts threads and compiles what they need. */
  async measure(): Promise<void> {
    for (const form of ['thread', 'threads', 'device'] as const) await this.#measure(form)
  }

  close(): void {
    this.#isClosed = true
    this.#threads.close()
    this.#onDevice?.hasher.close()
    this.#onDevice = undefined
  }

  /** The forms for a plan, the one to use first; this thread is always among them. */
  #order(plan: HashPlan, blocks: number): readonly HasherForm[] {
    const { mode = 'auto' } = this.#terms
    const forms: HasherForm[] = []
    const usesDevice = mode === 'device' || (mode === 'auto' && this.#rates.has('device'))
    if (usesDevice && this.#deviceNow()?.hasher.fits(plan) === true) forms.push('device')
    const pays = mode === 'threads' || blocks * this.#rates.get('thread')!.blockUs >= THREADS_PAY_US
    if (this.#rates.has('threads') && mode !== 'thread' && pays) forms.push('threads')
    forms.push('thread')
    if (mode !== 'auto') return forms
    const costs = new Map(forms.map((form) => [form, rateCost(this.#rates.get(form)!, plan, blocks)]))
    return forms.sort((a, b) => costs.get(a)! - costs.get(b)!)
  }

  #hasherOf(form: HasherForm): NodeHasher {
    if (form === 'device') return this.#onDevice!.hasher
    return form === 'threads' ? this.#threads : SERIAL_HASHER
  }

  /** What plans take counts as much as what was known before. */
  #note(form: HasherForm, plan: HashPlan, blocks: number, us: number): void {
    const known = this.#rates.get(form)
    if (known === undefined || blocks < LEAST_NOTED_BLOCKS) return
    const restUs = us - rateCost({ ...known, blockUs: 0 }, plan, blocks)
    this.#rates.set(form, { ...known, blockUs: (known.blockUs + Math.max(0, restUs) / blocks) / 2 })
  }

  /** The device that there is, unless it has failed. */
  #deviceNow(): OnDevice | undefined {
    const { deviceForm = createDeviceHasher } = this.#terms
    const device = this.#terms.device?.()
    if (this.#onDevice !== undefined && this.#onDevice.device !== device) {
      this.#onDevice.hasher.close()
      this.#onDevice = undefined
      this.#rates.delete('device')
    }
    if (device === undefined || device.isLost || this.#isClosed) return undefined
    this.#onDevice ??= { device, hasher: deviceForm(device), isRefused: false }
    return this.#onDevice.isRefused ? undefined : this.#onDevice
  }

  /** Compiles and measures the device's kernel once it may pay; other forms carry meanwhile. */
  #tryDevice(): void {
    const { mode = 'auto' } = this.#terms
    if (mode !== 'auto' || this.#trying !== undefined || this.#rates.has('device')) return
    const found = this.#deviceNow()
    // SwiftShader is slower than WebAssembly on the same cores.
    if (found === undefined || found.device.kind === 'swiftshader') return
    if (this.#blocks < DEVICE_PAYS_BLOCKS[found.device.software ? 'software' : 'hardware']) return
    this.#trying = this.#measure('device').finally(() => {
      this.#trying = undefined
    })
  }

  async #measure(form: HasherForm): Promise<void> {
    const measured = form === 'device' ? this.#deviceNow() : undefined
    if (form === 'device' ? measured === undefined : !this.#rates.has(form)) return
    try {
      const rate = await measureHasher(measured?.hasher ?? this.#hasherOf(form))
      if (form !== 'device' || this.#onDevice === measured) this.#rates.set(form, rate)
    } catch (thrown) {
      this.#refuse(form, thrown)
    }
  }

  #refuse(form: HasherForm, thrown: unknown): void {
    if (this.#isClosed) return
    this.#faults.push(`hashing (${form}): ${faultText(thrown)}`)
    if (form !== 'device' || this.#onDevice === undefined) return
    this.#onDevice.isRefused = true
    this.#rates.delete('device')
  }
}

/** Permutations that the messages of a plan take. */
const blocksOf = ({ count, lengths }: HashPlan): number => {
  let blocks = count
  for (let m = 0; m < count; m++) blocks += Math.floor(lengths[m]! / KECCAK_RATE_BYTES)
  return blocks
}
