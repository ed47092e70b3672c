import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'

export type Mcl = typeof import('mcl-wasm')

const require = createRequire(import.meta.url)

/**
 * A copy of mcl-wasm of its own: the package keeps one curve in its module, and whoever
 * initialises it anew changes it for all others.
 */
const ownCopy = (): Mcl => {
  const entry = require.resolve('mcl-wasm')
  const folder = dirname(entry) + sep
  const takeFiles = (): [string, NodeJS.Module][] => {
    const files = Object.entries(require.cache).filter(([file]) => file.startsWith(folder)) as [string, NodeJS.Module][]
    for (const [file] of files) delete require.cache[file]
    return files
  }
  const others = takeFiles()
  try {
    return require(entry) as Mcl
  } finally {
    takeFiles()
    for (const [file, module] of others) require.cache[file] = module
  }
}

/** A pairing-friendly curve in WebAssembly, which takes some 40 ms to compile when it is first asked for. */
export class Curve {
  readonly #name: 'BN_SNARK1' | 'BLS12_381'
  readonly #prepare: (mcl: Mcl) => void
  #loading: Promise<void> | undefined
  #mcl: Mcl | undefined
  #isTried = false

  /** `prepare`: once, when it is compiled. */
  constructor(name: 'BN_SNARK1' | 'BLS12_381', prepare: (mcl: Mcl) => void = () => {}) {
    this.#name = name
    this.#prepare = prepare
  }

  /** Undefined before `load` has ended, and where this machine cannot compile it. */
  get mcl(): Mcl | undefined {
    return this.#mcl
  }

  /** What is there by now; has it compiled, for the calls after this one. */
  use(): Mcl | undefined {
    if (this.#loading === undefined) void this.load()
    return this.#mcl
  }

  /** Whether waiting for `load` would change nothing. */
  get isTried(): boolean {
    return this.#isTried
  }

  /** Never fails: without it, the reference's own arithmetic does. */
  load(): Promise<void> {
    this.#loading ??= this.#compile().catch(() => {})
    return this.#loading
  }

  async #compile(): Promise<void> {
    try {
      const mcl = ownCopy()
      await mcl.init(mcl[this.#name])
      this.#prepare(mcl)
      this.#mcl = mcl
    } finally {
      this.#isTried = true
    }
  }
}

/** Orders of the fields of bn254, coordinates and scalars (EIP-196). */
export const BN254_COORDINATES = Buffer.from('30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47', 'hex')
export const BN254_SCALARS = Buffer.from('30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001', 'hex')

/** Of precompiles 6 to 8 (EIP-196, EIP-197), and of 5 where its modulus is one of these orders. */
export const bn254Curve = new Curve('BN_SNARK1', (mcl) => mcl.verifyOrderG2(true))
