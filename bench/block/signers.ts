import { createRequire } from 'node:module'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak256 } from '../../host/primitives/keccak.ts'
import { addressOfPublicKey } from '../../host/primitives/secp256k1.ts'
import { addressFromBytes } from '../../host/primitives/word.ts'
import { createAddresses } from '../workloads/genesis.ts'
import type { MakePeople } from '../workloads/workload.ts'

/** A signature of 64 bytes, r and s, and the parity of its point. */
export interface Signed {
  readonly signature: Uint8Array
  readonly recid: number
}

/** What keys are used for. RFC 6979: the same key and hash give the same signature. */
export interface Curve {
  /** 65 bytes, the first of them 4. */
  publicKey(privateKey: Uint8Array): Uint8Array
  sign(hash: Uint8Array, privateKey: Uint8Array): Signed
}

interface NativeCurve {
  publicKeyCreate(privateKey: Uint8Array, compressed: boolean): Uint8Array
  ecdsaSign(hash: Uint8Array, privateKey: Uint8Array): Signed
}

/** The optional package `secp256k1`, about 30 us a call; undefined where the platform has no binding. */
export const nativeCurve = (): Curve | undefined => {
  try {
    const binding = createRequire(import.meta.url)('secp256k1/bindings.js') as NativeCurve
    return {
      publicKey: (privateKey) => binding.publicKeyCreate(privateKey, false),
      sign: (hash, privateKey) => binding.ecdsaSign(hash, privateKey),
    }
  } catch {
    return undefined
  }
}

/** The same in JavaScript. */
export const nobleCurve: Curve = {
  publicKey: (privateKey) => secp256k1.getPublicKey(privateKey, false),
  sign: (hash, privateKey) => {
    const signed = secp256k1.sign(hash, privateKey, { prehash: false, format: 'recovered' })
    return { signature: signed.subarray(1), recid: signed[0]! }
  },
}

/** People of a workload whose private keys follow from the seed: key n is keccak-256 of the seed and n. */
export class Signers {
  readonly #curve: Curve
  readonly #seed: number
  readonly #keys: Uint8Array[] = []
  /** Key numbers by address, its limbs joined. */
  readonly #byAddress = new Map<string, number>()

  constructor(seed: number, curve: Curve = nativeCurve() ?? nobleCurve) {
    this.#seed = seed
    this.#curve = curve
  }

  /** Draws as `strangers` does, so that the rest of a workload stays what it is; senders then get addresses of keys. */
  readonly people: MakePeople = (count, senders, random) => {
    const addresses = createAddresses(count, random)
    for (let i = 0; i < senders; i++) {
      const key = this.#newKey()
      const publicKey = this.#curve.publicKey(this.#keys[key]!)
      addressFromBytes(addresses, 5 * i, addressOfPublicKey(publicKey.subarray(1)), 0)
      this.#byAddress.set(nameOf(addresses, 5 * i), key)
    }
    return addresses
  }

  sign(hash: Uint8Array, addresses: Uint32Array, at: number): Signed {
    const key = this.#byAddress.get(nameOf(addresses, at))
    if (key === undefined) throw new RangeError('a sender of the workload has no key')
    return this.#curve.sign(hash, this.#keys[key]!)
  }

  #newKey(): number {
    const preimage = new Uint8Array(12)
    const view = new DataView(preimage.buffer)
    view.setUint32(0, this.#seed)
    view.setUint32(8, this.#keys.length)
    return this.#keys.push(keccak256(preimage)) - 1
  }
}

const nameOf = (addresses: Uint32Array, at: number): string =>
  `${addresses[at]},${addresses[at + 1]},${addresses[at + 2]},${addresses[at + 3]},${addresses[at + 4]}`
