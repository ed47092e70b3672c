import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_SIGNATURE, type Signatures } from '../../host/chain/signatures.ts'
import type { ComputeDevice } from '../../host/device/compute_device.ts'
import { openDevice } from '../../host/device/device.ts'
import { recoverPublicKey, recoverPublicKeyByNoble } from '../../host/primitives/secp256k1.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { createDeviceRecovery } from '../../host/senders/device_recovery.ts'
import type { RecoveredSenders, SenderRecovery } from '../../host/senders/sender_recovery.ts'
import { ThreadRecovery } from '../../host/senders/thread_recovery.ts'
import { WorkersRecovery } from '../../host/senders/workers_recovery.ts'
import {
  edgeRows,
  ORDER,
  randomRows,
  type SignatureRow,
  signaturesOf,
  signerOfRow,
} from '../fixtures/signature_rows.ts'

/** Random rows on each form; WGEVM_RUNS asks for more. */
const RANDOM_ROWS = Number(process.env['WGEVM_RUNS'] ?? 200)
const SEED = Number(process.env['WGEVM_SEED'] ?? 1)

let device: ComputeDevice
beforeAll(async () => {
  device = await openDevice()
})
afterAll(() => device.destroy())

interface Form {
  readonly name: string
  open(): Promise<SenderRecovery>
}

const FORMS: readonly Form[] = [
  { name: 'thread', open: async () => new ThreadRecovery() },
  { name: 'thread, noble', open: async () => new ThreadRecovery('noble') },
  { name: 'workers', open: async () => new WorkersRecovery({ workers: 1 }) },
  { name: 'device', open: async () => createDeviceRecovery(device) },
]

const EDGES = edgeRows()
const EXPECTED = EDGES.map(signerOfRow)

const addressesOf = ({ addresses, found }: RecoveredSenders): (string | undefined)[] =>
  Array.from(found, (isFound, i) => (isFound === 1 ? addressToHex(addresses, 5 * i) : undefined))

const named = (rows: readonly SignatureRow[], addresses: readonly (string | undefined)[]): string[] =>
  rows.map(({ name }, i) => `${name}: ${addresses[i]}`)

describe.each(FORMS)('recovery of senders by $name', ({ open }) => {
  let recovery: SenderRecovery
  beforeAll(async () => {
    recovery = await open()
  })
  afterAll(() => recovery.close())

  test('gives what the definition gives for each kind of signature', async () => {
    const senders = await recovery.recover(signaturesOf(EDGES))
    expect(named(EDGES, addressesOf(senders))).toEqual(named(EDGES, EXPECTED))
    for (const [i, isFound] of senders.found.entries())
      if (isFound === 0) expect([...senders.addresses.subarray(5 * i, 5 * i + 5)]).toEqual([0, 0, 0, 0, 0])
  })

  test.each([0, 1, 63, 64, 65, 400])('gives %i rows in their order, and leaves what it was given', async (count) => {
    const rows = Array.from({ length: count }, (_, i) => EDGES[(i * 7) % EDGES.length]!)
    const signatures = signaturesOf(rows)
    const before = signaturesOf(rows)
    const senders = await recovery.recover(signatures)
    expect(senders.addresses.length).toBe(5 * count)
    expect(addressesOf(senders)).toEqual(rows.map((_, i) => EXPECTED[(i * 7) % EDGES.length]))
    expect(signatures).toEqual(before)
  })

  test('takes columns that are views of others', async () => {
    const { hash, rs, parity } = signaturesOf(EDGES)
    const shifted = (bytes: Uint8Array): Uint8Array => {
      const larger = new Uint8Array(bytes.length + 8).fill(0xee)
      larger.set(bytes, 3)
      return larger.subarray(3, 3 + bytes.length)
    }
    const views: Signatures = { hash: shifted(hash), rs: shifted(rs), parity: shifted(parity) }
    expect(addressesOf(await recovery.recover(views))).toEqual(EXPECTED)
  })

  test('keeps calls at the same time apart', async () => {
    const parts = [EDGES.slice(0, 30), EDGES.slice(30, 90), EDGES.slice(90)]
    const results = await Promise.all(parts.map((rows) => recovery.recover(signaturesOf(rows))))
    expect(results.flatMap(addressesOf)).toEqual(EXPECTED)
  })

  test(`gives what libraries give for random signatures (seed ${SEED})`, async () => {
    const signatures = signaturesOf(randomRows(SEED, RANDOM_ROWS))
    const native = await new ThreadRecovery().recover(signatures)
    expect(await recovery.recover(signatures)).toEqual(native)
    expect(native.found.filter((isFound) => isFound === 1).length).toBeGreaterThan(0.8 * RANDOM_ROWS)
  })
})

describe('rows for recovery', () => {
  test('hold each kind that fails, and few others that do', () => {
    const failing = EDGES.filter((_, i) => EXPECTED[i] === undefined)
    const isInfinity = ({ name }: SignatureRow): boolean => name.startsWith('R =')
    expect(failing.filter(isInfinity).length).toBeGreaterThanOrEqual(30)
    expect(failing.filter((row) => !isInfinity(row)).map(({ name }) => name)).toEqual([
      'of s = 0',
      'of s = order',
      'of s = order + 1',
      'of s = 2^256 - 1',
      'of r = 0',
      'of r = order',
      'of r = order + 1',
      'of r = p',
      'of r = p + 1',
      'of r = 2^256 - 1',
      'of an r without a point',
      'of another r without a point',
      'of r without a point near the order',
      'not signed',
      'not signed, with r = s = 0',
    ])
  })

  test('are recovered alike by the native package and by noble', () => {
    const { hash, rs, parity } = signaturesOf(EDGES)
    for (let i = 0; i < EDGES.length; i++) {
      if (parity[i] === NO_SIGNATURE) continue
      const arguments_ = [
        hash.subarray(32 * i, 32 * i + 32),
        rs.subarray(64 * i, 64 * i + 64),
        parity[i] as 0 | 1,
      ] as const
      expect(recoverPublicKey(...arguments_), EDGES[i]!.name).toEqual(recoverPublicKeyByNoble(...arguments_))
    }
    expect(ORDER).toBe(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n)
  })
})
