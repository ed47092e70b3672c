import { secp256k1 } from '@noble/curves/secp256k1.js'
import { afterAll, expect, it } from 'vitest'
import { NO_SIGNATURE } from '../../host/chain/signatures.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { decorated } from '../../host/device/decorated.ts'
import { createDeviceRecovery, type DeviceRecovery } from '../../host/senders/device_recovery.ts'
import { EDGE_WORDS, randomWords } from '../fixtures/edge_words.ts'
import { expectedSenders, signatureFrom, signatureOf, signaturePoint } from '../fixtures/signature_points.ts'
import { ORDER, type SignatureRow, signaturesOf } from '../fixtures/signature_rows.ts'
import { describeOnAdapters } from '../kernel/rig.ts'

const SEED = 30
const { Fn, Fp } = secp256k1.Point
/** lambda (x, y) = (beta x, y). */
const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n

describeOnAdapters('sender recovery', (rig, adapter) => {
  let made: DeviceRecovery | undefined
  const recovery = (): DeviceRecovery => {
    made ??= createDeviceRecovery(rig.device)
    return made
  }
  afterAll(() => made?.close())

  /** Recovers the rows and compares each with the native package; how many were exceptional on the device. */
  const check = async (rows: readonly SignatureRow[]): Promise<number> => {
    const signatures = signaturesOf(rows)
    const before = recovery().exceptional
    const { addresses, found } = await recovery().recover(signatures)
    const expected = expectedSenders(signatures)
    expect(found).toEqual(expected.found)
    expect(addresses).toEqual(expected.addresses)
    return recovery().exceptional - before
  }

  it('recovers random signatures, half of which have no point', async () => {
    const words = randomWords(SEED, adapter === 'swiftshader' ? 900 : 9000)
    const rows: SignatureRow[] = []
    for (let i = 0; i + 2 < words.length; i += 3) {
      rows.push({
        name: 'random',
        z: words[i]!,
        r: words[(i + 1) % words.length]! % ORDER,
        s: words[i + 2]! % ORDER,
        parity: i & 1,
      })
    }
    expect(await check(rows)).toBe(0)
  })

  it('takes every r and s from 1 to n - 1, and every hash', async () => {
    const good = signatureOf(11n, 5n, 7n)
    const around = [0n, 1n, 2n, ORDER >> 1n, (ORDER >> 1n) + 1n, ORDER - 1n, ORDER, ORDER + 1n, Fp.ORDER]
    const edges = [...around, ...EDGE_WORDS]
    const rows = edges.flatMap((edge) => [
      { ...good, r: edge },
      { ...good, r: edge, parity: 1 - good.parity },
      { ...good, s: edge },
      { ...good, z: edge },
      { ...good, r: edge, s: edge, z: edge },
      { ...good, parity: 1 - good.parity },
    ])
    await check(rows)
  })

  it('passes over rows without a signature, wherever they stand', async () => {
    const good = signatureOf(3n, 4n, 5n)
    for (const count of [1, 2, 63, 64, 65, 131]) {
      const rows = Array.from({ length: count }, (_, i) => (i % 3 === 1 ? { ...good, parity: NO_SIGNATURE } : good))
      expect(await check(rows)).toBe(0)
    }
    expect(await recovery().recover(signaturesOf([]))).toEqual({
      addresses: new Uint32Array(0),
      found: new Uint8Array(0),
    })
  })

  it('leaves exact what a zero in its lane of an inversion could spoil', async () => {
    const good = signatureOf(3n, 4n, 5n)
    // Rows 0, 64, 128, .. are inverted together: r = 0 and r = n have no inverse, and Z = 0 is not one's.
    const bad = [{ ...good, r: 0n }, { ...good, r: ORDER }, signatureOf(9n, Fn.create(-63n), 7n)]
    const rows = Array.from({ length: 64 * 6 }, (_, i) => (i % 64 < 3 && i > 128 && i < 192 ? bad[i % 64]! : good))
    expect(await check(rows)).toBe(1)
  })

  it('has no public key where u1 G + u2 R is infinity', async () => {
    const rows = [1n, 2n, 7n, 0xffffn, LAMBDA, ORDER - 1n].map((k) =>
      signatureOf(k, Fn.create(-k * 1234567n), 1234567n),
    )
    expect(await check(rows)).toBe(rows.length)
    expect(expectedSenders(signaturesOf(rows)).found).toEqual(new Uint8Array(rows.length))
  })

  it('sends equal and opposite points in the additions of the comb to the host', async () => {
    // The comb adds the digits of u1 from the lowest one on, to u2 R = v G: an addition is exceptional where v and the
    // digits before it are the digit, or its opposite.
    const rows: SignatureRow[] = []
    for (const u1 of [...randomWords(SEED, 12).map((word) => word % ORDER), 0n, 1n, 2n, 255n, 256n, ORDER - 1n]) {
      const digits = combDigits(u1)
      let before = 0n
      digits.forEach((digit, window) => {
        if (window < 3 || window % 10 === 9 || window > 29) {
          for (const sign of [1n, -1n]) {
            const v = Fn.create(sign * digit - before)
            const k = 5n + BigInt(window)
            if (v !== 0n) rows.push(signatureOf(k, u1, Fn.div(v, k)))
          }
        }
        before += digit
      })
    }
    expect(rows.length).toBeGreaterThan(200)
    expect(await check(rows)).toBe(rows.length)
  })

  it('sends equal and opposite points in the additions of the halves of u2 to the host', async () => {
    // k1 R + k2 lambda R by digits: the last two additions are exceptional where u2 is twice a digit of its own.
    const near: SignatureRow[] = []
    for (let a = -30n; a <= 30n; a++) {
      for (let b = -30n; b <= 30n; b++) {
        const u2 = Fn.create(a + b * LAMBDA)
        if (u2 !== 0n) near.push(signatureFrom(FIXED, 77n, u2))
      }
    }
    const isIt = ({ s, r }: SignatureRow): boolean => isExceptional(Fn.div(s, r))
    // SwiftShader is slow: those, and a few of the others.
    const rows = adapter === 'swiftshader' ? near.filter((row, n) => n % 8 === 0 || isIt(row)) : near
    const exceptional = rows.filter(isIt).length
    expect(exceptional).toBeGreaterThan(0)
    expect(await check(rows)).toBe(exceptional)
  })

  it('recovers where R is a small multiple of G or lambda G', async () => {
    const multiples = [1n, 2n, 3n, 4n, 8n, 15n, 16n, 255n, 256n, ORDER >> 1n, LAMBDA, (LAMBDA * LAMBDA) % ORDER]
    const rows: SignatureRow[] = []
    for (const multiple of multiples) {
      for (const k of [multiple, ORDER - multiple]) {
        for (const u1 of [0n, 1n, 2n, 15n, 256n, ORDER - 1n, ORDER - multiple]) {
          for (const u2 of [1n, 2n, 16n, ORDER - 1n, LAMBDA]) rows.push(signatureOf(k, u1, u2))
        }
      }
    }
    await check(rows)
  })

  it('gives the same over many chunks and submissions', async () => {
    if (adapter === 'swiftshader') return
    const rows = Array.from({ length: 40 }, (_, i) => signatureOf(BigInt(i + 2), BigInt(1000 + i), BigInt(7 * i + 1)))
    const few = signaturesOf(rows)
    const expected = expectedSenders(few)
    const count = 8192 + 8192 + 77
    const repeat = (bytes: Uint8Array, size: number): Uint8Array => {
      const all = new Uint8Array(size * count)
      for (let i = 0; i < count; i++) all.set(bytes.subarray(size * (i % 40), size * ((i % 40) + 1)), size * i)
      return all
    }
    const { addresses, found } = await recovery().recover({
      hash: repeat(few.hash, 32),
      rs: repeat(few.rs, 64),
      parity: repeat(few.parity, 1),
    })
    for (let i = 0; i < count; i++) {
      if (found[i] !== 1) throw new Error(`row ${i} is not found`)
      for (let limb = 0; limb < 5; limb++) {
        if (addresses[5 * i + limb] !== expected.addresses[5 * (i % 40) + limb]) throw new Error(`row ${i} differs`)
      }
    }
  })

  it('ends between submissions with its stop, and does not mind the next time', async () => {
    if (adapter === 'swiftshader') return
    const one = signaturesOf([signatureOf(3n, 4n, 5n)])
    const count = (rig.device.software ? 1 << 14 : 1 << 18) + 1
    const hash = new Uint8Array(32 * count)
    const signatures = { hash, rs: new Uint8Array(64 * count), parity: new Uint8Array(count) }
    const reason = new Error('not now')
    let runs = 0
    const run: ComputeDevice['run'] = (commands, options) => {
      runs++
      return rig.device.run(commands, options)
    }
    const counting = createDeviceRecovery(decorated(rig.device, { run }))
    const stop = {
      check() {
        if (runs > 0) throw reason
      },
    }
    await expect(counting.recover(signatures, stop)).rejects.toBe(reason)
    expect(runs).toBe(1)
    expect((await counting.recover(one)).found).toEqual(Uint8Array.of(1))
    counting.close()
  })

  it('leaves no buffer once it is closed, and recovers no more', async () => {
    const good = signaturesOf([signatureOf(3n, 4n, 5n)])
    const live = new Set<GPUBuffer>()
    const kept = (buffer: GPUBuffer): GPUBuffer => {
      const destroy = buffer.destroy.bind(buffer)
      buffer.destroy = () => {
        live.delete(buffer)
        destroy()
      }
      live.add(buffer)
      return buffer
    }
    let whenRun: () => void = () => {}
    const watched = decorated(rig.device, {
      storage: (...terms) => kept(rig.device.storage(...terms)),
      uniform: (...terms) => kept(rig.device.uniform(...terms)),
      run(commands, options) {
        whenRun()
        return rig.device.run(commands, options)
      },
    })
    const compiling = createDeviceRecovery(watched)
    const early = compiling.recover(good)
    compiling.close()
    await expect(early).rejects.toThrow('the recovery on the device is closed')
    expect(live.size).toBe(0)

    const open = createDeviceRecovery(watched)
    await open.recover(good)
    expect(live.size).toBeGreaterThan(0)
    const hasBegun = new Promise<void>((resolve) => {
      whenRun = resolve
    })
    const flying = open.recover(good)
    await hasBegun
    open.close()
    expect((await flying).found).toEqual(Uint8Array.of(1))
    expect(live.size).toBe(0)
    await expect(open.recover(good)).rejects.toThrow('the recovery on the device is closed')
    expect(live.size).toBe(0)
  })
})

const FIXED = signaturePoint(0x1234567890abcdefn)

/** The digits of u1 as the comb adds them, with their weights: those of the odd one of u1 and u1 - n, of n for 0. */
const combDigits = (u1: bigint): bigint[] => {
  const odd = u1 === 0n ? ORDER : (u1 & 1n) === 1n ? u1 : u1 - ORDER
  const shifted = (odd + (1n << 256n) - 1n) >> 1n
  return Array.from({ length: 32 }, (_, window) => {
    const digit = (shifted >> BigInt(8 * window)) & 255n
    return (2n * digit - 255n) << BigInt(8 * window)
  })
}

/** Rows (a, b) with a + b lambda = 0 modulo n, whose first ones are odd and even. */
const [A1, B1] = [0x3086d221a7d46bcde86c90e49284eb15n, -0xe4437ed6010e88286f547fa90abfe4c3n]
const [A2, B2] = [0x114ca50f7a8e2f3f657c1108d9d44cfd8n, A1]
const rounded = (x: bigint, y: bigint): bigint => (2n * x + y) / (2n * y)

/** Whether an addition of u2 R in windows of four bits from the highest one meets its own addend or the opposite. */
const isExceptional = (u2: bigint): boolean => {
  const [c1, c2] = [rounded(B2 * u2, ORDER), rounded(-B1 * u2, ORDER)]
  let halves = [u2 - c1 * A1 - c2 * A2, -c1 * B1 - c2 * B2] as const
  if ((halves[0] & 1n) === 0n) halves = [halves[0] + A1, halves[1] + B1]
  if ((halves[1] & 1n) === 0n) halves = [halves[0] + A2, halves[1] + B2]
  const shifted = halves.map((half) => (half + (1n << 132n) - 1n) >> 1n)
  let sum = 0n
  for (let i = 0; i < 66; i++) {
    const window = BigInt(32 - (i >> 1))
    if (i % 2 === 0) sum = Fn.create(16n * sum)
    const digit = 2n * ((shifted[i % 2]! >> (4n * window)) & 15n) - 15n
    const addend = Fn.create(i % 2 === 0 ? digit : digit * LAMBDA)
    if (i > 0 && (sum === addend || sum === ORDER - addend)) return true
    sum = Fn.create(sum + addend)
  }
  if (sum !== u2) throw new Error('the digits are not those of u2')
  return false
}
