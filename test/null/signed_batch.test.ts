import { RLP } from '@ethereumjs/rlp'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import type { TransactionBatch } from '../../host/chain/batch.ts'
import { checkBatch } from '../../host/chain/check_batch.ts'
import { decodeTransaction, TransactionInputError } from '../../host/chain/encode_batch.ts'
import { packTransactions } from '../../host/chain/packed.ts'
import { NO_SIGNATURE } from '../../host/chain/signatures.ts'
import { type DecodeOptions, decodeSignedBatch, type SignedBatch } from '../../host/chain/signed_batch.ts'
import { InputError } from '../../host/primitives/input.ts'
import { HALF_ORDER } from '../../host/primitives/secp256k1.ts'
import { decodeByObjects } from '../fixtures/object_decoder.ts'
import { randomSigned, signedSamples } from '../fixtures/signed_samples.ts'

const OPTIONS: DecodeOptions = { chainId: 1n, deposits: true }

/** What a decoder makes of transactions: the rows that stand, with their signatures, and the reasons of the others. */
const verdict = (decode: typeof decodeByObjects, transactions: readonly Uint8Array[], options = OPTIONS) => {
  const faults = new Map<number, TransactionInputError>()
  const { batch, signatures } = decode(transactions, { ...options, faults })
  if (decode !== decodeByObjects) checkBatch(batch)
  return transactions.map((_, i) => {
    const fault = faults.get(i)
    if (fault !== undefined) {
      expect(signatures.parity[i]).toBe(NO_SIGNATURE)
      expect(batch.extras.has(i)).toBe(false)
      if (decode !== decodeByObjects) expectBlank(batch, i)
      return `${fault.index}: ${fault.reason}`
    }
    const hex = (bytes: Uint8Array, size: number) =>
      Buffer.from(bytes.subarray(size * i, size * (i + 1))).toString('hex')
    const signature = [signatures.parity[i], hex(signatures.rs, 64), hex(signatures.hash, 32)]
    return [decodeTransaction(batch, i), signatures.parity[i] === NO_SIGNATURE ? NO_SIGNATURE : signature]
  })
}

/** No column of fixed width has anything of the row. */
const expectBlank = (batch: TransactionBatch, i: number): void => {
  const { count, type, creates, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, from, to } = batch
  for (const column of [type, creates, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, from, to]) {
    const limbs = column.length / count
    for (let limb = limbs * i; limb < limbs * (i + 1); limb++) if (column[limb] !== 0) expect(column[limb]).toBe(0)
  }
}

/** The same of both, each transaction alone and all together, in one buffer and one by one. */
const expectAgreement = (transactions: readonly Uint8Array[], options = OPTIONS): void => {
  const expected = verdict(decodeByObjects, transactions, options)
  expect(verdict(decodeSignedBatch as typeof decodeByObjects, transactions, options)).toEqual(expected)
  const packed = (given: readonly Uint8Array[], o: DecodeOptions): SignedBatch =>
    decodeSignedBatch(packTransactions(given), o)
  expect(verdict(packed, transactions, options)).toEqual(expected)
  expect(failure(packed, transactions, options)).toEqual(failure(decodeByObjects, transactions, options))
}

/** Where faults are not kept: the fault that is thrown, or that ends the decoding. */
const failure = (decode: typeof decodeByObjects, transactions: readonly Uint8Array[], options: DecodeOptions) => {
  try {
    const { decoded, fault } = decode(transactions, options)
    return [decoded, fault?.message]
  } catch (thrown) {
    if (thrown instanceof TransactionInputError) return thrown.message
    throw thrown
  }
}

describe('decodeSignedBatch agrees with a decoder through objects', () => {
  test('on random transactions of all types, with the signing hashes of @ethereumjs/tx', () => {
    const random = createRandom(7, 'signed')
    const signed = Array.from({ length: 240 }, () => randomSigned(random))
    expectAgreement(signed.map(({ raw }) => raw))
    const { signatures } = decodeSignedBatch(
      signed.map(({ raw }) => raw),
      OPTIONS,
    )
    for (const [i, { hash }] of signed.entries()) expect(signatures.hash.subarray(32 * i, 32 * (i + 1))).toEqual(hash)
  })

  test.each(signedSamples())('on %s cut at every byte, longer by one, and with every byte changed', (_, raw) => {
    const cut = Array.from(raw, (_, end) => raw.subarray(0, end))
    const changed = (to: (byte: number) => number) =>
      Array.from(raw, (byte, at) => {
        const copy = raw.slice()
        copy[at] = to(byte)
        return copy
      })
    expectAgreement([...cut, raw, Uint8Array.of(...raw, 0), Uint8Array.of(0, ...raw)])
    for (const to of [
      (byte: number) => byte ^ 1,
      (byte: number) => byte ^ 0x80,
      (byte: number) => byte + 1,
      (byte: number) => byte - 1,
      () => 0,
      () => 0xb8,
      () => 0xbf,
      () => 0xc0,
      () => 0xf8,
      () => 0xff,
    ])
      expectAgreement(changed(to))
  })

  test('on every field replaced by what it may not be', () => {
    const odd: (Uint8Array | unknown[])[] = [
      [],
      [[]],
      [[], []],
      [[new Uint8Array(20), []]],
      [[new Uint8Array(20), [new Uint8Array(32)], []]],
      [[new Uint8Array(20), new Uint8Array(32)]],
      [[[], []]],
      [[new Uint8Array(21), [new Uint8Array(32)]]],
      [[new Uint8Array(20), [new Uint8Array(33)]]],
      [[new Uint8Array(20), [[]]]],
      [new Uint8Array(32), []],
      [new Uint8Array(31)],
      ...[0, 1, 8, 9, 19, 20, 21, 31, 32, 33, 55, 56, 255, 256, 3000].flatMap((length) => [
        new Uint8Array(length),
        new Uint8Array(length).fill(0x7f),
        new Uint8Array(length).fill(0xff),
      ]),
      ...[
        [1, 0],
        [1, 1],
        [27, 0],
        [28, 28],
      ].map((pair) => Uint8Array.from(pair)),
      ...[26, 27, 28, 29, 34, 35, 36, 37, 38, 39, 45].map((v) => Uint8Array.of(v)),
    ]
    for (const [, raw] of signedSamples()) {
      const typed = raw[0]! < 0xc0
      const items = RLP.decode(typed ? raw.subarray(1) : raw) as unknown[]
      const encoded = (list: unknown[]) => {
        const body = RLP.encode(list as never)
        return typed ? Uint8Array.of(raw[0]!, ...body) : body
      }
      const all = items.flatMap((_, field) => odd.map((value) => encoded(items.with(field, value))))
      all.push(encoded(items.slice(1)), encoded([...items, new Uint8Array(0)]), encoded([...items, ...items]))
      expectAgreement(all)
    }
  })

  test('on plain transactions with values at every edge, among others', () => {
    const half = HALF_ORDER
    const integers = [0n, 1n, 127n, 128n, 255n, 256n, 2n ** 24n, 2n ** 32n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n]
    const words = [...integers, 2n ** 255n, 2n ** 256n - 1n, 2n ** 256n]
    const data = [[], [0], [0x7f], [0x80], [0xff], [1, 2]].map((bytes) => Uint8Array.from(bytes))
    data.push(...[55, 56, 57, 255, 256, 257, 0xffff, 0x1_0000].map((length) => new Uint8Array(length).fill(0x11)))
    const edges: (readonly (RlpInput | undefined)[])[] = [
      [1n, 0n, 2n],
      integers,
      words,
      words,
      integers,
      [0, 19, 20, 21].map((length) => new Uint8Array(length).fill(0xaa)),
      words,
      data,
      [[], [[new Uint8Array(20), []]]],
      [0n, 1n, 2n, 27n, 128n],
      [...words, 2n ** 248n - 1n, 2n ** 248n],
      [...words, half - 1n, half, half + 1n, 0x7en << 248n, 0x7fn << 248n, 0x80n << 248n, 2n ** 248n - 1n],
    ]
    const all = edges.flatMap((values, field) =>
      values.map((value) => plainOf(new Array(12).fill(undefined).with(field, value))),
    )
    const random = createRandom(9, 'plain')
    for (let n = 0; n < 200; n++) all.push(plainOf(edges.map((values) => values[random.below(values.length)])))
    expectAgreement(all)
  })

  test('on plain transactions with a field, or all of it, under a head that is longer than it must be', () => {
    const ones = (length: number): number[] => new Array<number>(length).fill(1)
    const heads = [
      [0x81, 0],
      [0x81, 5],
      [0x81, 0x7f],
      [0x81, 0x80],
      [0xb8, 1, 5],
      [0xb8, 20, ...ones(20)],
      [0xb8, 32, ...ones(32)],
      [0xb8, 55, ...ones(55)],
      [0xb8, 56, ...ones(56)],
      [0xb9, 0, 56, ...ones(56)],
      [0xb9, 0, 255, ...ones(255)],
      [0xb9, 1, 0, ...ones(256)],
      [0xba, 0, 1, 0, ...ones(256)],
    ]
    const usual = plainFields({}).map((field) => RLP.encode(field as never))
    const all = usual.flatMap((_, n) =>
      heads.map((head) => Uint8Array.of(2, ...listOf(Buffer.concat(usual.with(n, Uint8Array.from(head)))))),
    )
    for (const data of [0, 20, 68, 300]) {
      const items = Buffer.concat(plainFields({ 7: new Uint8Array(data) }).map((field) => RLP.encode(field as never)))
      const { length } = items
      for (const head of [
        [0xc0 + (length & 63)],
        [0xf8, length],
        [0xf9, length >> 8, length],
        [0xfa, 0, length >> 8, length],
      ])
        all.push(Uint8Array.of(2, ...head, ...items))
    }
    expectAgreement(all)
  })

  test('on bytes that are no transactions', () => {
    const bytes = fc.uint8Array({ maxLength: 80 })
    const heads = fc.constantFrom(0, 1, 2, 3, 4, 5, 0x7e, 0x7f, 0x80, 0xb8, 0xbf, 0xc0, 0xc9, 0xf7, 0xf8, 0xf9, 0xff)
    const tail = fc.array(fc.oneof(heads, fc.nat(255)), { maxLength: 60 })
    const raw = fc.oneof(
      bytes,
      fc.tuple(heads, heads, tail).map(([a, b, rest]) => Uint8Array.of(a, b, ...rest)),
    )
    fc.assert(
      fc.property(fc.array(raw, { maxLength: 8 }), (transactions) => expectAgreement(transactions)),
      { seed: 11, numRuns: 400 },
    )
  })

  test('on lengths that are claimed and not there, and on lists in lists', () => {
    const claims = [0x37, 0x38, 0xff, 2 ** 16, 2 ** 32, 2 ** 32 + 56, 2 ** 53, 2 ** 53 + 2, 2 ** 63].flatMap(
      (claim) => {
        const length = Buffer.from(BigInt(claim).toString(16).padStart(16, '0'), 'hex')
        return [0xb8, 0xbf, 0xf8, 0xff].flatMap((head) =>
          Array.from({ length: 8 }, (_, zeros) => Uint8Array.of(head, ...length.subarray(zeros), 0x80, 0x80)),
        )
      },
    )
    const inLists = claims.map((claim) => Uint8Array.of(0xc0 + Math.min(claim.length, 55), ...claim))
    const nested = [55, 1022, 1023, 1024, 1025, 1026].map((depth) => {
      let list: Uint8Array = Uint8Array.of(0xc0)
      for (let n = 0; n < depth; n++) list = listOf(list)
      return list
    })
    const all = [...claims, ...inLists, ...nested]
    expectAgreement([...all, ...all.map((raw) => Uint8Array.of(2, ...raw))])
  })

  it.each([1n, 35n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 64n - 1n, 2n ** 255n - 18n, 2n ** 255n - 17n, 2n ** 256n - 1n])(
    'on chain id %d, its neighbours and their v',
    (chainId) => {
      const near = [chainId - 1n, chainId, chainId + 1n].filter((id) => id >= 0n && id < 1n << 256n)
      const vs = near.flatMap((id) => [35n + 2n * id, 36n + 2n * id]).filter((v) => v < 1n << 264n)
      const legacy = [...vs, 0n, 26n, 27n, 28n, 29n, 34n].map((v) =>
        RLP.encode([1n, 1n, 1n, new Uint8Array(20), 0n, new Uint8Array(0), v, 5n, 6n]),
      )
      const typed = near.map((id) =>
        Uint8Array.of(1, ...RLP.encode([id, 0n, 1n, 1n, new Uint8Array(0), 0n, new Uint8Array(0), [], 1n, 5n, 6n])),
      )
      const plain = near.map((id) => plainOf(new Array(12).fill(undefined).with(0, id)))
      expectAgreement([...legacy, ...typed, ...plain], { chainId })
      const { fault, decoded } = decodeSignedBatch([typed[near.indexOf(chainId)]!], { chainId })
      expect([fault, decoded]).toEqual([undefined, 1])
    },
  )
})

/** A transaction of type 2 without access list, with these fields where they are given. */
const plainOf = (fields: readonly (RlpInput | undefined)[]): Uint8Array =>
  Uint8Array.of(2, ...RLP.encode(plainFields(fields) as never))

const plainFields = (fields: Readonly<Record<number, RlpInput | undefined>>): RlpInput[] => {
  const numbers = [2n ** 255n - 19n, 2n ** 254n + 7n]
  const to = new Uint8Array(20).fill(9)
  const usual = [1n, 7n, 2n, 300n, 60_000n, to, 5n, new Uint8Array(68).fill(3), [], 1n, ...numbers]
  return usual.map((field, n) => fields[n] ?? field)
}

type RlpInput = bigint | Uint8Array | readonly RlpInput[]

const listOf = (item: Uint8Array): Uint8Array => {
  const length = item.length
  const head = length < 56 ? [0xc0 + length] : length < 256 ? [0xf8, length] : [0xf9, length >> 8, length & 255]
  return Uint8Array.of(...head, ...item)
}

describe('packed transactions', () => {
  const [, raw] = signedSamples()[2]!
  const { bytes, offsets } = packTransactions([raw, raw])

  it.each<[string, unknown, string]>([
    [
      'that are text',
      '0x',
      "transactions must be an array of signed transactions, or their bytes and offsets, got '0x'",
    ],
    ['without bytes', { offsets }, 'transactions.bytes must be a Uint8Array, got undefined'],
    [
      'with offsets in an array',
      { bytes, offsets: [...offsets] },
      'transactions.offsets must be a Uint32Array, got an array',
    ],
    ['without an offset', { bytes, offsets: new Uint32Array(0) }, 'transactions.offsets must be one more than'],
    ['that start late', { bytes, offsets: offsets.with(0, 1) }, 'transactions.offsets[0] must be 0, got 1'],
    [
      'whose offsets descend',
      { bytes, offsets: Uint32Array.of(0, 9, 8, bytes.length) },
      'transactions.offsets[2] must be at least the one before it, 9, got 8',
    ],
    [
      'that end early',
      { bytes, offsets: offsets.with(2, bytes.length - 1) },
      `transactions.offsets[2] must be the length of the bytes, ${bytes.length}, got ${bytes.length - 1}`,
    ],
    [
      'that end late',
      { bytes, offsets: offsets.with(2, bytes.length + 1) },
      `transactions.offsets[2] must be the length of the bytes, ${bytes.length}, got ${bytes.length + 1}`,
    ],
  ])('%s are refused', (_, packed, message) => {
    expect(() => decodeSignedBatch(packed as never, OPTIONS)).toThrow(InputError)
    expect(() => decodeSignedBatch(packed as never, OPTIONS)).toThrow(message)
  })

  it('of no bytes, or of none, are read as such', () => {
    expect(decodeSignedBatch({ bytes: new Uint8Array(0), offsets: Uint32Array.of(0) }, OPTIONS).batch.count).toBe(0)
    const empty = { bytes: raw, offsets: Uint32Array.of(0, 0, raw.length) }
    expect(() => decodeSignedBatch(empty, OPTIONS)).toThrow('transaction 0: no bytes')
  })

  it('are read in a view of a Buffer as in bytes of their own', () => {
    const view = Buffer.concat([Buffer.alloc(5), bytes]).subarray(5)
    expect(decodeSignedBatch({ bytes: view, offsets }, OPTIONS)).toEqual(decodeSignedBatch([raw, raw], OPTIONS))
  })

  it('among which something is no bytes are told by its index', () => {
    expect(() => decodeSignedBatch([raw, 'text' as never], OPTIONS)).toThrow(
      'transaction 1: expected the bytes of a signed transaction',
    )
  })
})
