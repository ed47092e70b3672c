import { fuseOperations } from './fuse.ts'
import type { BlockEnd, Operation } from './values.ts'

const isUnread = ({ kept, result }: Operation): boolean => !kept && result!.holders === 0

/**
 * Operations, fused where they can be, that are read or that do something; gas of the others stands on the next
 * one, or on the end.
 */
export const withoutUnread = (operations: readonly Operation[], end: BlockEnd): readonly Operation[] => {
  dropUnread(operations)
  fuseOperations(operations, end)
  dropUnread(operations)
  let gas = 0
  const left: Operation[] = []
  for (const operation of operations) {
    if (operation.isDropped) gas += operation.gas
    else {
      operation.gas += gas
      gas = 0
      left.push(operation)
    }
  }
  end.gas += gas
  return left
}

/** From the last to the first, which removes what only they read as well. */
const dropUnread = (operations: readonly Operation[]): void => {
  for (let i = operations.length - 1; i >= 0; i--) {
    const operation = operations[i]!
    if (operation.isDropped || !isUnread(operation)) continue
    operation.isDropped = true
    for (const operand of operation.operands) operand.holders--
  }
}
