import { VM_INVERT, VM_OPCODES, VM_TEST_BITS, VM_TEST_SHIFT } from '../layout/lane_vm.ts'
import { type BlockEnd, isConstant, type Operation, type Value } from './values.ts'

const AND = 1
const ADD = 0
/** What the immediate of an instruction holds. */
const MOST_OFFSET = 0xffffn

/**
 * Lets branches test, and memory operations add to their address, what has been an operation of its own that nothing
 * else reads. Such operations are unread then.
 */
export const fuseOperations = (operations: readonly Operation[], end: BlockEnd): void => {
  const sums = new Map<Value, Operation[]>()
  for (const operation of operations) {
    if (operation.opcode === VM_OPCODES.branch) fuseExit(operation)
    else if (operation.opcode === VM_OPCODES.memory) noteSum(operation, sums)
  }
  if (end.opcode === VM_OPCODES.branch) fuseEnd(end)
  // One that is also read elsewhere has to be there anyway.
  for (const [sum, readers] of sums) if (readers.length === sum.holders) readers.forEach(fuseAddress)
}

/** Mode and operands of a branch that tests itself what its condition is the result of. */
const testOf = (mode: number, condition: Value): readonly [mode: number, a: Value, b: Value] | undefined => {
  const { operation, holders } = condition
  if ((mode & ~VM_INVERT) !== 0 || operation === undefined || holders !== 1) return undefined
  const [a, b] = operation.operands
  if (operation.opcode === VM_OPCODES.compare) {
    const test = 1 + (operation.mode & ~VM_INVERT)
    return [(mode ^ (operation.mode & VM_INVERT)) | (test << VM_TEST_SHIFT), a!, b!]
  }
  if (operation.opcode !== VM_OPCODES.logic || operation.mode !== AND) return undefined
  return [mode | (VM_TEST_BITS << VM_TEST_SHIFT), a!, b!]
}

const takeOver = (condition: Value, a: Value, b: Value): void => {
  condition.holders--
  a.holders++
  b.holders++
}

const fuseExit = (operation: Operation): void => {
  const condition = operation.operands[1]!
  const found = testOf(operation.mode, condition)
  if (found === undefined) return
  const [mode, a, b] = found
  takeOver(condition, a, b)
  operation.mode = mode
  operation.operands = [a, b]
}

const fuseEnd = (end: BlockEnd): void => {
  const condition = end.b!
  const found = testOf(end.mode, condition)
  if (found === undefined) return
  const [mode, a, b] = found
  takeOver(condition, a, b)
  Object.assign(end, { mode, a, b })
}

/** Which operand of a sum is a constant that an immediate holds; -1 for none, or no sum. */
const offsetOf = ({ operation }: Value): number => {
  if (operation?.opcode !== VM_OPCODES.sum || operation.mode !== ADD) return -1
  return operation.operands.findIndex((operand) => isConstant(operand) && operand.word <= MOST_OFFSET)
}

const noteSum = (operation: Operation, sums: Map<Value, Operation[]>): void => {
  const address = operation.operands[0]!
  if (offsetOf(address) < 0) return
  const readers = sums.get(address)
  if (readers === undefined) sums.set(address, [operation])
  else readers.push(operation)
}

const fuseAddress = (operation: Operation): void => {
  const [sum, ...others] = operation.operands
  const index = offsetOf(sum!)
  const summands = sum!.operation!.operands
  const base = summands[1 - index]!
  sum!.holders--
  base.holders++
  operation.operands = [base, ...others]
  operation.immediate = Number(summands[index]!.word)
}
