const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * What the transactions of a batch leave of the block's gas limit, exact at any width. The sum is a double while it is
 * below 2^53: a transaction whose gas limit as a double fulfils `used + gasLimit <= sure` fits, and any other one asks
 * `fits`.
 */
export class BlockGas {
  /** Gas used since the last carry, below 2^53; the holder adds to it. */
  used = 0
  /** Sums up to here are exact, and within what is left. */
  sure: number
  /** The limit less what was carried out of `used`. */
  #left: bigint

  constructor(limit: bigint) {
    this.#left = limit
    this.sure = sureOf(limit)
  }

  /** Whether a transaction that may use `gasLimit` fits. `used` then begins at zero again, so its gas can be added. */
  fits(gasLimit: bigint): boolean {
    const left = this.#left - BigInt(this.used)
    if (gasLimit > left) return false
    this.#carry(left)
    return true
  }

  /** Adds gas of any width. */
  add(gas: bigint): void {
    const sum = BigInt(this.used) + gas
    if (sum <= MOST_EXACT) this.used = Number(sum)
    else this.#carry(this.#left - sum)
  }

  #carry(left: bigint): void {
    this.#left = left
    this.sure = sureOf(left)
    this.used = 0
  }
}

const sureOf = (left: bigint): number => Number(left < MOST_EXACT ? left : MOST_EXACT)
