import { RLP } from '@ethereumjs/rlp'
import { createBlob4844Tx, createEOACode7702Tx } from '@ethereumjs/tx'
import { bytesToHex, eoaCode7702SignAuthorization, privateToAddress } from '@ethereumjs/util'
import { describe, expect, it } from 'vitest'
import type { Authorization, TransactionObject } from '../../host/chain/batch.ts'
import { decodeTransaction, encodeBatch, TransactionInputError } from '../../host/chain/encode_batch.ts'
import type { BlockEnvironment } from '../../host/chain/environment.ts'
import { REJECTION } from '../../host/chain/rejection.ts'
import { transactionRules } from '../../host/chain/rules.ts'
import { selectTransactions } from '../../host/chain/select_batch.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { commonOf } from '../../host/precompiles/common.ts'
import { HALF_ORDER } from '../../host/primitives/secp256k1.ts'
import { wordToBigInt } from '../../host/primitives/word.ts'
import { recoverAuthority } from '../../host/senders/recover.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'

type Hex = `0x${string}`
const A: Hex = `0x${'a1'.repeat(20)}`
const B: Hex = `0x${'b2'.repeat(20)}`
const BLOB: Hex = `0x01${'77'.repeat(31)}`
const MAX = (1n << 256n) - 1n
const GAS_PER_BLOB = 131_072n

const authorization = (fields: Partial<Authorization> = {}): Authorization => ({
  chainId: 1n,
  address: B,
  nonce: 0n,
  authority: A,
  ...fields,
})

const CAPS = { maxFeePerGas: 20n, maxPriorityFeePerGas: 2n }
const CALL = { from: A, to: B, nonce: 0n, gasLimit: 1_000_000n, value: 5n, data: '0x00ff' }

const blob = (fields: Partial<TransactionObject> = {}): TransactionObject => ({
  ...CALL,
  ...CAPS,
  type: 3,
  accessList: [],
  maxFeePerBlobGas: 9n,
  blobVersionedHashes: [BLOB],
  ...fields,
})
const setCode = (fields: Partial<TransactionObject> = {}): TransactionObject => ({
  ...CALL,
  ...CAPS,
  type: 4,
  accessList: [],
  authorizations: [authorization()],
  ...fields,
})
const deposit = (fields: Partial<TransactionObject> = {}): TransactionObject => ({
  ...CALL,
  type: 0x7e,
  gasPrice: 0n,
  deposit: { sourceHash: `0x${'5e'.repeat(32)}`, mint: 7n, isSystem: false },
  ...fields,
})
const creating = ({ to: _, ...rest }: TransactionObject): TransactionObject => rest

describe('encodeBatch and decodeTransaction', () => {
  it('round-trip blobs, authorizations and deposits', () => {
    const objects = [
      blob({ accessList: [{ address: B, storageKeys: [BLOB] }], blobVersionedHashes: [BLOB, BLOB] }),
      setCode({ authorizations: [authorization(), authorization({ authority: undefined, nonce: 2n ** 64n - 1n })] }),
      deposit(),
      creating(deposit({ deposit: { sourceHash: BLOB, mint: MAX, isSystem: true } })),
    ] as TransactionObject[]
    const batch = encodeBatch(objects)
    expect(objects.map((_, i) => decodeTransaction(batch, i))).toEqual(objects)
    const picked = selectTransactions(batch, [2, 0])
    expect([0, 1].map((i) => decodeTransaction(picked, i))).toEqual([objects[2], objects[0]])
  })

  it('infer the types from their fields', () => {
    const untyped = [blob(), setCode(), deposit()].map(({ type: _, ...rest }) => rest)
    expect([...encodeBatch(untyped).type]).toEqual([3, 4, 0x7e])
  })

  it.each([
    [blob({ maxFeePerBlobGas: undefined as never }), 'maxFeePerBlobGas is missing'],
    [blob({ maxFeePerBlobGas: MAX + 1n }), 'maxFeePerBlobGas must be between'],
    [blob({ blobVersionedHashes: undefined as never }), 'blobVersionedHashes must be an array'],
    [blob({ blobVersionedHashes: ['0x01'] }), 'a versioned hash must be'],
    [setCode({ authorizations: undefined as never }), 'authorizations must be an array'],
    [setCode({ authorizations: [authorization({ address: '0x' })] }), 'authorization address must be'],
    [setCode({ authorizations: [authorization({ authority: '0x12' })] }), 'authority must be'],
    [setCode({ authorizations: [authorization({ nonce: 1n << 64n })] }), 'authorization nonce must be'],
    [setCode({ authorizations: [authorization({ chainId: -1n })] }), 'authorization chainId must be'],
    [deposit({ deposit: undefined as never }), 'deposit is missing'],
    [deposit({ deposit: { sourceHash: '0x', mint: 0n, isSystem: false } }), 'sourceHash must be'],
    [deposit({ deposit: { sourceHash: BLOB, mint: -1n, isSystem: false } }), 'mint must be'],
    [deposit({ accessList: [{ address: A, storageKeys: [] }] }), 'type 126 has no access list'],
    [setCode({ blobVersionedHashes: [] }), 'type 4 has no blobVersionedHashes'],
    [blob({ authorizations: [] }), 'type 3 has no authorizations'],
    [blob({ deposit: deposit().deposit! }), 'type 3 has no deposit'],
    [setCode({ maxFeePerBlobGas: 1n }), 'type 4 has no maxFeePerBlobGas'],
  ])('refuse a transaction of which something is missing or malformed (%#)', (bad, reason) => {
    expect(() => encodeBatch([blob(), bad])).toThrow(TransactionInputError)
    expect(() => encodeBatch([blob(), bad])).toThrow('transaction 1: ')
    expect(() => encodeBatch([blob(), bad])).toThrow(reason)
  })
})

const common = commonOf('prague', 1n)
const chainId = common.chainId()
const KEY = new Uint8Array(32).fill(9)
const AUTHORITY_KEY = new Uint8Array(32).fill(4)
const ACCESS = [{ address: B, storageKeys: [BLOB] }]
const SIGNED_FIELDS = {
  nonce: 3n,
  gasLimit: 90_000n,
  value: 11n,
  data: '0x1234' as Hex,
  to: A,
  accessList: ACCESS,
  chainId,
  ...CAPS,
}
const signedBlob = (): Uint8Array =>
  createBlob4844Tx({ ...SIGNED_FIELDS, maxFeePerBlobGas: 77n, blobVersionedHashes: [BLOB, BLOB] }, { common })
    .sign(KEY)
    .serialize()
const signedSetCode = (): Uint8Array =>
  createEOACode7702Tx(
    {
      ...SIGNED_FIELDS,
      authorizationList: [
        eoaCode7702SignAuthorization({ chainId: '0x', address: B, nonce: '0x05' }, AUTHORITY_KEY),
        eoaCode7702SignAuthorization({ chainId: '0x01', address: A, nonce: '0x' }, KEY),
      ],
    },
    { common },
  )
    .sign(KEY)
    .serialize()
const depositItems = (): Uint8Array[] =>
  [BLOB, A, B, '0x07', '0x05', '0x0186a0', '0x', '0x00ff'].map(
    (hex) => new Uint8Array(Buffer.from(hex.slice(2), 'hex')),
  )
const rawDeposit = (items = depositItems()): Uint8Array => Uint8Array.of(0x7e, ...RLP.encode(items))

type Items = (Uint8Array | Items)[]
const changed = (raw: Uint8Array, change: (items: Items) => void): Uint8Array => {
  const items = RLP.decode(raw.subarray(1)) as Items
  change(items)
  return Uint8Array.of(raw[0]!, ...RLP.encode(items as never))
}

describe('decodeSigned', () => {
  it('decodes signed blob transactions with their senders', () => {
    expect(decodeTransaction(decodeSigned([signedBlob()], { chainId }), 0)).toEqual({
      ...CAPS,
      type: 3,
      from: bytesToHex(privateToAddress(KEY)),
      to: A,
      nonce: 3n,
      gasLimit: 90_000n,
      value: 11n,
      data: '0x1234',
      accessList: ACCESS,
      maxFeePerBlobGas: 77n,
      blobVersionedHashes: [BLOB, BLOB],
    })
  })

  it('decodes signed set-code transactions with their senders and authorities', () => {
    const decoded = decodeTransaction(decodeSigned([signedSetCode()], { chainId }), 0)
    expect(decoded).toMatchObject({ type: 4, from: bytesToHex(privateToAddress(KEY)), accessList: ACCESS })
    expect(decoded.authorizations).toMatchObject([
      { chainId: 0n, address: B, nonce: 5n, authority: bytesToHex(privateToAddress(AUTHORITY_KEY)) },
      { chainId: 1n, address: A, nonce: 0n, authority: bytesToHex(privateToAddress(KEY)) },
    ])
  })

  it('decodes deposits only where the chain has them', () => {
    expect(decodeTransaction(decodeSigned([rawDeposit()], { chainId, deposits: true }), 0)).toEqual({
      type: 0x7e,
      from: A,
      to: B,
      nonce: 0n,
      gasLimit: 100_000n,
      gasPrice: 0n,
      value: 5n,
      data: '0x00ff',
      deposit: { sourceHash: BLOB, mint: 7n, isSystem: false },
    })
    expect(() => decodeSigned([rawDeposit()], { chainId })).toThrow('type 126 is not supported')
  })

  it.each<[string, Uint8Array, string]>([
    [
      'a blob transaction without a recipient',
      changed(signedBlob(), (items) => {
        items[5] = new Uint8Array(0)
      }),
      'rlp: input string too short for common.Address, decoding into (types.Transaction)(types.BlobTx).To',
    ],
    [
      'a set-code transaction without a recipient',
      changed(signedSetCode(), (items) => {
        items[5] = new Uint8Array(0)
      }),
      '(types.SetCodeTx).To',
    ],
    [
      'a short versioned hash',
      changed(signedBlob(), (items) => {
        ;(items[10] as Items)[1] = new Uint8Array(31)
      }),
      'a versioned hash has 31 bytes',
    ],
    [
      'blob hashes that are no list',
      changed(signedBlob(), (items) => {
        items[10] = new Uint8Array(0)
      }),
      'blob hashes: expected a list',
    ],
    [
      'authorizations that are no list',
      changed(signedSetCode(), (items) => {
        items[9] = new Uint8Array(0)
      }),
      'authorizations: expected a list',
    ],
    [
      'an authorization of five fields',
      changed(signedSetCode(), (items) => {
        ;((items[9] as Items)[0] as Items).pop()
      }),
      'an authorization is a list of 6 fields',
    ],
    [
      'an authorization of a long address',
      changed(signedSetCode(), (items) => {
        ;((items[9] as Items)[0] as Items)[1] = new Uint8Array(21)
      }),
      'authorization address has 21 bytes',
    ],
    [
      'an authorization nonce of 9 bytes',
      changed(signedSetCode(), (items) => {
        ;((items[9] as Items)[0] as Items)[2] = new Uint8Array(9).fill(1)
      }),
      'authorization nonce has more than 64 bits',
    ],
    ['a deposit whose system flag is 2', rawDeposit(depositItems().with(6, Uint8Array.of(2))), 'is system is 2'],
    ['a deposit from nobody', rawDeposit(depositItems().with(1, new Uint8Array(0))), 'from has 0 bytes'],
    ['a deposit of a short source', rawDeposit(depositItems().with(0, new Uint8Array(3))), 'source hash has 3 bytes'],
  ])('refuses %s', (_, raw, reason) => {
    expect(() => decodeSigned([signedBlob(), raw], { chainId, deposits: true })).toThrow(TransactionInputError)
    expect(() => decodeSigned([signedBlob(), raw], { chainId, deposits: true })).toThrow(`transaction 1: `)
    expect(() => decodeSigned([signedBlob(), raw], { chainId, deposits: true })).toThrow(reason)
  })
})

describe('recoverAuthority', () => {
  const signed = { chainId: 1n, address: B, nonce: 7n }
  const [, , , yParity, r, s] = eoaCode7702SignAuthorization(
    { chainId: '0x01', address: B, nonce: '0x07' },
    AUTHORITY_KEY,
  ).map((bytes) => BigInt(bytesToHex(bytes).padEnd(3, '0'))) as [bigint, bigint, bigint, bigint, bigint, bigint]
  const signature = { yParity, r, s }

  it('finds who signed, and another for every other content', () => {
    expect(recoverAuthority(signed, signature)).toBe(bytesToHex(privateToAddress(AUTHORITY_KEY)))
    for (const other of [{ chainId: 2n }, { address: A }, { nonce: 8n }]) {
      expect(recoverAuthority({ ...signed, ...other }, signature)).not.toBe(bytesToHex(privateToAddress(AUTHORITY_KEY)))
    }
  })

  it('finds no signer for bytes that are no signature', () => {
    for (const bad of [
      { yParity: 2n },
      { s: HALF_ORDER + 1n },
      { r: 0n },
      { s: 0n },
      { r: MAX },
      { r: signature.r + MAX + 1n },
    ]) {
      expect(recoverAuthority(signed, { ...signature, ...bad })).toBeUndefined()
    }
  })
})

const ENV: BlockEnvironment = {
  number: 1n,
  timestamp: 1n,
  coinbase: A,
  gasLimit: 30_000_000n,
  baseFeePerGas: 10n,
  prevRandao: 0n,
  blobBaseFee: 9n,
}
const rulesOf = (object: TransactionObject, fork: Fork = 'osaka', env: Partial<BlockEnvironment> = {}) =>
  transactionRules(encodeBatch([object]), fork, { ...ENV, ...env })
const rejectionOf = (object: TransactionObject, fork: Fork = 'osaka', env: Partial<BlockEnvironment> = {}): number =>
  rulesOf(object, fork, env).rejection[0]!

describe('transactionRules of blobs', () => {
  it('add the most that blobs may cost, and burn what they do cost', () => {
    const rules = rulesOf(blob({ blobVersionedHashes: [BLOB, BLOB, BLOB], maxFeePerBlobGas: 100n }))
    expect(wordToBigInt(rules.cost, 0)).toBe(20n * 1_000_000n + 5n + 3n * GAS_PER_BLOB * 100n)
    expect(wordToBigInt(rules.extraFee, 0)).toBe(3n * GAS_PER_BLOB * 9n)
    expect(rules.blobGas[0]).toBe(3 * Number(GAS_PER_BLOB))
    expect(wordToBigInt(rules.price, 0)).toBe(12n)
    expect(rulesOf(setCode()).blobGas.length).toBe(0)
  })

  it('refuse in pairs: the last value allowed, and the first that is not', () => {
    const hashes = (count: number) => ({ blobVersionedHashes: Array.from({ length: count }, () => BLOB) })
    expect(rejectionOf(blob({ maxFeePerBlobGas: 9n }))).toBe(0)
    expect(rejectionOf(blob({ maxFeePerBlobGas: 8n }))).toBe(REJECTION.blobFeeCapTooLow)
    expect(rejectionOf(blob(hashes(6)))).toBe(0)
    expect(rejectionOf(blob(hashes(7)))).toBe(REJECTION.tooManyBlobs)
    expect(rejectionOf(blob(hashes(9)), 'prague')).toBe(0)
    expect(rejectionOf(blob(hashes(10)), 'prague')).toBe(REJECTION.blobGasReached)
    expect(rejectionOf(blob(hashes(6)), 'cancun')).toBe(0)
    expect(rejectionOf(blob(hashes(7)), 'cancun')).toBe(REJECTION.blobGasReached)
    expect(rejectionOf(blob(hashes(7)), 'cancun', { maxBlobs: 7 })).toBe(0)
    expect(rejectionOf(blob(hashes(0)))).toBe(REJECTION.blobsMissing)
    expect(rejectionOf(blob({ blobVersionedHashes: [BLOB, `0x02${'77'.repeat(31)}`] }))).toBe(REJECTION.blobHashVersion)
    expect(rejectionOf(creating(blob()))).toBe(REJECTION.blobCreation)
    expect(rejectionOf(blob(), 'shanghai')).toBe(REJECTION.typeNotSupported)
  })

  it('refuse a cost beyond 2^256 as unaffordable', () => {
    const fee = MAX / GAS_PER_BLOB
    expect(rejectionOf(blob({ maxFeePerBlobGas: fee }))).toBe(REJECTION.insufficientFunds)
    expect(rejectionOf(blob({ maxFeePerBlobGas: fee - 1_000_000_000n }))).toBe(0)
  })

  it('come in the order of a client', () => {
    const bad = blob({ gasLimit: 5n, maxFeePerGas: 1n, maxPriorityFeePerGas: 2n, blobVersionedHashes: [] })
    expect(rejectionOf(bad)).toBe(REJECTION.tipAboveFeeCap)
    expect(rejectionOf({ ...bad, maxFeePerGas: 2n })).toBe(REJECTION.feeCapBelowBaseFee)
    expect(rejectionOf({ ...bad, maxFeePerGas: 20n })).toBe(REJECTION.blobsMissing)
    expect(rejectionOf(blob({ gasLimit: 5n, maxFeePerBlobGas: 1n }))).toBe(REJECTION.blobFeeCapTooLow)
    expect(rejectionOf(blob({ gasLimit: 5n }))).toBe(REJECTION.intrinsicGas)
  })
})

describe('transactionRules of authorizations', () => {
  it('charge each one in front, as if its authority did not exist', () => {
    const authorizations = [authorization(), authorization()]
    const base = rulesOf(setCode({ authorizations: [authorization()] })).intrinsic[0]!
    expect(rulesOf(setCode({ authorizations })).intrinsic[0]).toBe(base + 25_000)
    expect(base).toBe(21_000 + 4 + 16 + 25_000)
    expect(rejectionOf(setCode({ gasLimit: BigInt(base) }))).toBe(0)
    expect(rejectionOf(setCode({ gasLimit: BigInt(base - 1) }))).toBe(REJECTION.intrinsicGas)
  })

  it('refuse none, creations, and forks before Prague', () => {
    expect(rejectionOf(setCode({ authorizations: [] }))).toBe(REJECTION.authorizationsMissing)
    expect(rejectionOf(creating(setCode()))).toBe(REJECTION.authorizationCreation)
    expect(rejectionOf(setCode(), 'cancun')).toBe(REJECTION.typeNotSupported)
    expect(rejectionOf(setCode({ authorizations: [], gasLimit: 5n }))).toBe(REJECTION.authorizationsMissing)
    expect(rejectionOf(setCode({ authorizations: [], maxFeePerGas: 9n }))).toBe(REJECTION.feeCapBelowBaseFee)
  })
})

describe('transactionRules of deposits', () => {
  it('ask nothing of them and let them pay nothing', () => {
    const rules = rulesOf(deposit({ gasLimit: 5n, value: MAX, nonce: 2n ** 64n - 1n }))
    expect(rules.rejection[0]).toBe(0)
    expect([...rules.price, ...rules.priority, ...rules.cost].every((limb) => limb === 0)).toBe(true)
  })

  it('take nothing for a deposit that only says so', () => {
    const batch = encodeBatch([deposit()])
    const forged = { ...batch, extras: new Map() }
    expect(transactionRules(forged, 'osaka', ENV).rejection[0]).toBe(REJECTION.typeNotSupported)
  })
})
