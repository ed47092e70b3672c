import type { RecordedTransaction, RecordState } from '../../../transpiler/index.ts'
import { LIMBS_PER_ADDRESS, LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { ListedAccount } from '../../../transpiler/record/transaction.ts'
import type { Fork } from '../../../transpiler/spec/forks.ts'
import type { OpenBatch } from '../../batch/open_batch.ts'
import { type TransactionBatch, transactionData } from '../../chain/batch.ts'
import { environmentValues } from '../../chain/environment.ts'
import type { Precompiles } from '../../precompiles/precompiles.ts'
import { wordFromBigInt, wordToBigInt } from '../../primitives/word.ts'
import { ROW_BALANCE, ROW_LIMBS } from '../../state/tables/account_table.ts'
import type { ResidentState } from '../../state/tables/resident_tables.ts'

/** Transaction i of a batch in the words of the recorder. */
export const recordedTransaction = (
  { fork, chainId }: { readonly fork: Fork; readonly chainId: bigint },
  openBatch: OpenBatch,
  i: number,
): RecordedTransaction => {
  const { batch, rules, env } = openBatch
  const address = new Uint32Array(LIMBS_PER_WORD)
  const addressAt = (addresses: Uint32Array): bigint => {
    address.set(addresses.subarray(LIMBS_PER_ADDRESS * i, LIMBS_PER_ADDRESS * (i + 1)))
    return wordToBigInt(address, 0)
  }
  return {
    fork,
    environment: environmentValues(env, chainId),
    from: addressAt(batch.from),
    to: addressAt(batch.to),
    value: wordToBigInt(batch.value, LIMBS_PER_WORD * i),
    gasPrice: wordToBigInt(rules.price, LIMBS_PER_WORD * i),
    data: transactionData(batch, i).slice(),
    gas: openBatch.executionGas[i]!,
    ...listed(accessListOf(batch, i)),
  }
}

const listed = (accessList: readonly ListedAccount[]): Pick<RecordedTransaction, 'accessList'> =>
  accessList.length === 0 ? {} : { accessList }

/** The access list of transaction i. */
export const accessListOf = (batch: TransactionBatch, i: number): ListedAccount[] => {
  const list: ListedAccount[] = []
  const address = new Uint32Array(LIMBS_PER_WORD)
  for (let entry = batch.accessStart[i]!; entry < batch.accessStart[i + 1]!; entry++) {
    address.set(batch.accessAddress.subarray(LIMBS_PER_ADDRESS * entry, LIMBS_PER_ADDRESS * (entry + 1)))
    const keys: bigint[] = []
    for (let key = batch.accessKeyStart[entry]!; key < batch.accessKeyStart[entry + 1]!; key++)
      keys.push(wordToBigInt(batch.accessKey, LIMBS_PER_WORD * key))
    list.push({ address: wordToBigInt(address, 0), keys })
  }
  return list
}

/**
 * The resident state in the words of the recorder. A path holds by its guards, so running values serve as well as base
 * values.
 */
export class RecordedState implements RecordState {
  readonly #resident: ResidentState
  readonly #precompiles: Precompiles
  readonly #word = new Uint32Array(LIMBS_PER_WORD)
  readonly #ids = new Int32Array(1)

  constructor(resident: ResidentState, precompiles: Precompiles) {
    this.#resident = resident
    this.#precompiles = precompiles
  }

  precompile(address: number, input: Uint8Array) {
    return this.#precompiles.run(address, input)
  }

  async blockHash(number: bigint): Promise<bigint | undefined> {
    const hash = await this.#resident.state.blockHash(number)
    return hash === undefined ? undefined : BigInt(hash)
  }

  async account(address: bigint): Promise<{ balance: bigint; code: Uint8Array } | undefined> {
    const id = await this.#accountId(address)
    const { accounts, codes } = this.#resident
    if (!accounts.exists(id)) return undefined
    const balance = wordToBigInt(accounts.rows, id * ROW_LIMBS + ROW_BALANCE)
    return { balance, code: codes.codes[accounts.code(id)]!.bytes }
  }

  async storage(address: bigint, key: bigint): Promise<bigint> {
    const owner = await this.#accountId(address)
    wordFromBigInt(this.#word, 0, key)
    await this.#resident.slotIds(Int32Array.of(owner), this.#word, 1, this.#ids)
    return wordToBigInt(this.#resident.slots.values, this.#ids[0]! * LIMBS_PER_WORD)
  }

  async #accountId(address: bigint): Promise<number> {
    wordFromBigInt(this.#word, 0, address)
    await this.#resident.accountIds(this.#word, 1, this.#ids)
    return this.#ids[0]!
  }
}
