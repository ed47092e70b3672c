import type { DeviceFaultReason } from '../device/fault.ts'

/** Reasons without words of their own. */
const PLAIN = [
  'create',
  'set code',
  'deposit',
  'access list',
  'gas limit above 2^32',
  'fork before spurious dragon',
  'precompile',
  'no path',
  'wave too small',
  'no device',
  'device lost',
  'out of device memory',
  'device error',
  'shader did not compile',
  'compiling',
  'miss',
  'conflict',
  'balance conflict',
  'code conflict',
  'own balance',
  'empty account',
  'unlisted read',
  'bundle',
  'lent balance',
  'halt or transfer to be told',
] as const satisfies readonly (DeviceFaultReason | string)[]

/**
 * Why a transaction was executed by the CPU tier: a closed set. `guard failed` and `not transpiled` carry what failed
 * in words; the number of different words is bounded by the paths of the executor. `refused` carries why a lane of the
 * lane VM left, an opcode mostly, `vm quota` the region of it that was full.
 */
export type ExitReason =
  | (typeof PLAIN)[number]
  | DeviceFaultReason
  | `guard failed: ${string}`
  | `refused: ${string}`
  | `vm quota: ${string}`
  | `not transpiled: ${string}`

/** Codes with words of their own, before they are given anew: an executor meets new paths as long as it lives. */
const MOST_CODES = 4096

/** Small numbers for reasons, so a batch keeps one per transaction. 0 = none. Plain reasons keep theirs for good. */
export class ExitReasons {
  #reasons: (ExitReason | '')[] = ['', ...PLAIN]
  #codes = new Map<ExitReason, number>(PLAIN.map((reason, n) => [reason, n + 1]))

  /** The codes so far, as they stay for a result that is read after later batches. */
  view(): ExitReasons {
    const view = new ExitReasons()
    view.#reasons = this.#reasons
    view.#codes = this.#codes
    return view
  }

  /** Between batches: forgets reasons with words of their own where there are too many. */
  trim(): void {
    if (this.#reasons.length <= MOST_CODES) return
    const plain = new ExitReasons()
    this.#reasons = plain.#reasons
    this.#codes = plain.#codes
  }

  code(reason: ExitReason): number {
    const known = this.#codes.get(reason)
    if (known !== undefined) return known
    const code = this.#reasons.length
    this.#reasons.push(reason)
    this.#codes.set(reason, code)
    return code
  }

  /** Empty for 0. */
  text(code: number): string {
    return this.#reasons[code] ?? ''
  }

  count(codes: Uint16Array): Record<string, number> {
    const counts = new Uint32Array(this.#reasons.length)
    for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++
    const byReason: Record<string, number> = {}
    for (let code = 1; code < counts.length; code++)
      if (counts[code]! > 0) byReason[this.#reasons[code]!] = counts[code]!
    return byReason
  }
}
