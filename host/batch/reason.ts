import type { DeviceFaultReason } from '../device/fault.ts'

/**
 * Why a transaction was executed by the CPU tier: a closed set. `guard failed` and `not transpiled` carry what failed
 * in words; the number of different words is bounded by the paths of the executor. `refused` carries why a lane of the
 * lane VM left, an opcode mostly, `vm quota` the region of it that was full.
 */
export type ExitReason =
  | 'create'
  | 'set code'
  | 'deposit'
  | 'access list'
  | 'gas limit above 2^32'
  | 'fork before spurious dragon'
  | 'precompile'
  | 'no path'
  | 'wave too small'
  | 'no device'
  | DeviceFaultReason
  | 'shader did not compile'
  | 'compiling'
  | 'miss'
  | 'conflict'
  | 'balance conflict'
  | 'code conflict'
  | 'own balance'
  | 'empty account'
  | 'unlisted read'
  | 'bundle'
  | 'lent balance'
  | `guard failed: ${string}`
  | `refused: ${string}`
  | `vm quota: ${string}`
  | `not transpiled: ${string}`

/** Small numbers for reasons, so a batch keeps one per transaction. 0 = none. */
export class ExitReasons {
  readonly #reasons: (ExitReason | '')[] = ['']
  readonly #codes = new Map<ExitReason, number>()

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
