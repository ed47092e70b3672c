import { LIMBS_PER_ADDRESS } from '../../transpiler/layout/word.ts'
import type { Signatures } from '../chain/signatures.ts'
import type { ComputeDevice } from '../device/compute_device.ts'
import { faultText } from '../device/fault.ts'
import { hasNativeRecovery } from '../primitives/secp256k1.ts'
import { measureRecovery, type RecoveryRate, WORKERS_FIXED_US } from './measure.ts'
import { emptySenders, identified, selectSignatures } from './rows.ts'
import { SenderCache } from './sender_cache.ts'
import type { RecoveredSenders, RecoveryStop, SenderRecovery } from './sender_recovery.ts'
import { ThreadRecovery } from './thread_recovery.ts'
import { WorkersRecovery } from './workers_recovery.ts'

type FormName = SenderRecovery['name']

/**
 * What recovers senders: `device`, kernels; `workers`, threads beside this one; `thread`, this one alone. `auto`: the
 * one that takes least for so many signatures, by what was measured. The results are the same.
 *
 * Example: {@link ExecutorOptions}.
 */
export type SendersMode = 'auto' | 'device' | 'workers' | 'thread'

export interface SendersTerms {
  readonly mode?: SendersMode | undefined
  /** Threads besides this one. */
  readonly workers?: number | undefined
  /** Absent: one of its own. False: none. */
  readonly cache?: SenderCache | false | undefined
  /** The device that there is now. */
  readonly device?: () => ComputeDevice | undefined
  /** Recovery on a device; absent where none compiles. */
  readonly deviceForm?: ((device: ComputeDevice) => SenderRecovery) | undefined
  /** The call in which kernels begin to pay waits for them, so the same calls run the same way each time. */
  readonly waits?: boolean
}

/** What threads take, on a core of 2.5 GHz, before they are measured. */
const BUILT_IN_ROW_US = hasNativeRecovery ? 75 : 900
/** Rows for which `choices` asks at most. */
const MOST_ASKED = 2 ** 18
/** Threads start for signatures that would keep this one busy for so long. */
const THREADS_PAY_US = 50_000
/** From so many rows on a call says what its form takes. */
const LEAST_MEASURED: Readonly<Record<FormName, number>> = { thread: 16, workers: 256, device: 1024 }
/**
 * Kernels compile once so many rows have come: on a software device that is some 30 s of CPU, once for a machine, which
 * pays only for a process that goes on.
 */
const DEVICE_PAYS_ROWS = { hardware: 4096, software: 65_536 } as const

/**
 * The forms of recovery of one executor, and which one takes what (docs/decisions/0031-who-recovers-senders.md). A form
 * that fails hands its rows to the next one; what went wrong is kept for `takeFaults`.
 */
export class Senders {
  readonly cache: SenderCache | undefined
  readonly #terms: SendersTerms
  readonly #mode: SendersMode
  readonly #thread = new ThreadRecovery()
  readonly #workers: WorkersRecovery
  readonly #rates = new Map<FormName, RecoveryRate>()
  readonly #faults: string[] = []
  #rows = 0
  #threadsPay = false
  #deviceForm: { readonly device: ComputeDevice; readonly recovery: SenderRecovery; isRefused: boolean } | undefined
  #isTrying = false
  /** That there is no device to recover on has been said. */
  #isTold = false
  #isClosed = false

  constructor(terms: SendersTerms = {}) {
    this.#terms = terms
    this.#mode = terms.mode ?? 'auto'
    this.#workers = new WorkersRecovery(terms.workers === undefined ? {} : { workers: terms.workers })
    this.cache = terms.cache === false ? undefined : (terms.cache ?? new SenderCache())
    const { threads } = this.#workers
    this.#rates.set('thread', { fixedUs: 0, rowUs: BUILT_IN_ROW_US })
    this.#rates.set('workers', { fixedUs: WORKERS_FIXED_US, rowUs: BUILT_IN_ROW_US / threads })
  }

  /** Senders by row: those of the cache, and the others from their signatures. Rejects with what `stop` throws. */
  async recover(signatures: Signatures, stop?: RecoveryStop): Promise<RecoveredSenders> {
    stop?.check()
    const count = signatures.parity.length
    const senders = emptySenders(count)
    if (count === 0) return senders
    const { cache } = this
    if (cache === undefined) return this.#recoverRows(hashedNow(signatures), stop)
    const named = identified(signatures)
    const missing = cache.find(named, senders)
    if (missing.length === 0) return senders
    const isAll = missing.length === count
    const asked = isAll ? { ...hashedNow(named), identity: named.identity } : selectSignatures(named, missing)
    const recovered = await this.#recoverRows(asked, stop)
    cache.enter(asked, recovered)
    if (isAll) return recovered
    for (let n = 0; n < missing.length; n++) {
      const i = missing[n]!
      senders.found[i] = recovered.found[n]!
      for (let limb = 0; limb < LIMBS_PER_ADDRESS; limb++)
        senders.addresses[LIMBS_PER_ADDRESS * i + limb] = recovered.addresses[LIMBS_PER_ADDRESS * n + limb]!
    }
    return senders
  }

  /** What went wrong since it was last taken. */
  takeFaults(): readonly string[] {
    return [...this.#faults.splice(0), ...this.#workers.faults.splice(0)]
  }

  /** Whether a device would recover, if there were one. */
  get mayUseDevice(): boolean {
    return (this.#mode === 'auto' || this.#mode === 'device') && this.#terms.deviceForm !== undefined
  }

  /** What is known of the forms now. */
  get rates(): ReadonlyMap<FormName, RecoveryRate> {
    return this.#rates
  }

  /** The form that would take so many rows now. */
  choice(rows: number): FormName {
    return this.#order(rows)[0]!.name
  }

  /** From how many rows on which form takes them. */
  choices(): readonly { readonly from: number; readonly form: FormName }[] {
    const found: { readonly from: number; readonly form: FormName }[] = []
    for (let from = 1; from <= MOST_ASKED; from *= 2) {
      const form = this.choice(from)
      if (found.at(-1)?.form !== form) found.push({ from, form })
    }
    return found
  }

  /** Measures every form that there is, one after another. */
  async measure(): Promise<void> {
    const { threads } = this.#workers
    const device = this.#onDevice()?.recovery
    for (const form of [
      this.#thread,
      ...(threads > 1 ? [this.#workers] : []),
      ...(device === undefined ? [] : [device]),
    ])
      await this.#measure(form)
    this.#threadsPay = threads > 1
  }

  close(): void {
    this.#isClosed = true
    this.#workers.close()
    this.#deviceForm?.recovery.close()
    this.#deviceForm = undefined
  }

  async #recoverRows(signatures: Signatures, stop: RecoveryStop | undefined): Promise<RecoveredSenders> {
    const rows = signatures.parity.length
    this.#rows += rows
    if (rows * this.#rates.get('thread')!.rowUs >= THREADS_PAY_US) this.#threadsPay = true
    if (this.#terms.waits === true) await this.#tryDevice()
    else void this.#tryDevice()
    if (this.#mode === 'device') this.#tellNoDevice()
    for (const form of this.#order(rows)) {
      stop?.check()
      const startedMs = performance.now()
      let senders: RecoveredSenders
      try {
        senders = await form.recover(signatures, stop)
      } catch (thrown) {
        stop?.check()
        if (form.name === 'thread') throw thrown
        this.#refuse(form, thrown)
        continue
      }
      this.#note(form.name, rows, 1000 * (performance.now() - startedMs))
      stop?.check()
      return senders
    }
    throw new Error('this thread recovers whatever no other form does')
  }

  /** The forms, the one to use first; this thread is always among them. */
  #order(rows: number): readonly SenderRecovery[] {
    const mode = this.#mode
    const device = this.#onDevice()?.recovery
    const forms: SenderRecovery[] = []
    const isDevice = mode === 'device' || (mode === 'auto' && this.#rates.has('device'))
    if (device !== undefined && isDevice) forms.push(device)
    if (mode === 'workers' || (this.#threadsPay && this.#workers.threads > 1 && mode !== 'thread'))
      forms.push(this.#workers)
    forms.push(this.#thread)
    if (mode !== 'auto') return forms
    const costOf = ({ name }: SenderRecovery): number => {
      const { fixedUs, rowUs } = this.#rates.get(name)!
      return fixedUs + rows * rowUs
    }
    return forms.sort((a, b) => costOf(a) - costOf(b))
  }

  #note(name: FormName, rows: number, us: number): void {
    const known = this.#rates.get(name)
    if (known === undefined || rows < LEAST_MEASURED[name]) return
    const rowUs = Math.max(0, us - known.fixedUs) / rows
    this.#rates.set(name, { fixedUs: known.fixedUs, rowUs: (known.rowUs + rowUs) / 2 })
  }

  /** Once for as long as none is there; a device on which recovery failed was told of then. */
  #tellNoDevice(): void {
    const isThere = this.#onDevice() !== undefined
    if (!isThere && !this.#isTold && !this.#isClosed && this.#deviceForm?.isRefused !== true) {
      const why = this.#terms.deviceForm === undefined ? 'no kernel may compile' : 'there is no device that works'
      this.#faults.push(`senders (device): ${why}`)
    }
    this.#isTold = !isThere
  }

  /** The form of the device that there is, unless it has failed there. */
  #onDevice() {
    const device = this.#terms.device?.()
    const { deviceForm } = this.#terms
    if (this.#deviceForm !== undefined && this.#deviceForm.device !== device) {
      this.#deviceForm.recovery.close()
      this.#deviceForm = undefined
      this.#rates.delete('device')
    }
    if (device === undefined || deviceForm === undefined || device.isLost || this.#isClosed) return undefined
    this.#deviceForm ??= { device, recovery: deviceForm(device), isRefused: false }
    return this.#deviceForm.isRefused ? undefined : this.#deviceForm
  }

  /** Compiles and measures the device's kernels; other forms carry meanwhile. */
  async #tryDevice(): Promise<void> {
    if (this.#mode !== 'auto' || this.#isTrying || this.#rates.has('device')) return
    const form = this.#onDevice()
    if (form === undefined || !mayPay(form.device)) return
    if (this.#rows < DEVICE_PAYS_ROWS[form.device.software ? 'software' : 'hardware']) return
    this.#isTrying = true
    await this.#measure(form.recovery)
    this.#isTrying = false
  }

  async #measure(form: SenderRecovery): Promise<void> {
    try {
      const measured = await measureRecovery(form)
      // This thread is one of the workers: with them it takes no longer than alone.
      const mostUs = form.name === 'workers' ? this.#rates.get('thread')!.rowUs : Infinity
      const rate = { ...measured, rowUs: Math.min(mostUs, measured.rowUs) }
      if (form.name !== 'device' || this.#deviceForm?.recovery === form) this.#rates.set(form.name, rate)
    } catch (thrown) {
      this.#refuse(form, thrown)
    }
  }

  #refuse(form: SenderRecovery, thrown: unknown): void {
    if (this.#isClosed) return
    this.#faults.push(`senders (${form.name}): ${faultText(thrown)}`)
    if (this.#deviceForm?.recovery !== form) return
    this.#deviceForm.isRefused = true
    this.#rates.delete('device')
  }
}

/** What was signed is hashed now, while the bytes of the transactions are what they are. */
const hashedNow = ({ hash, rs, parity }: Signatures): Signatures => ({ hash, rs, parity })

/**
 * SwiftShader takes two to four times as long as the native package on this thread, and compiles anew in each process
 * (docs/decisions/0031-who-recovers-senders.md): it recovers where it is told to.
 */
const mayPay = ({ kind }: ComputeDevice): boolean => kind !== 'swiftshader'
