import { OPERATIONS } from '../ir/ops.ts'
import type { Fork } from '../spec/forks.ts'
import { baseGasAt, type Opcode, opcodesAt } from '../spec/opcodes.ts'

/** A row of the opcode table at one fork, with what every step asks of it. */
export interface Instruction {
  readonly row: Opcode
  readonly gas: number
  readonly form: 'dup' | 'swap' | 'other'
}

const operations = new Map<Opcode, string | undefined>()

/** The operation of path IR that a pure row is. */
export const operationOf = (row: Opcode): string | undefined => {
  if (!operations.has(row)) {
    const name = row.mnemonic.toLowerCase()
    operations.set(row, OPERATIONS.has(name) ? name : undefined)
  }
  return operations.get(row)
}

const tables = new Map<Fork, readonly (Instruction | undefined)[]>()

export const instructionsAt = (fork: Fork): readonly (Instruction | undefined)[] => {
  const known = tables.get(fork)
  if (known !== undefined) return known
  const table = opcodesAt(fork).map((row): Instruction | undefined => {
    if (row === undefined) return undefined
    const form = row.mnemonic.startsWith('DUP') ? 'dup' : row.mnemonic.startsWith('SWAP') ? 'swap' : 'other'
    return { row, gas: baseGasAt(row, fork), form }
  })
  tables.set(fork, table)
  return table
}
