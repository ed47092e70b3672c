import { requestFields } from '../primitives/column_request.ts'

/**
 * What a RulesPass and its module (kernels/columns/rules.as) say to each other: addresses of the columns of a chunk,
 * but for `highestType` and `hasFloor`. The module's constants are made of these (scripts/column_modules.ts).
 */
export const RULES_REQUEST = requestFields(
  [
    'type',
    'nonce',
    'value',
    'creates',
    'gas',
    'maxFee',
    'maxPriority',
    'dataStart',
    'accessStart',
    /** Of the byte that `dataStart` counts as 0: it may lie below the memory, as a sum modulo 2^32. */
    'data',
    'intrinsic',
    'floor',
    'gasLimit',
    'price',
    'priority',
    'cost',
    'rejection',
    /** Of the types that the module knows, at this fork. */
    'highestType',
    'hasFloor',
  ],
  ['gasCap', 'nonZeroGas', 'baseFee'],
)

/** In the column `rejection`: the module leaves the transaction. No code of a rejection. */
export const LEFT = 255
