import { LIMBS_PER_WORD } from '../../transpiler/layout/word.ts'
import type { ColumnPool } from '../primitives/column_pool.ts'
import { CHUNK, CHUNK_AT, MODULE_BYTES } from '../primitives/column_request.ts'
import { type WasmModule, wasm } from '../primitives/web_assembly.ts'
import type { TransactionBatch } from './batch.ts'
import type { RuleColumns, RuleTerms } from './rule_columns.ts'
import { RULES_MODULE } from './rules_module.generated.ts'
import { LEFT, RULES_REQUEST } from './rules_request.ts'

/** Types that the module knows. */
const HIGHEST_TYPE = 2

let compiled: WasmModule | undefined

/**
 * The static rules of a batch by a module of WebAssembly, for calls of types 0 to 2 without access list; it leaves the
 * others. Its columns are those of a pool, and so are copies of what passes over the batch read later.
 */
export class RulesPass {
  readonly columns: ColumnPool
  readonly type: Uint8Array
  readonly nonce: Uint32Array
  readonly value: Uint32Array
  readonly #batch: TransactionBatch
  readonly #request: Uint32Array
  readonly #numbers: Float64Array
  readonly #fee: BigUint64Array
  readonly #applyRules: (count: number) => number
  readonly #creates: Uint8Array
  readonly #gas: Uint32Array
  readonly #maxFee: Uint32Array
  readonly #maxPriority: Uint32Array
  readonly #dataStart: Uint32Array
  readonly #accessStart: Uint32Array
  readonly #data: Uint8Array

  /** `columns`: begun for this batch. */
  constructor(batch: TransactionBatch, columns: ColumnPool) {
    this.#batch = batch
    this.columns = columns
    compiled ??= new wasm.Module(Buffer.from(RULES_MODULE, 'base64'))
    this.#applyRules = columns.memory.exportsOf(compiled)['applyRules'] as (count: number) => number
    const { buffer } = columns.memory.memory
    this.#request = new Uint32Array(buffer, 0, CHUNK_AT / 4)
    this.#numbers = new Float64Array(buffer, 0, CHUNK_AT / 8)
    this.#fee = new BigUint64Array(buffer, RULES_REQUEST.baseFee, 1)
    this.type = columns.u8(batch.count)
    this.nonce = columns.u32(2 * batch.count)
    this.value = columns.u32(LIMBS_PER_WORD * batch.count)
    let at = CHUNK_AT
    const words = (length: number): Uint32Array => {
      const column = new Uint32Array(buffer, at, length)
      at += column.byteLength
      return column
    }
    this.#gas = words(2 * CHUNK)
    this.#maxFee = words(LIMBS_PER_WORD * CHUNK)
    this.#maxPriority = words(LIMBS_PER_WORD * CHUNK)
    this.#dataStart = words(CHUNK + 4)
    this.#accessStart = words(CHUNK + 4)
    this.#creates = new Uint8Array(buffer, at, CHUNK)
    // The module reads vectors past the end.
    this.#data = new Uint8Array(buffer, at + CHUNK, MODULE_BYTES - at - CHUNK - 16)
  }

  /** Fills the columns of the batch. Returns how many transactions it left, whose rejection is LEFT. */
  apply(terms: RuleTerms, columns: RuleColumns): number {
    const { batch, type, nonce, value } = { batch: this.#batch, type: this.type, nonce: this.nonce, value: this.value }
    const { count, dataStart } = batch
    type.set(batch.type)
    nonce.set(batch.nonce.subarray(0, 2 * count))
    value.set(batch.value.subarray(0, LIMBS_PER_WORD * count))
    if (terms.base === undefined) {
      columns.rejection.fill(LEFT)
      return count
    }
    this.#askTerms(terms)
    let left = 0
    for (let first = 0; first < count; ) {
      let end = Math.min(count, first + CHUNK)
      while (dataStart[end]! - dataStart[first]! > this.#data.length && end > first) end = first + ((end - first) >>> 1)
      if (end === first) {
        columns.rejection[first++] = LEFT
        left++
        continue
      }
      this.#bring(first, end)
      this.#ask(first, columns)
      left += this.#applyRules(end - first)
      first = end
    }
    return left
  }

  #askTerms({ base, highestType, hasFloor, gasCap, nonZeroGas }: RuleTerms): void {
    this.#fee[0] = base!
    this.#numbers[RULES_REQUEST.gasCap / 8] = gasCap
    this.#numbers[RULES_REQUEST.nonZeroGas / 8] = nonZeroGas
    this.#request[RULES_REQUEST.highestType / 4] = Math.min(HIGHEST_TYPE, highestType)
    this.#request[RULES_REQUEST.hasFloor / 4] = hasFloor ? 1 : 0
  }

  #bring(first: number, end: number): void {
    const { gasLimit, maxFeePerGas, maxPriorityFeePerGas, creates, data, dataStart, accessStart } = this.#batch
    this.#gas.set(gasLimit.subarray(2 * first, 2 * end))
    this.#maxFee.set(maxFeePerGas.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
    this.#maxPriority.set(maxPriorityFeePerGas.subarray(LIMBS_PER_WORD * first, LIMBS_PER_WORD * end))
    this.#creates.set(creates.subarray(first, end))
    this.#dataStart.set(dataStart.subarray(first, end + 1))
    this.#accessStart.set(accessStart.subarray(first, end + 1))
    this.#data.set(data.subarray(dataStart[first], dataStart[end]))
  }

  #ask(first: number, columns: RuleColumns): void {
    const put = (field: keyof typeof RULES_REQUEST, column: ArrayBufferView, at = 0): void => {
      this.#request[RULES_REQUEST[field] / 4] = column.byteOffset + at
    }
    put('type', this.type, first)
    put('nonce', this.nonce, 8 * first)
    put('value', this.value, 32 * first)
    put('gas', this.#gas)
    put('maxFee', this.#maxFee)
    put('maxPriority', this.#maxPriority)
    put('creates', this.#creates)
    put('dataStart', this.#dataStart)
    put('accessStart', this.#accessStart)
    put('data', this.#data, -this.#batch.dataStart[first]!)
    put('intrinsic', columns.intrinsic, 8 * first)
    put('floor', columns.floor, 8 * first)
    put('gasLimit', columns.gasLimit, 8 * first)
    put('price', columns.price, 32 * first)
    put('priority', columns.priority, 32 * first)
    put('cost', columns.cost, 32 * first)
    put('rejection', columns.rejection, first)
  }
}
