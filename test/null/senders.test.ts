import { RLP } from '@ethereumjs/rlp'
import { describe, expect, test } from 'vitest'
import type { TransactionInputError } from '../../host/chain/encode_batch.ts'
import type { Signatures } from '../../host/chain/signatures.ts'
import { decodeSignedBatch } from '../../host/chain/signed_batch.ts'
import { decodeSigned } from '../../host/flows/decode_signed.ts'
import { createExecutor, createStateTrie, SenderCache } from '../../host/index.ts'
import { addressFromHex, addressToHex } from '../../host/primitives/word.ts'
import { knownColumn } from '../../host/senders/known_senders.ts'
import { recoverSendersBulk } from '../../host/senders/recover.ts'
import { emptySenders, identified } from '../../host/senders/rows.ts'
import type { RecoveredSenders } from '../../host/senders/sender_recovery.ts'
import { Senders } from '../../host/senders/senders.ts'
import { ThreadRecovery } from '../../host/senders/thread_recovery.ts'
import { ATTRIBUTES, blockWorld, keyed, signed } from '../fixtures/block_world.ts'
import { randomRows, signaturesOf } from '../fixtures/signature_rows.ts'
import { authorizationBy } from '../fixtures/signed_authorization.ts'

const thread = new ThreadRecovery()

/** Recovery that counts the rows it is asked for. */
const counting = () => {
  const asked: number[] = []
  const recover = (signatures: Signatures): Promise<RecoveredSenders> => {
    asked.push([...signatures.parity].filter((parity) => parity < 2).length)
    return thread.recover(signatures)
  }
  return { asked, recover }
}

const payment = (n: number, nonce = 0n): Uint8Array =>
  signed({ from: keyed(n), to: keyed(n + 1), nonce, gasLimit: 21_000n, gasPrice: 20n, value: 1n }, 'prague')

const big = (bytes: bigint): Uint8Array =>
  bytes === 0n
    ? new Uint8Array(0)
    : new Uint8Array(Buffer.from(bytes.toString(16).padStart(2 * Math.ceil(bytes.toString(16).length / 2), '0'), 'hex'))

/** A transaction of type 4 with these authorizations, and a signature that is good enough to be read. */
const delegating = (authorizations: readonly ReturnType<typeof authorizationBy>[]): Uint8Array => {
  const tuples = authorizations.map(({ chainId, address, nonce, signature: { yParity, r, s } }) => [
    big(chainId),
    Buffer.from(address.slice(2), 'hex'),
    big(nonce),
    big(yParity),
    big(r),
    big(s),
  ])
  const to = Buffer.from('a1'.repeat(20), 'hex')
  const head = [big(1n), big(0n), big(1n), big(20n), big(90_000n), to, big(0n), big(0n), []]
  const signature = RLP.decode(payment(1)) as Uint8Array[]
  return Uint8Array.of(4, ...RLP.encode([...head, tuples, big(0n), signature[7]!, signature[8]!] as never))
}

describe('recovery of decoded transactions in bulk', () => {
  const chainId = 1n
  const good = authorizationBy('a', keyed(3), 7n, 1n)
  const bad = (change: Partial<typeof good.signature>) => ({ ...good, signature: { ...good.signature, ...change } })
  const wire = [
    payment(0),
    delegating([good, bad({ yParity: 2n }), bad({ s: 2n ** 256n - 1n }), authorizationBy('b', keyed(4), 0n, 0n)]),
    Uint8Array.of(0xff),
    payment(2),
    delegating([bad({ r: 0n }), good]),
  ]

  test('gives what recovery one by one gives, authorities and faults as well, in one call', async () => {
    const { asked, recover } = counting()
    const [faults, wanted] = [new Map<number, TransactionInputError>(), new Map<number, TransactionInputError>()]
    const batch = await recoverSendersBulk(decodeSignedBatch(wire, { chainId, faults }), recover, { faults })
    expect(batch).toEqual(decodeSigned(wire, { chainId, faults: wanted }))
    expect(faults).toEqual(wanted)
    expect([...faults.keys()]).toEqual([2])
    // Two authorities are bad at sight.
    expect(asked).toEqual([4 + 4])
    const authorities = [...batch.extras.values()].map((extras) =>
      extras.authorizations!.map(({ authority }) => authority),
    )
    expect(authorities).toEqual([
      [good.authority, undefined, undefined, authorizationBy('b', keyed(4), 0n, 0n).authority],
      [undefined, good.authority],
    ])
  })

  test('leaves out the senders that are known, which are taken as given', async () => {
    const { asked, recover } = counting()
    const other = `0x${'77'.repeat(20)}`
    const readable = wire.filter((_, i) => i !== 2)
    const known = knownColumn([undefined, other, keyed(2), undefined])
    const batch = await recoverSendersBulk(decodeSignedBatch(readable, { chainId }), recover, { known })
    const all = decodeSigned(readable, { chainId })
    expect(asked).toEqual([2 + 4])
    const fromOf = (i: number): string => addressToHex(batch.from, 5 * i)
    expect([0, 1, 2, 3].map(fromOf)).toEqual([keyed(0), other, keyed(2), addressToHex(all.from, 15)])
    expect(batch.extras).toEqual(all.extras)
  })

  test('leaves nothing of a row whose signature has no public key', () => {
    const fields = RLP.decode(payment(3)) as Uint8Array[]
    const keyless = RLP.encode([...fields.slice(0, 7), Uint8Array.of(5), Uint8Array.of(5)])
    const faults = new Map<number, TransactionInputError>()
    const batch = decodeSigned([payment(1), keyless], { chainId, faults })
    expect([...faults.values()].map(({ index, reason }) => `${index}: ${reason}`)).toEqual([
      '1: the signature has no public key',
    ])
    const { type, creates, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, from, to } = batch
    for (const column of [type, creates, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, from, to])
      expect([...column.subarray(column.length / 2)].every((limb) => limb === 0)).toBe(true)
    expect(addressToHex(from, 0)).toBe(keyed(1))
  })

  test('leaves a deposit its sender, and rows that cannot be read without one', async () => {
    const items = ['5e'.repeat(32), 'a1'.repeat(20), 'b2'.repeat(20), '07', '05', '0186a0', '', '00ff']
    const deposit = Uint8Array.of(0x7e, ...RLP.encode(items.map((hex) => Buffer.from(hex, 'hex'))))
    const faults = new Map<number, TransactionInputError>()
    const decoded = decodeSignedBatch([deposit, Uint8Array.of(0xff)], { chainId, deposits: true, faults })
    const known = knownColumn([keyed(1), keyed(2)])
    const batch = await recoverSendersBulk(decoded, counting().recover, { faults, known })
    expect([addressToHex(batch.from, 0), addressToHex(batch.from, 5)]).toEqual([
      `0x${'a1'.repeat(20)}`,
      `0x${'00'.repeat(20)}`,
    ])
    expect([...faults.keys()]).toEqual([1])
  })

  test('throws what decoding one by one throws', async () => {
    const text = (raw: readonly Uint8Array[]): string => {
      try {
        decodeSigned(raw, { chainId })
        return 'nothing'
      } catch (error) {
        return String(error)
      }
    }
    // r = 5: no point has this x.
    const items = RLP.decode(payment(0)) as Uint8Array[]
    const pointless = RLP.encode(items.with(7, Uint8Array.of(5)))
    const tooHigh = RLP.encode(items.with(8, new Uint8Array(32).fill(0xff)))
    for (const raw of [
      [payment(1), pointless, tooHigh],
      [payment(1), tooHigh, pointless],
    ]) {
      const bulk = (async () => recoverSendersBulk(decodeSignedBatch(raw, { chainId }), counting().recover))()
      await expect(bulk).rejects.toThrow(text(raw).replace(/^\w+: /, ''))
    }
    expect(text([payment(1), pointless])).toContain('transaction 1: the signature has no public key')
  })
})

describe('SenderCache', () => {
  const signatures = signaturesOf(randomRows(3, 40))
  const ask = async (cache: SenderCache, asked: Signatures) => {
    const { asked: rows, recover } = counting()
    const senders = emptySenders(asked.parity.length)
    const named = identified(asked)
    const missing = cache.find(named, senders)
    if (missing.length > 0) cache.enter(named, await recover(asked))
    return { rows, senders, missing: missing.length }
  }

  test('knows what was recovered before, and what has no public key', async () => {
    const cache = new SenderCache()
    expect((await ask(cache, signatures)).missing).toBe(40)
    const again = await ask(cache, signatures)
    expect([again.missing, again.rows, cache.hits]).toEqual([0, [], 40])
    const recovered = await thread.recover(signatures)
    expect(again.senders).toEqual(recovered)
    expect(recovered.found.includes(0)).toBe(true)
  })

  test.each(['hash', 'rs', 'parity'] as const)('does not know a signature of another %s', async (column) => {
    const cache = new SenderCache()
    await ask(cache, signatures)
    const { length } = signatures[column]
    for (const at of [0, length / 2, length - 1]) {
      const changed = { ...signatures, [column]: signatures[column].slice() }
      changed[column][at]! ^= 1
      expect((await ask(cache, changed)).missing, `byte ${at}`).toBe(1)
    }
  })

  test('forgets the oldest of those that share its places, and never gives one for another', async () => {
    const cache = new SenderCache({ entries: 8 })
    const many = signaturesOf(randomRows(4, 100))
    await ask(cache, many)
    const again = await ask(cache, many)
    expect([again.missing > 0, again.missing < 100]).toEqual([true, true])
    const recovered = await thread.recover(many)
    const senders = emptySenders(100)
    const missing = new Set(cache.find(identified(many), senders))
    for (let i = 0; i < 100; i++) {
      if (missing.has(i)) continue
      expect(senders.found[i]).toBe(recovered.found[i])
      expect(senders.addresses.subarray(5 * i, 5 * i + 5)).toEqual(recovered.addresses.subarray(5 * i, 5 * i + 5))
    }
  })

  test('knows a name by all of its bytes, and none where there is no entry', () => {
    const cache = new SenderCache({ entries: 4 })
    const of = (identity: Uint8Array) => ({ ...identified(signaturesOf(randomRows(3, 1))), identity })
    const isKnown = (identity: Uint8Array): boolean => cache.find(of(identity), emptySenders(1)).length === 0
    const name = new Uint8Array(32)
    cache.enter(of(Uint8Array.from(name).fill(7)), emptySenders(1))
    expect(isKnown(name)).toBe(false)
    cache.enter(of(name), emptySenders(1))
    expect(isKnown(name)).toBe(true)
    // A name that begins at no multiple of four is the same one.
    expect(isKnown(new Uint8Array(40).subarray(3, 35))).toBe(true)
    for (let at = 0; at < 32; at++) {
      const other = new Uint8Array(32)
      other[at] = 1
      expect(isKnown(other), `byte ${at}`).toBe(false)
    }
  })

  test('takes a number of entries that is one', () => {
    expect(() => new SenderCache({ entries: 0 })).toThrow('entries must be an integer from 1 on, got 0')
  })
})

describe('Senders', () => {
  test('ask the cache first, and recover the rest alone', async () => {
    const cache = new SenderCache()
    const senders = new Senders({ mode: 'thread', cache })
    const all = signaturesOf(randomRows(5, 30))
    const first = { hash: all.hash.subarray(0, 640), rs: all.rs.subarray(0, 1280), parity: all.parity.subarray(0, 20) }
    await senders.recover(first)
    expect(cache.hits).toBe(0)
    expect(await senders.recover(all)).toEqual(await thread.recover(all))
    expect(cache.hits).toBe(20)
    expect(await senders.recover(all)).toEqual(await thread.recover(all))
    expect(cache.hits).toBe(50)
  })
})

describe('transactions that were recovered before', () => {
  const chainId = 1n
  const tuples = [authorizationBy('a', keyed(3), 7n, 1n), authorizationBy('b', keyed(4), 0n, 0n)]
  const wire = [payment(0), delegating(tuples), payment(2)]

  test('are known by their hashes among others, with their authorities, and nothing that was signed is hashed', async () => {
    const cache = new SenderCache()
    const senders = new Senders({ mode: 'thread', cache })
    const recover = (signatures: Signatures) => senders.recover(signatures)
    for (const one of wire) await recoverSendersBulk(decodeSignedBatch([one], { chainId }), recover)
    expect(cache.hits).toBe(0)
    const { signatures, ...decoded } = decodeSignedBatch([...wire].reverse(), { chainId })
    const unhashed = {
      rs: signatures.rs,
      parity: signatures.parity,
      identity: signatures.identity,
      get hash(): Uint8Array {
        throw new Error('hashed')
      },
    }
    const batch = await recoverSendersBulk({ ...decoded, signatures: unhashed }, recover)
    expect(batch).toEqual(decodeSigned([...wire].reverse(), { chainId }))
    expect(cache.hits).toBe(3 + 2)
    // One with another byte is another one.
    const changed = Uint8Array.from(payment(0))
    changed[changed.length - 1]! ^= 1
    await recoverSendersBulk(decodeSignedBatch([changed, payment(5)], { chainId, faults: new Map() }), recover, {
      faults: new Map(),
    })
    expect(cache.hits).toBe(3 + 2)
  })

  test('do not speak for authorizations whose hash and signature are the bytes of one', async () => {
    // The address was searched for until the hash of the authorization began as a legacy transaction does: f8 5f, a
    // nonce of one byte, a price of 28. The rest of the transaction is r, s and parity.
    const address = '0x0000e8c400000207000000000000000000000000'
    const hash = 'f85f019c8bf1338c32bcc9a3c960399739ab36be33bd68a25b7a8e6b07ff712f'
    const to = `${'00'.repeat(19)}03`
    const r = `82520894${to}80801ba011111111`
    const s = `${'11'.repeat(16)}00000003${'11'.repeat(8)}84010101`
    const payment = Uint8Array.from(Buffer.from(`${hash}${r}${s}01`, 'hex'))
    const tuple = { chainId, address, nonce: 0n, signature: { yParity: 1n, r: BigInt(`0x${r}`), s: BigInt(`0x${s}`) } }
    const delegation = delegating([{ ...tuple, authority: undefined }])
    for (const wire of [
      [payment, delegation],
      [delegation, payment],
    ]) {
      const senders = new Senders({ mode: 'thread' })
      for (const one of wire) {
        const batch = await recoverSendersBulk(decodeSignedBatch([one], { chainId }), (rows) => senders.recover(rows))
        expect(batch).toEqual(decodeSigned([one], { chainId }))
      }
    }
  })
})

describe('known senders of a block', () => {
  const world = blockWorld('prague')
  const attributes = { ...ATTRIBUTES, withdrawals: [] }
  const pool = [payment(0), payment(1), payment(2)]

  const withExecutor = async <Result>(
    run: (
      executor: ReturnType<typeof createExecutor>,
      world_: { parent: typeof world.parent; parentState: ReturnType<typeof createStateTrie> },
    ) => Promise<Result>,
    senderCache = new SenderCache(),
  ): Promise<Result> => {
    const state = world.state.clone()
    const executor = createExecutor({ fork: 'prague', chainId: 1n, state, workers: 0, senderCache })
    try {
      return await run(executor, { parent: world.parent, parentState: createStateTrie(state.dump()) })
    } finally {
      executor.close()
    }
  }

  test('give the block that recovered ones give, and are not recovered', async () => {
    const cache = new SenderCache()
    const recovered = await withExecutor((executor, at) => executor.build({ ...at, attributes, pool }))
    const senders = [keyed(0), keyed(1).toUpperCase().replace('0X', '0x'), undefined]
    const built = await withExecutor((executor, at) => executor.build({ ...at, attributes, pool, senders }), cache)
    expect(built.block).toEqual(recovered.block)
    expect(built.order.length).toBe(3)
    const limbs = new Uint32Array(15)
    for (const [n, i] of built.order.entries()) addressFromHex(limbs, 5 * n, keyed(i))
    await withExecutor((executor, at) => executor.executeBlock({ ...built.block, senders: limbs }, at), cache)
    // Only the one that was not known has been recovered.
    const all = await withExecutor((executor, at) => executor.executeBlock(built.block, at), cache)
    expect([all.stateRoot, cache.hits]).toEqual([built.block.header.stateRoot, 1])
  })

  test('and a cache serve a pool that is decoded as it arrives', async () => {
    const cache = new SenderCache()
    const faults = new Map<number, TransactionInputError>()
    const arrived = [...pool, Uint8Array.of(0xff)]
    await withExecutor(async (executor) => {
      const senders = [undefined, keyed(5), undefined, undefined]
      const batch = await executor.decode(arrived, { faults, senders })
      expect([0, 1, 2].map((i) => addressToHex(batch.from, 5 * i))).toEqual([keyed(0), keyed(5), keyed(2)])
      expect([...faults.keys()]).toEqual([3])
      await expect(executor.decode(arrived)).rejects.toThrow('transaction 3: malformed RLP')
      await expect(executor.decode(pool, { senders: [] })).rejects.toThrow('senders must be as many as the 3')
      await expect(executor.decode(pool, { sender: [] } as object)).rejects.toThrow("did you mean 'senders'?")
      const reason = new Error('not now')
      await expect(executor.decode(pool, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      executor.close()
      await expect(executor.decode(pool)).rejects.toThrow('the executor is closed')
    }, cache)
    expect(cache.hits).toBe(0)
    await withExecutor((executor, at) => executor.build({ ...at, attributes, pool }), cache)
    expect(cache.hits).toBe(2)
  })

  test('are taken as given', async () => {
    const senders = [keyed(3), undefined, undefined]
    const built = await withExecutor((executor, at) => executor.build({ ...at, attributes, pool, senders }))
    expect(built.order.length).toBe(3)
    const check = withExecutor((executor, at) => executor.executeBlock(built.block, at))
    await expect(check).rejects.toThrow('stateRoot')
  })

  test.each<[string, unknown, string]>([
    ['a limb too few', new Uint32Array(14), 'senders must have 15 limbs for 3 transactions, got 14'],
    ['one too many', new Array(4).fill(undefined), 'senders must be as many as the 3 transactions, got 4'],
    ['text', keyed(1), "senders must be a Uint32Array of limbs or an array of 0x-hex, got '0x"],
    ['bytes', new Uint8Array(60), 'senders must be a Uint32Array of limbs or an array of 0x-hex, got a Uint8Array'],
    ['a short address', [undefined, '0x12', undefined], "senders[1] must be 0x and 40 hex digits, got '0x12'"],
    ['a number', [1, undefined, undefined], 'senders[0] must be 0x and 40 hex digits, got 1'],
  ])('are refused as %s', async (_, senders, message) => {
    const { block } = await withExecutor((executor, at) => executor.build({ ...at, attributes, pool }))
    const given = { senders: senders as Uint32Array }
    await expect(withExecutor((executor, at) => executor.executeBlock({ ...block, ...given }, at))).rejects.toThrow(
      message,
    )
    const building = withExecutor((executor, at) => executor.build({ ...at, attributes, pool, ...given }))
    await expect(building).rejects.toThrow(message)
  })

  test('are refused beside decoded transactions', async () => {
    const { block } = await withExecutor((executor, at) => executor.build({ ...at, attributes, pool }))
    const decoded = decodeSigned(pool, { chainId: 1n })
    const senders = decoded.from
    const executing = withExecutor((executor, at) =>
      executor.executeBlock({ ...block, transactions: decoded, senders }, at),
    )
    await expect(executing).rejects.toThrow('senders must be absent beside decoded transactions')
    const building = withExecutor((executor, at) => executor.build({ ...at, attributes, pool, decoded, senders }))
    await expect(building).rejects.toThrow('senders must be absent beside decoded transactions')
  })
})
