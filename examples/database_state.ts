/**
 * A State of one's own: accounts, slots and code in LevelDB (`npm install classic-level`).
 *
 * Reads come in bulk and go to the database as one request each; a commit is one atomic, synced batch. The program runs
 * the same blocks on this State and on a MemoryState, opens the database again, and compares.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import {
  type AccountColumns,
  addressFromHex,
  addressToHex,
  type ComputeDevice,
  createExecutor,
  EMPTY_CODE_HASH,
  MemoryState,
  openDevice,
  quantityFromBigInt,
  quantityToBigInt,
  type State,
  type StateWrites,
  type TransactionObject,
  wordFromBigInt,
  wordFromHex,
  wordToBigInt,
  wordToHex,
} from 'wgevm'

/** Limbs of an account's record: nonce (2), balance (8), code hash (8). */
const RECORD_LIMBS = 18

const accountKey = (address: string): string => `account ${address}`
const slotKey = (address: string, slot: string): string => `slot ${address} ${slot}`
const codeKey = (hash: string): string => `code ${hash}`

const bytesOf = (limbs: Uint32Array): Uint8Array => new Uint8Array(limbs.buffer, limbs.byteOffset, limbs.byteLength)
/** A copy, since bytes from the database need not begin at a multiple of four. */
const limbsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.slice().buffer)

type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string }

export class LevelState implements State {
  readonly #database: ClassicLevel<string, Uint8Array>

  constructor(folder: string) {
    this.#database = new ClassicLevel(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  }

  async readAccounts(addresses: Uint32Array, count: number): Promise<AccountColumns> {
    const keys = Array.from({ length: count }, (_, i) => accountKey(addressToHex(addresses, 5 * i)))
    const columns = {
      exists: new Uint8Array(count),
      nonce: new Uint32Array(2 * count),
      balance: new Uint32Array(8 * count),
      codeHash: new Uint32Array(8 * count),
    }
    for (const [i, bytes] of (await this.#database.getMany(keys)).entries()) {
      if (bytes === undefined) {
        wordFromHex(columns.codeHash, 8 * i, EMPTY_CODE_HASH)
        continue
      }
      const record = limbsOf(bytes)
      columns.exists[i] = 1
      columns.nonce.set(record.subarray(0, 2), 2 * i)
      columns.balance.set(record.subarray(2, 10), 8 * i)
      columns.codeHash.set(record.subarray(10, RECORD_LIMBS), 8 * i)
    }
    return columns
  }

  async readSlots(addresses: Uint32Array, keys: Uint32Array, count: number): Promise<Uint32Array> {
    const names = Array.from({ length: count }, (_, i) =>
      slotKey(addressToHex(addresses, 5 * i), wordToHex(keys, 8 * i)),
    )
    const values = new Uint32Array(8 * count)
    for (const [i, bytes] of (await this.#database.getMany(names)).entries()) {
      if (bytes !== undefined) values.set(limbsOf(bytes), 8 * i)
    }
    return values
  }

  async readCode(hash: string): Promise<Uint8Array> {
    if (hash === EMPTY_CODE_HASH) return new Uint8Array(0)
    const code = await this.#database.get(codeKey(hash))
    if (code === undefined) throw new Error(`the database has no code with hash ${hash}`)
    return code
  }

  async hasStorage(address: string): Promise<boolean> {
    return (await this.#slotsOf(address, 1)).length > 0
  }

  blockHash(): undefined {
    return undefined
  }

  async commit(writes: StateWrites): Promise<void> {
    const operations: Operation[] = []
    for (let at = 0; at < writes.deletedAccounts.length; at += 5) {
      const address = addressToHex(writes.deletedAccounts, at)
      for (const key of [accountKey(address), ...(await this.#slotsOf(address))]) operations.push({ type: 'del', key })
    }
    const { nonce, balance, codeHash, exists } = writes.accounts
    for (let i = 0; i < writes.accountCount; i++) {
      const key = accountKey(addressToHex(writes.accountAddresses, 5 * i))
      const record = new Uint32Array(RECORD_LIMBS)
      record.set(nonce.subarray(2 * i, 2 * i + 2), 0)
      record.set(balance.subarray(8 * i, 8 * i + 8), 2)
      record.set(codeHash.subarray(8 * i, 8 * i + 8), 10)
      operations.push(exists[i] === 0 ? { type: 'del', key } : { type: 'put', key, value: bytesOf(record) })
    }
    for (let i = 0; i < writes.slotCount; i++) {
      const key = slotKey(addressToHex(writes.slotAddresses, 5 * i), wordToHex(writes.slotKeys, 8 * i))
      const value = writes.slotValues.slice(8 * i, 8 * i + 8)
      operations.push(
        value.some((limb) => limb !== 0) ? { type: 'put', key, value: bytesOf(value) } : { type: 'del', key },
      )
    }
    for (const [hash, code] of writes.code) operations.push({ type: 'put', key: codeKey(hash), value: code })
    await this.#database.batch(operations, { sync: true })
  }

  /** Writes a genesis as one commit. */
  async load(genesis: MemoryState): Promise<void> {
    const accounts = Object.entries(genesis.dump())
    const slots = accounts.flatMap(([address, { storage }]) =>
      Object.entries(storage).map(([key, value]) => [address, key, value] as const),
    )
    const operations: Operation[] = slots.map(([address, key, value]) => {
      const word = new Uint32Array(8)
      wordFromHex(word, 0, value)
      return { type: 'put', key: slotKey(address, key), value: bytesOf(word) }
    })
    for (const [address, { nonce, balance, codeHash }] of accounts) {
      const record = new Uint32Array(RECORD_LIMBS)
      quantityFromBigInt(record, 0, nonce)
      wordFromBigInt(record, 2, balance)
      wordFromHex(record, 10, codeHash)
      operations.push({ type: 'put', key: accountKey(address), value: bytesOf(record) })
      operations.push({ type: 'put', key: codeKey(codeHash), value: genesis.code(codeHash) })
    }
    await this.#database.batch(operations, { sync: true })
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  #slotsOf(address: string, limit = -1): Promise<string[]> {
    return this.#database.keys({ gt: slotKey(address, ''), lt: slotKey(address, '~'), limit }).all()
  }
}

/** Adds the calldata word to the caller's slot, and logs the sum. */
const LEDGER_CODE = '0x600035335401335560003560005260206000a000'
const ledger = `0x${'1ed9'.repeat(10)}`
const senders = Array.from({ length: 40 }, (_, n) => `0x${(0xa000 + n).toString(16).padStart(40, '0')}`)
const genesis = MemoryState.from({
  ...Object.fromEntries(senders.map((sender) => [sender, { balance: 10n ** 18n }])),
  [ledger]: { nonce: 1n, code: LEDGER_CODE },
})

const transactionsOf = (block: bigint): TransactionObject[] =>
  senders.map((from, n) => ({
    from,
    to: ledger,
    nonce: block,
    gasLimit: 100_000n,
    gasPrice: 10n,
    data: `0x${(n + 1).toString(16).padStart(64, '0')}`,
  }))

const gasOf = async (state: State, device: ComputeDevice): Promise<number[]> => {
  const executor = createExecutor({ fork: 'osaka', chainId: 1n, state, device })
  const gas: number[] = []
  for (let block = 0n; block < 3n; block++) {
    const env = {
      number: block,
      timestamp: block,
      coinbase: ledger,
      gasLimit: 30_000_000n,
      baseFeePerGas: 7n,
      prevRandao: 0n,
    }
    const { receipts } = await executor.execute({ env, transactions: transactionsOf(block) })
    gas.push(receipts.totalGasUsed)
  }
  executor.close()
  return gas
}

/** Accounts and slots of a MemoryState that another State has differently. */
const differences = async (state: State, memory: MemoryState): Promise<number> => {
  let count = 0
  const limbs = new Uint32Array(5)
  const key = new Uint32Array(8)
  for (const [address, { nonce, balance, storage }] of Object.entries(memory.dump())) {
    addressFromHex(limbs, 0, address)
    const read = await state.readAccounts(limbs, 1)
    if (quantityToBigInt(read.nonce, 0) !== nonce || wordToBigInt(read.balance, 0) !== balance) count++
    for (const [slot, value] of Object.entries(storage)) {
      wordFromHex(key, 0, slot)
      if (wordToHex(await state.readSlots(limbs, key, 1), 0) !== value) count++
    }
  }
  return count
}

const folder = mkdtempSync(join(tmpdir(), 'wgevm-state-'))
const device = await openDevice()
try {
  const database = new LevelState(folder)
  await database.load(genesis)
  const [inDatabase, inMemory] = [await gasOf(database, device), await gasOf(genesis, device)]
  await database.close()

  const reopened = new LevelState(folder)
  const differing = await differences(reopened, genesis)
  await reopened.close()
  const [accounts, slots] = [Object.keys(genesis.dump()).length, Object.keys(genesis.dump()[ledger]!.storage).length]
  console.log(`gas in the database ${inDatabase}, in memory ${inMemory}`)
  console.log(`${accounts} accounts and ${slots} slots, of which ${differing} differ`)
  if (differing > 0 || inDatabase.join() !== inMemory.join()) process.exitCode = 1
} finally {
  device.destroy()
  rmSync(folder, { recursive: true, force: true })
}
