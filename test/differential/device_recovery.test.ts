import { secp256k1 } from '@noble/curves/secp256k1.js'
import { afterAll, expect, it } from 'vitest'
import { createDeviceRecovery, type DeviceRecovery } from '../../host/senders/device_recovery.ts'
import { EDGE_WORDS, randomWords } from '../fixtures/edge_words.ts'
import {
  expectedSenders,
  ORDER,
  type SignatureRow,
  signatureColumns,
  signatureOf,
} from '../fixtures/signature_columns.ts'
import { describeOnAdapters } from '../kernel/rig.ts'

const SEED = 30
const { Fp } = secp256k1.Point

describeOnAdapters('sender recovery', (rig, adapter) => {
  let made: DeviceRecovery | undefined
  const recovery = (): DeviceRecovery => {
    made ??= createDeviceRecovery(rig.device)
    return made
  }
  afterAll(() => made?.close())

  /** Recovers the rows and compares each with the native package; how many were exceptional on the device. */
  const check = async (rows: readonly SignatureRow[]): Promise<number> => {
    const signatures = signatureColumns(rows)
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
      rows.push({ z: words[i]!, r: words[(i + 1) % words.length]! % ORDER, s: words[i + 2]! % ORDER, parity: i & 1 })
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
})
