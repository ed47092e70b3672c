import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import { CHUNK, CHUNK_AT } from '../../primitives/column_request.ts'
import { type WasmModule, wasm } from '../../primitives/web_assembly.ts'
import { wordFromBigInt } from '../../primitives/word.ts'
import { type TransactionBatch, TYPE_DEPOSIT } from '../batch.ts'
import type { BlockEnvironment } from '../environment.ts'
import type { TransactionRules } from '../rules.ts'
import type { RulesPass } from '../rules_pass.ts'
import {
  CHARGE_REQUEST,
  KIND_LEFT,
  MOST_KINDS,
  MOST_MEASURE,
  OPERATOR_HUNDRED,
  OPERATOR_MILLIONTH,
  OPERATOR_NONE,
} from './charge_request.ts'
import { chargedRules, chargeOne } from './charge_rules.ts'
import type { OpCharges } from './charges.ts'
import { CHARGES_MODULE } from './charges_module.generated.ts'
import { daFootprint, type L1Attributes, l1FeeOf, type OperatorFee, operatorFeeOf } from './l1_fees.ts'
import { isOpAtLeast, type OpFork } from './op_forks.ts'

/** Bytes of the columns of a transaction: what it pays the L1, what it pays in all, and the room that it takes. */
export const CHARGE_BYTES = 32 + 32 + 8

/** Writes what the operator takes into the request of a module. */
export const askOperator = (
  request: Uint32Array,
  at: Readonly<Record<'operatorMark' | 'operatorScalar' | 'operatorConstant', number>>,
  operator: OperatorFee | undefined,
): void => {
  request[at.operatorMark / 4] = OPERATOR_NONE
  if (operator === undefined) return
  request[at.operatorMark / 4] = isOpAtLeast(operator.fork, 'jovian') ? OPERATOR_HUNDRED : OPERATOR_MILLIONTH
  request[at.operatorScalar / 4] = Number(operator.scalar)
  wordFromBigInt(request, at.operatorConstant / 4, operator.constant)
}

let compiled: WasmModule | undefined

/**
 * What `opChargesOf` and `chargeRules` do, by a module of WebAssembly, for a batch that a RulesPass has ruled: its
 * columns, and those of the charges, are the pool's.
 */
export class ChargePass {
  readonly #pass: RulesPass
  readonly #request: Uint32Array
  readonly #findKinds: (count: number) => number
  readonly #charge: (count: number) => number
  readonly #measures: Uint32Array
  readonly #kinds: Uint32Array
  readonly #table: Uint32Array
  readonly #distinct: Uint32Array
  readonly #fees: Uint32Array
  readonly #footprints: Float64Array

  constructor(pass: RulesPass) {
    this.#pass = pass
    const { memory } = pass.columns
    compiled ??= new wasm.Module(Buffer.from(CHARGES_MODULE, 'base64'))
    const exports = memory.exportsOf(compiled)
    this.#findKinds = exports['findKinds'] as (count: number) => number
    this.#charge = exports['charge'] as (count: number) => number
    const { buffer } = memory.memory
    this.#request = new Uint32Array(buffer, 0, CHUNK_AT / 4)
    let at = CHUNK_AT
    const words = (length: number): Uint32Array => {
      const column = new Uint32Array(buffer, at, length)
      at += column.byteLength
      return column
    }
    this.#measures = words(CHUNK)
    this.#kinds = words(CHUNK)
    this.#distinct = words(MOST_KINDS)
    this.#fees = words(LIMBS_PER_WORD * MOST_KINDS)
    this.#footprints = new Float64Array(buffer, at, MOST_KINDS)
    at += this.#footprints.byteLength
    this.#table = words(MOST_MEASURE + 1)
  }

  /** `measures` are those of `l1Measures` for the transactions of `batch`, which `rules` are of. */
  apply(
    rules: TransactionRules,
    batch: TransactionBatch,
    env: BlockEnvironment,
    measures: Uint32Array,
    l1: L1Attributes,
    fork: OpFork,
  ): TransactionRules {
    const { count } = batch
    const { columns } = this.#pass
    const operator = operatorFeeOf(l1, fork)
    const l1Fee = columns.u32(LIMBS_PER_WORD * count)
    const extraFee = operator === undefined ? l1Fee : columns.u32(LIMBS_PER_WORD * count)
    const footprint = columns.f64(isOpAtLeast(fork, 'jovian') ? count : 0)
    const charges: OpCharges = { fork, l1Fee, operator, footprint }
    const charged = chargedRules(rules, env, charges, extraFee)
    this.#begin(charges)
    let known = 1
    for (let first = 0; first < count; first += CHUNK) {
      const end = Math.min(count, first + CHUNK)
      this.#measures.set(measures.subarray(first, end))
      this.#putChunk(first, charged, charges)
      const kinds = this.#findKinds(end - first)
      for (; known < kinds; known++) this.#reckon(known, l1, fork)
      if (this.#charge(end - first) === 0) continue
      for (let i = first; i < end; i++)
        if (this.#kinds[i - first] === KIND_LEFT) chargeLeft(charged, batch, charges, i, measures[i]!, l1)
    }
    return charged
  }

  #begin({ operator, footprint }: OpCharges): void {
    this.#table.fill(0)
    // Kind 0 pays nothing.
    this.#fees.fill(0, 0, LIMBS_PER_WORD)
    this.#footprints[0] = 0
    this.#put('measures', this.#measures.byteOffset)
    this.#put('kinds', this.#kinds.byteOffset)
    this.#put('table', this.#table.byteOffset)
    this.#put('distinct', this.#distinct.byteOffset)
    this.#put('fees', this.#fees.byteOffset)
    this.#put('footprints', this.#footprints.byteOffset)
    this.#put('kindCount', 1)
    this.#put('hasFootprint', footprint.length === 0 ? 0 : 1)
    askOperator(this.#request, CHARGE_REQUEST, operator)
  }

  #putChunk(first: number, { gasLimit, cost, rejection, extraFee }: TransactionRules, charges: OpCharges): void {
    this.#put('type', this.#pass.type.byteOffset + first)
    this.#put('gasLimit', gasLimit.byteOffset + 8 * first)
    this.#put('l1Fee', charges.l1Fee.byteOffset + 32 * first)
    this.#put('extraFee', extraFee.byteOffset + 32 * first)
    this.#put('footprint', charges.footprint.byteOffset + 8 * first)
    this.#put('cost', cost.byteOffset + 32 * first)
    this.#put('rejection', rejection.byteOffset + first)
  }

  /** What transactions of a kind pay. */
  #reckon(kind: number, l1: L1Attributes, fork: OpFork): void {
    const measure = this.#distinct[kind]!
    wordFromBigInt(this.#fees, LIMBS_PER_WORD * kind, l1FeeOf(l1, fork, measure))
    this.#footprints[kind] = daFootprint(measure, l1.daFootprintGasScalar)
  }

  #put(field: keyof typeof CHARGE_REQUEST, value: number): void {
    this.#request[CHARGE_REQUEST[field] / 4] = value
  }
}

/** Transaction i, which the module has left. */
const chargeLeft = (
  rules: TransactionRules,
  batch: TransactionBatch,
  charges: OpCharges,
  i: number,
  measure: number,
  l1: L1Attributes,
): void => {
  const { fork, l1Fee, footprint } = charges
  const isDeposit = batch.type[i] === TYPE_DEPOSIT
  wordFromBigInt(l1Fee, LIMBS_PER_WORD * i, isDeposit ? 0n : l1FeeOf(l1, fork, measure))
  if (footprint.length !== 0) footprint[i] = isDeposit ? 0 : daFootprint(measure, l1.daFootprintGasScalar)
  chargeOne(rules, batch, charges, i)
}
