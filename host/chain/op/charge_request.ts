import { requestFields } from '../../primitives/column_request.ts'

/**
 * What a ChargePass and its module (kernels/columns/charges.as) say to each other: addresses of the columns of a chunk
 * and of the tables by kind, but for what is named a count or a mark. The module's constants are made of these
 * (scripts/column_modules.ts).
 */
export const CHARGE_REQUEST = requestFields(
  [
    'type',
    'measures',
    'kinds',
    'gasLimit',
    'l1Fee',
    'extraFee',
    'footprint',
    'cost',
    'rejection',
    /** u32 by measure: its kind, 0 = none yet. */
    'table',
    /** By kind: its measure, the word that it pays the L1, the room that it takes. */
    'distinct',
    'fees',
    'footprints',
    'kindCount',
    'hasFootprint',
    /** OPERATOR_* of what is taken by gas, and its scalar. */
    'operatorMark',
    'operatorScalar',
  ],
  [],
  ['operatorConstant', 'scratch'],
)

/** Measures that the table has a place for. */
export const MOST_MEASURE = 0xffff
/** Kinds whose fees the memory has room for. */
export const MOST_KINDS = 8192
/** In the column `kinds`: the module leaves the transaction. */
export const KIND_LEFT = 0xffff_ffff

/** What the operator takes: nothing, millionths of gas, or hundreds of gas. */
export const OPERATOR_NONE = 0
export const OPERATOR_MILLIONTH = 1
export const OPERATOR_HUNDRED = 2
