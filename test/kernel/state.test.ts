import { expect, it } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import { BINDINGS } from '../../transpiler/layout/environment.ts'
import { MAX_PROBES } from '../../transpiler/layout/tables.ts'
import { MISSING } from '../../transpiler/path_kernel.ts'
import { EDGE_WORDS, randomWords } from '../fixtures/edge_words.ts'
import {
  columnsOf,
  describeOnAdapters,
  environmentOf,
  laneBuffers,
  laneEntry,
  laneVector,
  laneWord,
  limbsOf,
  type Rig,
  type RigBuffer,
} from './rig.ts'
import {
  type Account,
  type AccountArrays,
  accountArrays,
  hashOfAccount,
  hashOfSlot,
  probesTo,
  type Slot,
  type SlotArrays,
  slotArrays,
} from './state_tables.ts'

const SEED = 77

/** lanesIn: (account, raw slot id, 0, 0), key. lanesOut: (id, hash, 0, 0), value of the id, value of the raw id. */
const SLOT_BODY = `
  let asked = lane_in(0u, lane);
  let key = lane_in_word(1u, lane);
  let id = state_slot(asked.x, key);
  lane_out(0u, lane, vec4<u32>(id, state_slot_hash(asked.x, key), 0u, 0u));
  lane_out_word(1u, lane, state_slot_value(id));
  lane_out_word(3u, lane, state_slot_value(asked.y));
`

/** lanesIn: address, (constant index, 0, 0, 0). lanesOut: (id, hash, skeleton, exists), address, balance, constant. */
const ACCOUNT_BODY = `
  let address = lane_in_word(0u, lane);
  let id = state_account(address);
  let exists = select(0u, 1u, state_account_exists(id));
  lane_out(0u, lane, vec4<u32>(id, state_account_hash(address), state_account_skeleton(id), exists));
  lane_out_word(1u, lane, state_account_address(id));
  lane_out_word(3u, lane, state_account_balance(id));
  lane_out_word(5u, lane, state_constant(id, lane_in(2u, lane).x));
`

interface Tables {
  readonly slots?: SlotArrays
  readonly accounts?: AccountArrays
  readonly constants?: Uint32Array
}

/** All eight bindings; a table that is not given is empty. */
const stateBuffers = (lanesIn: Uint32Array, laneCount: number, outputColumns: number, tables: Tables): RigBuffer[] => {
  const { slots, accounts, constants } = tables
  const environment = environmentOf({
    laneCount,
    slotMask: slots === undefined ? 0 : slots.index.length / 2 - 1,
    accountMask: accounts === undefined ? 0 : accounts.index.length / 2 - 1,
  })
  const table = (binding: number, data: Uint32Array | undefined): RigBuffer =>
    data === undefined || data.length === 0
      ? { binding, type: 'read-only-storage', sizeBytes: 64 }
      : { binding, type: 'read-only-storage', data }
  return [
    ...laneBuffers(environment, lanesIn, outputColumns),
    table(BINDINGS.slotIndex, slots?.index),
    table(BINDINGS.slotKeys, slots?.keys),
    table(BINDINGS.slotValues, slots?.values),
    table(BINDINGS.accountIndex, accounts?.index),
    table(BINDINGS.accountRows, accounts?.rows),
    table(BINDINGS.constants, constants),
  ]
}

type SlotKey = Pick<Slot, 'account' | 'key'>

const lookUpSlots = async (rig: Rig, slots: SlotArrays, asked: readonly SlotKey[], rawIds: readonly number[] = []) => {
  const laneCount = asked.length
  const lanesIn = columnsOf([
    asked.map(({ account }, i) => [account, rawIds[i] ?? MISSING]),
    asked.map(({ key }) => key),
  ])
  const [lanesOut] = await rig.run({
    label: 'state_slot',
    wgsl: PRELUDE + laneEntry(SLOT_BODY),
    entryPoint: 'test',
    buffers: stateBuffers(lanesIn, laneCount, 5, { slots }),
    invocations: laneCount,
  })
  return asked.map((_, lane) => {
    const [id, hash] = laneVector(lanesOut!, laneCount, 0, lane)
    return {
      id,
      hash,
      value: laneWord(lanesOut!, laneCount, 1, lane),
      rawValue: laneWord(lanesOut!, laneCount, 3, lane),
    }
  })
}

const lookUpAccounts = async (rig: Rig, tables: Tables, addresses: readonly bigint[], constantIndex = 0) => {
  const laneCount = addresses.length
  const [lanesOut] = await rig.run({
    label: 'state_account',
    wgsl: PRELUDE + laneEntry(ACCOUNT_BODY),
    entryPoint: 'test',
    buffers: stateBuffers(columnsOf([addresses, addresses.map(() => [constantIndex])]), laneCount, 7, tables),
    invocations: laneCount,
  })
  return addresses.map((_, lane) => {
    const [id, hash, skeleton, exists] = laneVector(lanesOut!, laneCount, 0, lane)
    const word = (column: number) => laneWord(lanesOut!, laneCount, column, lane)
    return { id, hash, skeleton, exists: exists === 1, address: word(1), balance: word(3), constant: word(5) }
  })
}

/** Slots of a few accounts, each key distinct within its account, and the same keys under several accounts. */
const someSlots = (count: number): Slot[] => {
  const words = randomWords(SEED, count)
  const slots = words.map((value, i) => ({
    account: i % 7,
    key: i % 3 === 0 ? BigInt(i) : words[count - 1 - i]!,
    value,
  }))
  const byKey = new Map(slots.map((slot) => [`${slot.account} ${slot.key}`, slot]))
  return [...byKey.values()]
}

/** `count` keys of an account whose bucket in a table of this capacity is `bucket`. */
const keysInBucket = (count: number, capacity: number, bucket: number, account: number): bigint[] => {
  const keys: bigint[] = []
  for (let key = 0n; keys.length < count; key++) {
    if ((hashOfSlot({ account, key }) & (capacity - 1)) === bucket) keys.push(key)
  }
  return keys
}

const checkState = (rig: Rig): void => {
  it('state_slot finds every slot of a half-full table and its value', async () => {
    const slots = someSlots(2000)
    const found = await lookUpSlots(rig, slotArrays(4096, slots), slots)
    expect(found.map(({ id, value }) => ({ id, value }))).toEqual(slots.map(({ value }, id) => ({ id, value })))
  })

  it('state_slot_hash equals slotHash of the host', async () => {
    const asked = [...EDGE_WORDS, ...randomWords(SEED + 1, 500)].map((key, i) => ({
      account: (i * 0x9e3779b1) >>> 0,
      key,
    }))
    const found = await lookUpSlots(rig, slotArrays(64, []), asked)
    expect(found.map(({ hash }) => hash)).toEqual(asked.map(hashOfSlot))
  })

  it('state_slot misses absent keys, and present keys under another account', async () => {
    const slots = someSlots(2000)
    const absent = [
      ...slots.map(({ key }) => ({ account: 7, key })),
      ...slots.map(({ account, key }) => ({ account, key: key ^ (1n << 255n) })),
      ...slots.map(({ account, key }) => ({ account, key: key ^ (1n << 128n) })),
      ...slots.map(({ key }) => ({ account: MISSING, key })),
    ].filter(({ account, key }) => !slots.some((slot) => slot.account === account && slot.key === key))
    expect(absent.length).toBeGreaterThan(7000)
    const found = await lookUpSlots(rig, slotArrays(4096, slots), absent)
    expect(found.filter(({ id, value }) => id !== MISSING || value !== 0n)).toEqual([])
  })

  it('state_slot finds a key at the last probe and misses the one after it', async () => {
    const capacity = 256
    // The chain wraps around the end of the index.
    const keys = keysInBucket(MAX_PROBES + 8, capacity, capacity - 10, 3)
    const slots = keys.map((key, i) => ({ account: 3, key, value: BigInt(i + 1) }))
    const arrays = slotArrays(capacity, slots)
    expect(slots.map((slot, id) => probesTo(arrays.index, hashOfSlot(slot), id))).toEqual(slots.map((_, id) => id))
    const found = await lookUpSlots(rig, arrays, slots)
    expect(found.map(({ id }) => id)).toEqual(slots.map((_, id) => (id < MAX_PROBES ? id : MISSING)))
    expect(found.map(({ value }) => value)).toEqual(slots.map(({ value }, id) => (id < MAX_PROBES ? value : 0n)))
  })

  it('state_slot tells apart keys that differ in one limb only', async () => {
    const keys = [0n, ...Array.from({ length: 8 }, (_, limb) => 1n << BigInt(32 * limb))]
    const slots = keys.map((key, i) => ({ account: 0, key, value: BigInt(100 + i) }))
    const found = await lookUpSlots(rig, slotArrays(64, slots), slots)
    expect(found.map(({ value }) => value)).toEqual(slots.map(({ value }) => value))
  })

  it('state_slot ends on a table without an empty bucket', async () => {
    for (const capacity of [1, 2, 64, 128]) {
      const slots = Array.from({ length: capacity }, (_, i) => ({ account: 1, key: BigInt(i), value: BigInt(i + 5) }))
      const arrays = slotArrays(capacity, slots)
      const within = slots.map((slot, id) => probesTo(arrays.index, hashOfSlot(slot), id) < MAX_PROBES)
      const absent = Array.from({ length: 100 }, (_, i) => ({ account: 1, key: BigInt(1000 + i) }))
      const found = await lookUpSlots(rig, arrays, [...slots, ...absent])
      expect(found.map(({ id }) => id)).toEqual([
        ...slots.map((_, id) => (within[id] ? id : MISSING)),
        ...absent.map(() => MISSING),
      ])
    }
  })

  it('state_slot_value reads any id and gives zero for MISSING', async () => {
    const slots = someSlots(100)
    const rawIds = [...slots.map((_, id) => id), MISSING]
    const asked = rawIds.map(() => ({ account: 99, key: 1n }))
    const found = await lookUpSlots(rig, slotArrays(256, slots), asked, rawIds)
    expect(found.map(({ rawValue }) => rawValue)).toEqual([...slots.map(({ value }) => value), 0n])
  })

  it('state_account finds every account and reads its row and constants', async () => {
    const constants = randomWords(SEED + 2, 400)
    const addresses = [...new Set(randomWords(SEED + 3, 300).map((word) => BigInt.asUintN(160, word)))]
    const accounts = addresses.map((address, i) => ({
      address,
      skeleton: i % 5,
      constantsAt: i,
      exists: i % 2 === 0,
      balance: constants[(i * 3) % 400]!,
    }))
    const tables = { accounts: accountArrays(1024, accounts), constants: limbsOf(constants) }
    const found = await lookUpAccounts(rig, tables, addresses, 2)
    expect(found).toEqual(
      accounts.map(({ constantsAt, ...account }, id) => ({
        ...account,
        id,
        hash: hashOfAccount(account.address),
        constant: constants[constantsAt + 2],
      })),
    )
  })

  it('state_constant past the table is zero', async () => {
    const accounts = [5n, 6n].map((address, i) => ({
      address,
      skeleton: 1,
      constantsAt: 3 * i,
      exists: true,
      balance: 1n,
    }))
    const tables = { accounts: accountArrays(64, accounts), constants: limbsOf([11n, 12n, 13n, 14n]) }
    const constantsAt = async (index: number) =>
      (await lookUpAccounts(rig, tables, [5n, 6n], index)).map(({ constant }) => constant)
    expect(await constantsAt(0)).toEqual([11n, 14n])
    expect(await constantsAt(1)).toEqual([12n, 0n])
    expect(await constantsAt(3)).toEqual([14n, 0n])
    expect(await constantsAt(4)).toEqual([0n, 0n])
  })

  it('state_account tells apart addresses with one tag, and misses what is not there', async () => {
    // Limb 0 is the tag of a bucket; the rest of the address lies in its row.
    const addresses = Array.from({ length: 40 }, (_, i) => (BigInt(i) << BigInt(32 + (i % 5) * 25)) | 0xdeadbeefn)
    const present = [...new Set(addresses)]
    const accounts = present.map(
      (address, i): Account => ({ address, skeleton: i, constantsAt: 0, exists: true, balance: 1n }),
    )
    const absent = present.map((address) => address ^ (1n << 159n))
    const found = await lookUpAccounts(rig, { accounts: accountArrays(128, accounts) }, [...present, ...absent])
    expect(found.map(({ id }) => id)).toEqual([...present.map((_, id) => id), ...absent.map(() => MISSING)])
    expect(
      found
        .slice(present.length)
        .filter(
          ({ skeleton, exists, address, balance, constant }) =>
            skeleton !== 0 || exists || address !== 0n || balance !== 0n || constant !== 0n,
        ),
    ).toEqual([])
  })

  it('state_account finds an address at the last probe and misses the one after it', async () => {
    const capacity = 256
    const addresses: bigint[] = []
    for (let address = 1n; addresses.length < MAX_PROBES + 4; address++) {
      if ((hashOfAccount(address) & (capacity - 1)) === 250) addresses.push(address)
    }
    const accounts = addresses.map(
      (address): Account => ({ address, skeleton: 0, constantsAt: 0, exists: true, balance: 0n }),
    )
    const found = await lookUpAccounts(rig, { accounts: accountArrays(capacity, accounts) }, addresses)
    expect(found.map(({ id }) => id)).toEqual(addresses.map((_, id) => (id < MAX_PROBES ? id : MISSING)))
  })

  it('look-ups in empty tables miss', async () => {
    const [account] = await lookUpAccounts(rig, {}, [0n])
    expect(account).toMatchObject({ id: MISSING, skeleton: 0, exists: false, balance: 0n, constant: 0n })
    const [slot] = await lookUpSlots(rig, slotArrays(1, []), [{ account: 0, key: 0n }])
    expect(slot).toMatchObject({ id: MISSING, value: 0n, rawValue: 0n })
  })
}

describeOnAdapters('state tables', checkState)
describeOnAdapters('state tables', checkState, 'on')
