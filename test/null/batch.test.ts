import { Common, Mainnet } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { createAccessList2930Tx, createFeeMarket1559Tx, createLegacyTx, type TypedTransaction } from '@ethereumjs/tx'
import { bytesToHex, privateToAddress } from '@ethereumjs/util'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { type TransactionObject, transactionData } from '../../host/chain/batch.ts'
import { decodeTransaction, encodeBatch, TransactionInputError } from '../../host/chain/encode_batch.ts'
import { selectTransactions } from '../../host/chain/select_batch.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { HALF_ORDER, recoverPublicKey, recoverPublicKeyByNoble } from '../../host/primitives/secp256k1.ts'

type Hex = `0x${string}`
const A: Hex = `0x${'a1'.repeat(20)}`
const B: Hex = `0x${'b2'.repeat(20)}`
const KEY: Hex = `0x${'0c'.repeat(32)}`
const MAX = (1n << 256n) - 1n

const OBJECTS: readonly TransactionObject[] = [
  { type: 0, from: A, to: B, nonce: 0n, gasLimit: 21000n, gasPrice: 1n, value: 0n, data: '0x' },
  { type: 0, from: B, nonce: 2n ** 64n - 1n, gasLimit: 2n ** 64n - 1n, gasPrice: MAX, value: MAX, data: '0x00ff' },
  {
    type: 1,
    from: A,
    to: A,
    nonce: 5n,
    gasLimit: 1n << 32n,
    gasPrice: 1n << 33n,
    value: 7n,
    data: `0x${'ab'.repeat(100)}`,
    accessList: [
      { address: B, storageKeys: [KEY, `0x${'00'.repeat(32)}`] },
      { address: A, storageKeys: [] },
    ],
  },
  {
    type: 2,
    from: A,
    to: B,
    nonce: 1n,
    gasLimit: 9n,
    maxFeePerGas: 9n,
    maxPriorityFeePerGas: 2n,
    value: 1n,
    data: '0x01',
    accessList: [],
  },
]

describe('encodeBatch and decodeTransaction', () => {
  it('round-trip every field of every type', () => {
    const batch = encodeBatch(OBJECTS)
    expect(OBJECTS.map((_, i) => decodeTransaction(batch, i))).toEqual(OBJECTS)
    expect([...transactionData(batch, 1)]).toEqual([0, 255])
    expect([...batch.creates]).toEqual([0, 1, 0, 0])
  })

  it('take both fee caps of types 0 and 1 from the gas price', () => {
    const batch = encodeBatch(OBJECTS)
    expect(batch.maxPriorityFeePerGas.subarray(16, 24)).toEqual(batch.maxFeePerGas.subarray(16, 24))
  })

  it('infer the type where it is not given', () => {
    const base = { from: A, to: B, nonce: 0n, gasLimit: 1n }
    const batch = encodeBatch([
      { ...base, gasPrice: 1n },
      { ...base, gasPrice: 1n, accessList: [] },
      { ...base, maxFeePerGas: 2n, maxPriorityFeePerGas: 1n },
    ])
    expect([...batch.type]).toEqual([0, 1, 2])
  })

  it('select transactions with their data and access lists', () => {
    const picked = selectTransactions(encodeBatch(OBJECTS), [2, 1, 2])
    expect([0, 1, 2].map((i) => decodeTransaction(picked, i))).toEqual([OBJECTS[2], OBJECTS[1], OBJECTS[2]])
  })

  it.each([2, 3, 4] as const)('of type %i take what a node says was paid beside both caps', (type) => {
    const own = {
      2: {},
      3: { maxFeePerBlobGas: 5n, blobVersionedHashes: [`0x01${'22'.repeat(31)}`] },
      4: { authorizations: [{ chainId: 1n, address: A, nonce: 0n, authority: B }] },
    }[type]
    const common = { type, from: A, to: B, nonce: 0n, gasLimit: 21_000n, ...own }
    for (const [tip, paid] of [
      [2n, 2n],
      [2n, 5n],
      [2n, 9n],
      [9n, 9n],
      [10n, 9n],
    ] as const) {
      const caps = { ...common, maxFeePerGas: 9n, maxPriorityFeePerGas: tip }
      expect(encodeBatch([{ ...caps, gasPrice: paid }])).toEqual(encodeBatch([caps]))
    }
    // Alone it is both caps.
    const both = { ...common, maxFeePerGas: 7n, maxPriorityFeePerGas: 7n }
    expect(encodeBatch([{ ...common, gasPrice: 7n }])).toEqual(encodeBatch([both]))
  })

  it.each([
    [{ nonce: -1n }, 'nonce must be between 0 and 2^64 - 1, got -1'],
    [{ nonce: 1n << 64n }, 'nonce must be between'],
    [{ value: 1n << 256n }, 'value must be between'],
    [{ from: '0x1234' }, "from must be 0x and 40 hex digits, got '0x1234'"],
    [{ to: 'you' }, 'to must be'],
    [{ data: '0xabc' }, 'data must be 0x and an even number of hex digits'],
    [{ data: '0xzz' }, 'data has a digit that is not hex'],
    [{ gasPrice: undefined }, 'gasPrice is missing'],
    [{ type: 2 as const, gasPrice: undefined, maxFeePerGas: 1n }, 'maxPriorityFeePerGas is missing'],
    [
      { type: undefined, gasPrice: 9n, maxFeePerGas: 9n, maxPriorityFeePerGas: 1n },
      'maxFeePerGas cannot be given: gasPrice beside it',
    ],
    [{ type: 2 as const, gasPrice: 9n, maxFeePerGas: 9n }, 'maxFeePerGas cannot be given: gasPrice beside it'],
    [
      { type: 2 as const, gasPrice: 9n, maxPriorityFeePerGas: 9n },
      'maxPriorityFeePerGas cannot be given: gasPrice beside it',
    ],
    [
      { type: 1 as const, gasPrice: 9n, maxFeePerGas: 9n, maxPriorityFeePerGas: 1n },
      'maxFeePerGas cannot be given: a transaction of type 1 has gasPrice',
    ],
    [
      { type: 2 as const, gasPrice: 10n, maxFeePerGas: 9n, maxPriorityFeePerGas: 1n },
      'gasPrice beside fee caps must be what a cap of 9 and a tip of 1 let it pay, got 10',
    ],
    [
      { type: 2 as const, gasPrice: 1n, maxFeePerGas: 9n, maxPriorityFeePerGas: 2n },
      'a cap of 9 and a tip of 2 let it pay, got 1',
    ],
    [
      { type: 2 as const, gasPrice: 8n, maxFeePerGas: 9n, maxPriorityFeePerGas: 10n },
      'a cap of 9 and a tip of 10 let it pay, got 8',
    ],
    [{ type: 2 as const, gasPrice: -1n, maxFeePerGas: 9n, maxPriorityFeePerGas: 0n }, 'gasPrice must be between'],
    [{ accessList: [{ address: A, storageKeys: ['0x01'] }], type: 1 as const }, 'a storage key must be'],
    [{ accessList: [{ address: A, storageKeys: [] }], type: 0 as const }, 'type 0 has no access list'],
  ])('refuse %o and name the transaction', (change, reason) => {
    const bad = { ...OBJECTS[0]!, ...change } as TransactionObject
    expect(() => encodeBatch([OBJECTS[0]!, bad])).toThrow(TransactionInputError)
    expect(() => encodeBatch([OBJECTS[0]!, bad])).toThrow(`transaction 1: `)
    expect(() => encodeBatch([OBJECTS[0]!, bad])).toThrow(reason)
  })
})

const common = new Common({ chain: Mainnet, hardfork: 'cancun' })
const chainId = common.chainId()

/** Random signed transactions of every type with the objects they must decode to. */
const signedTransactions = (count: number): { raw: Uint8Array; object: TransactionObject }[] => {
  const random = createRandom(11, 'signed')
  const big = (): bigint => BigInt(random.u32()) << BigInt(random.below(5) * 32)
  return Array.from({ length: count }, (_, i) => {
    const key = new Uint8Array(32).map(() => 1 + random.below(255))
    const type = (i % 3) as 0 | 1 | 2
    const fields = {
      nonce: i % 7 === 0 ? 0n : big() & 0xffff_ffff_ffffn,
      gasLimit: 21000n + BigInt(random.u32()),
      value: big(),
      data: bytesToHex(new Uint8Array(random.below(90)).map(() => random.below(256))),
      ...(i % 5 === 0 ? {} : { to: bytesToHex(new Uint8Array(20).map(() => random.below(256))) }),
    }
    const accessList = Array.from({ length: i % 4 }, (_, n) => ({
      address: n === 0 ? A : B,
      storageKeys: n === 1 ? [] : [KEY, KEY],
    }))
    const gasPrice = big()
    const fee = { maxFeePerGas: gasPrice + 5n, maxPriorityFeePerGas: 5n }
    const unsigned: TypedTransaction =
      type === 2
        ? createFeeMarket1559Tx({ ...fields, ...fee, accessList, chainId }, { common })
        : type === 1
          ? createAccessList2930Tx({ ...fields, gasPrice, accessList, chainId }, { common })
          : createLegacyTx({ ...fields, gasPrice }, { common })
    const object = {
      type,
      from: bytesToHex(privateToAddress(key)),
      ...fields,
      ...(type === 2 ? fee : { gasPrice }),
      ...(type === 0 ? {} : { accessList }),
    }
    return { raw: unsigned.sign(key).serialize(), object }
  })
}

const reasonOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof TransactionInputError) return `${error.index}: ${error.reason}`
    throw error
  }
  return 'accepted'
}

describe('decodeSigned', () => {
  it('decodes what @ethereumjs/tx signed, with its senders', () => {
    const signed = signedTransactions(60)
    const batch = decodeSigned(
      signed.map(({ raw }) => raw),
      { chainId },
    )
    for (const [i, { object }] of signed.entries()) expect(decodeTransaction(batch, i)).toEqual(object)
  })

  it('accepts a legacy transaction from before EIP-155', () => {
    const before = new Common({ chain: Mainnet, hardfork: 'homestead' })
    const key = new Uint8Array(32).fill(3)
    const raw = createLegacyTx(
      { nonce: 1n, gasPrice: 2n, gasLimit: 3n, to: A, data: `0x${'11'.repeat(60)}` },
      { common: before },
    )
      .sign(key)
      .serialize()
    expect(decodeTransaction(decodeSigned([raw], { chainId }), 0)).toMatchObject({
      from: bytesToHex(privateToAddress(key)),
      nonce: 1n,
    })
  })

  it('reads transactions that are views of one buffer', () => {
    const signed = signedTransactions(6)
    const joined = new Uint8Array(signed.reduce((sum, { raw }) => sum + raw.length, 3))
    let at = 3
    const views = signed.map(({ raw }) => {
      joined.set(raw, at)
      at += raw.length
      return joined.subarray(at - raw.length, at)
    })
    const batch = decodeSigned(views, { chainId })
    for (const [i, { object }] of signed.entries()) expect(decodeTransaction(batch, i).from).toBe(object.from)
  })

  const legacy = signedTransactions(4)[3]!.raw
  const dynamic = signedTransactions(9)[8]!.raw
  const changed = (raw: Uint8Array, change: (items: Uint8Array[]) => void): Uint8Array => {
    const typed = raw[0]! < 0xc0
    const items = RLP.decode(typed ? raw.subarray(1) : raw) as Uint8Array[]
    change(items)
    const encoded = RLP.encode(items)
    return typed ? Uint8Array.of(raw[0]!, ...encoded) : encoded
  }
  const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
  const highS = (s: Uint8Array): Uint8Array =>
    bytes((secp256k1.Point.Fn.ORDER - BigInt(bytesToHex(s))).toString(16).padStart(64, '0'))

  it.each([
    ['no bytes', new Uint8Array(0), 'no bytes'],
    ['a type that no fork has', Uint8Array.of(5, 0xc0), 'type 5 is not supported'],
    ['a deposit where the chain has none', Uint8Array.of(0x7e, 0xc0), 'type 126 is not supported'],
    ['a type byte of zero', Uint8Array.of(0, ...legacy), 'type 0 is not supported'],
    ['bytes behind the list', Uint8Array.of(...legacy, 0), 'malformed RLP: unread bytes left'],
    ['a cut list', legacy.subarray(0, legacy.length - 1), 'malformed RLP: out of range'],
    ['too few fields', changed(legacy, (items) => items.pop()), 'a list of 9 fields'],
    [
      'a nonce with a leading zero',
      changed(dynamic, (items) => {
        items[1] = Uint8Array.of(0, 1)
      }),
      'nonce has leading zeros',
    ],
    [
      'a nonce of 9 bytes',
      changed(dynamic, (items) => {
        items[1] = new Uint8Array(9).fill(1)
      }),
      'nonce has more than 64 bits',
    ],
    [
      'a value of 33 bytes',
      changed(legacy, (items) => {
        items[4] = new Uint8Array(33).fill(1)
      }),
      'value has more than 256 bits',
    ],
    [
      'a recipient of 19 bytes',
      changed(legacy, (items) => {
        items[3] = new Uint8Array(19)
      }),
      'to has 19 bytes',
    ],
    [
      'a list for a value',
      changed(legacy, (items) => {
        items[4] = [] as never
      }),
      'value is a list',
    ],
    [
      'another chain',
      changed(dynamic, (items) => {
        items[0] = Uint8Array.of(5)
      }),
      'chain id 5, expected 1',
    ],
    [
      'another chain in v',
      changed(legacy, (items) => {
        items[6] = Uint8Array.of(45)
      }),
      'chain id 5, expected 1',
    ],
    [
      'a parity of 2',
      changed(dynamic, (items) => {
        items[9] = Uint8Array.of(2)
      }),
      'v is 2',
    ],
    [
      'a v of 29',
      changed(legacy, (items) => {
        items[6] = Uint8Array.of(29)
      }),
      'v is 29',
    ],
    [
      'r = 0',
      changed(dynamic, (items) => {
        items[10] = new Uint8Array(0)
      }),
      'the signature has no public key',
    ],
    [
      'r = the order',
      changed(dynamic, (items) => {
        items[10] = bytes(secp256k1.Point.Fn.ORDER.toString(16))
      }),
      'no public key',
    ],
    [
      's in the upper half',
      changed(dynamic, (items) => {
        items[11] = highS(items[11]!)
      }),
      'upper half',
    ],
    [
      'an access list of bytes',
      changed(dynamic, (items) => {
        items[8] = Uint8Array.of(1)
      }),
      'access list: expected a list',
    ],
    [
      'a short access list address',
      changed(dynamic, (items) => {
        items[8] = [[new Uint8Array(19), []]] as never
      }),
      '20 bytes',
    ],
    [
      'a short access list key',
      changed(dynamic, (items) => {
        items[8] = [[new Uint8Array(20), [new Uint8Array(31)]]] as never
      }),
      '32 bytes',
    ],
  ])('refuses %s', (_, raw, reason) => {
    expect(reasonOf(() => decodeSigned([legacy, raw], { chainId }))).toMatch(/^1: /)
    expect(reasonOf(() => decodeSigned([legacy, raw], { chainId }))).toContain(reason)
  })

  const unrecoverable = changed(dynamic, (items) => {
    items[10] = new Uint8Array(0)
  })
  const ofAnotherChain = changed(dynamic, (items) => {
    items[0] = Uint8Array.of(5)
  })

  it('names the first of two transactions that cannot be read, whichever step refuses it', () => {
    const pairs = [
      [unrecoverable, ofAnotherChain, /^1: the signature has no public key/],
      [ofAnotherChain, unrecoverable, /^1: chain id 5/],
    ] as const
    for (const [first, second, reason] of pairs)
      expect(reasonOf(() => decodeSigned([legacy, first, second], { chainId }))).toMatch(reason)
  })

  it('keeps every fault by index where the call goes on, and reads the others', () => {
    const faults = new Map<number, TransactionInputError>()
    const batch = decodeSigned([unrecoverable, legacy, ofAnotherChain, dynamic], { chainId, faults })
    expect([...faults].map(([index, { reason }]) => [index, reason]).sort()).toEqual([
      [0, 'the signature has no public key'],
      [2, 'chain id 5, expected 1'],
    ])
    for (const [i, raw] of [
      [1, legacy],
      [3, dynamic],
    ] as const)
      expect(decodeTransaction(batch, i)).toEqual(decodeTransaction(decodeSigned([raw], { chainId }), 0))
  })

  it('accepts s at exactly half of the order as in range', () => {
    const at = changed(dynamic, (items) => {
      items[11] = bytes(HALF_ORDER.toString(16))
    })
    expect(reasonOf(() => decodeSigned([at], { chainId }))).not.toContain('upper half')
  })
})

describe('recoverPublicKey', () => {
  it('agrees with the implementation in JavaScript, also where there is no key', () => {
    const random = createRandom(12, 'recover')
    for (let n = 0; n < 12; n++) {
      const hash = new Uint8Array(32).map(() => random.below(256))
      const key = new Uint8Array(32).map(() => 1 + random.below(255))
      const signature = secp256k1.sign(hash, key, { prehash: false })
      for (const parity of [0, 1] as const) {
        const found = recoverPublicKey(hash, signature, parity)
        expect(found && bytesToHex(found)).toBe(bytesToHexOrUndefined(recoverPublicKeyByNoble(hash, signature, parity)))
      }
      const noise = new Uint8Array(64).map((_, i) => (n % 3 === 0 && i < 16 ? 255 : random.below(256)))
      expect(bytesToHexOrUndefined(recoverPublicKey(hash, noise, 0))).toBe(
        bytesToHexOrUndefined(recoverPublicKeyByNoble(hash, noise, 0)),
      )
    }
    expect(recoverPublicKey(new Uint8Array(32), new Uint8Array(64), 0)).toBeUndefined()
  })
})

const bytesToHexOrUndefined = (found: Uint8Array | undefined): string | undefined => found && bytesToHex(found)
