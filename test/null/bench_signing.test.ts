import { expect, test } from 'vitest'
import { signBatch } from '../../bench/block/sign_batch.ts'
import { nativeCurve, nobleCurve, Signers } from '../../bench/block/signers.ts'
import { createRandom } from '../../bench/random.ts'
import { createAddresses } from '../../bench/workloads/genesis.ts'
import { transfers } from '../../bench/workloads/transfers.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { keccak256 } from '../../host/primitives/keccak.ts'

const workload = (signers: Signers) =>
  transfers.build({ fork: 'prague', size: 40, seed: 5, blocks: 1, people: signers.people })

test('signed transactions of a workload decode to its columns, senders recovered', async () => {
  const signers = new Signers(5)
  const scenario = await workload(signers)
  const { transactions } = scenario.next()
  const decoded = decodeSigned(signBatch(transactions, scenario.chainId, signers), { chainId: scenario.chainId })
  const { data, dataStart, ...columns } = transactions
  expect(decoded).toMatchObject(columns)
})

test('the same seed gives the same bytes, another seed other senders', async () => {
  const signedBy = async (seed: number) => {
    const signers = new Signers(seed)
    const scenario = await workload(signers)
    return signBatch(scenario.next().transactions, scenario.chainId, signers)
  }
  expect(await signedBy(5)).toEqual(await signedBy(5))
  expect(await signedBy(6)).not.toEqual(await signedBy(5))
})

test('people with keys are drawn like strangers: only senders have other addresses', () => {
  const drawn = createAddresses(9, createRandom(3, 'people'))
  const people = new Signers(1).people(9, 4, createRandom(3, 'people'))
  expect(people.subarray(20)).toEqual(drawn.subarray(20))
  expect(people.subarray(0, 20)).not.toEqual(drawn.subarray(0, 20))
})

test('a transaction of a stranger is not signed', () => {
  expect(() => new Signers(1).sign(new Uint8Array(32), new Uint32Array(5), 0)).toThrow('has no key')
})

test.skipIf(nativeCurve() === undefined)('both curves give the same key and signature', () => {
  const curve = nativeCurve()!
  for (let n = 0; n < 20; n++) {
    const key = keccak256(Uint8Array.of(n))
    const hash = keccak256(key)
    expect(Buffer.from(curve.publicKey(key))).toEqual(Buffer.from(nobleCurve.publicKey(key)))
    const [native, noble] = [curve.sign(hash, key), nobleCurve.sign(hash, key)]
    expect(Buffer.from(native.signature)).toEqual(Buffer.from(noble.signature))
    expect(native.recid).toBe(noble.recid)
  }
})
