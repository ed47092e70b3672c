import { KECCAK_RATE_BYTES } from '../../transpiler/layout/word.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { faultText } from '../device/fault.ts'
import type { HashPlan, NodeHasher } from '../primitives/hash_plan.ts'
import { SERIAL_HASHER } from '../primitives/keccak_many.ts'
import { ThreadsHasher } from '../primitives/threads_hasher.ts'
import type { ListedHasher, ListedNodes } from '../state/trie/listed_nodes.ts'
import { TrieThreads } from '../state/trie/trie_threads.ts'
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
/** Before it is measured: what writing the nodes of a trie takes, in microseconds for each block. */
const WRITE_US = 0.25
/** Stretches of the nodes of a state that are worth sharing, and levels of their plan. */
const LISTED_LEVELS = 16
/** Threads start for a plan that would keep this one busy for so long. */
const THREADS_PAY_US = 3_000
/**
 * A kernel is compiled once so many blocks have come: on a software device that takes three seconds, once for a
 * machine.
 */
const DEVICE_PAYS_BLOCKS = { hardware: 1 << 14, software: 1 << 20 } as const
/** A plan of so many blocks says what its form takes. */
const LEAST_NOTED_BLOCKS = 4096
/** Part of a plan's time that this thread spends on it where it does nothing else. */
const MOSTLY = 0.9

interface OnDevice {
  readonly device: ComputeDevice
  readonly hasher: DeviceHasher
  isRefused: boolean
}

/**
 * The forms of hashing of one executor, and which one takes what (docs/decisions/0034-hashing-in-bulk.md). A form that
 * fails hands its plan to the next one; what went wrong is kept for `takeFaults`.
 */
export class Hashers implements ListedHasher {
  readonly name = 'auto'
  readonly #terms: HashersTerms
  readonly #threads: ThreadsHasher
  readonly #trieThreads: TrieThreads
  readonly #rates = new Map<HasherForm, HashRate>([['thread', THREAD_RATE]])
  /** Microseconds for a block of listed nodes, where they are known. */
  readonly #listedUs = new Map<HasherForm, number>()
  readonly #faults: string[] = []
  #blocks = 0
  #onDevice: OnDevice | undefined
  #trying: Promise<void> | undefined
  #isClosed = false

  constructor(terms: HashersTerms = {}) {
    this.#terms = terms
    const options = terms.workers === undefined ? {} : { workers: terms.workers }
    this.#threads = new ThreadsHasher(options)
    this.#trieThreads = new TrieThreads(options)
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
        const elapsedMs = performance.now() - startedMs
        // Where threads hashed while this one did something else, neither time is what the plan takes.
        const isAlone = form !== 'threads' || this.#threads.spentMs(plan)! >= MOSTLY * elapsedMs
        if (isAlone) this.#note(form, plan, blocks, 1000 * elapsedMs)
        return digests
      } catch (thrown) {
        if (form === 'thread') throw thrown
        this.#refuse(form, thrown)
      }
    }
    throw new Error('this thread hashes whatever no other form does')
  }

  async hashListed(nodes: ListedNodes): Promise<void> {
    const { blocks } = nodes
    this.#blocks += blocks
    this.#tryDevice()
    const form = this.listedChoice(blocks)
    const startedMs = performance.now()
    if (form === 'device') await nodes.byPlan(this)
    else nodes.inPlace(form === 'threads' ? this.#trieThreads : undefined)
    if (blocks < LEAST_NOTED_BLOCKS) return
    const us = (1000 * (performance.now() - startedMs)) / blocks
    this.#listedUs.set(form, (us + (this.#listedUs.get(form) ?? us)) / 2)
  }

  /** What went wrong since it was last taken. */
  takeFaults(): readonly string[] {
    return [...this.#faults.splice(0), ...this.#threads.faults.splice(0), ...this.#trieThreads.faults.splice(0)]
  }

  /** What is known of the forms now. */
  get rates(): ReadonlyMap<HasherForm, HashRate> {
    return this.#rates
  }

  /** The form that would take this plan now. */
  choice(plan: HashPlan): HasherForm {
    return this.#order(plan, blocksOf(plan))[0]!
  }

  /** The form that would take so many blocks of listed nodes now: a device takes them as a plan. */
  listedChoice(blocks: number): HasherForm {
    const { mode = 'auto' } = this.#terms
    const forms = this.#forms(blocks, () => true)
    if (mode !== 'auto') return forms[0]!
    const costs = new Map(forms.map((form) => [form, this.#listedCost(form, blocks)]))
    return [...forms].sort((a, b) => costs.get(a)! - costs.get(b)!)[0]!
  }

  #listedCost(form: HasherForm, blocks: number): number {
    const known = this.#listedUs.get(form)
    const { planUs, levelUs, blockUs } = this.#rates.get(form)!
    const writeUs = form === 'threads' ? WRITE_US / this.#trieThreads.threads : WRITE_US
    return planUs + LISTED_LEVELS * levelUs + blocks * (known ?? writeUs + blockUs)
  }

  /** Measures every form that there is, one after another; starts threads and compiles what they need. */
  async measure(): Promise<void> {
    for (const form of ['thread', 'threads', 'device'] as const) await this.#measure(form)
  }

  close(): void {
    this.#isClosed = true
    this.#threads.close()
    this.#trieThreads.close()
    this.#onDevice?.hasher.close()
    this.#onDevice = undefined
  }

  /** The forms for a plan, the one to use first; this thread is always among them. */
  #order(plan: HashPlan, blocks: number): readonly HasherForm[] {
    const { mode = 'auto' } = this.#terms
    const forms = this.#forms(blocks, (hasher) => hasher.fits(plan))
    if (mode !== 'auto') return forms
    const costs = new Map(forms.map((form) => [form, rateCost(this.#rates.get(form)!, plan, blocks)]))
    return forms.sort((a, b) => costs.get(a)! - costs.get(b)!)
  }

  /** The forms that there are for so many blocks, in the order of `mode`. */
  #forms(blocks: number, fits: (hasher: DeviceHasher) => boolean): HasherForm[] {
    const { mode = 'auto' } = this.#terms
    const forms: HasherForm[] = []
    const usesDevice = mode === 'device' || (mode === 'auto' && this.#rates.has('device'))
    const device = usesDevice ? this.#deviceNow() : undefined
    if (device !== undefined && fits(device.hasher)) forms.push('device')
    const pays = mode === 'threads' || blocks * this.#rates.get('thread')!.blockUs >= THREADS_PAY_US
    if (this.#rates.has('threads') && mode !== 'thread' && pays) forms.push('threads')
    forms.push('thread')
    return forms
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
      this.#listedUs.delete('device')
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
