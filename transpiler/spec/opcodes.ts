import { ARITHMETIC_ROWS } from './arithmetic_rows.ts'
import { ENVIRONMENT_ROWS } from './environment_rows.ts'
import { FORKS, type Fork, isAtLeast, valueAt } from './forks.ts'
import { FRAME_ROWS } from './frame_rows.ts'
import { MACHINE_ROWS } from './machine_rows.ts'
import type { Opcode } from './opcode.ts'

export type { Opcode } from './opcode.ts'

/**
 * Every opcode from Frontier to Osaka, by code; see opcode.ts for what a row says. Code 0x44 has two rows, DIFFICULTY
 * and PREVRANDAO: look opcodes up with `opcodesAt`.
 */
export const OPCODES: readonly Opcode[] = [
  ...FRAME_ROWS,
  ...ARITHMETIC_ROWS,
  ...MACHINE_ROWS,
  ...ENVIRONMENT_ROWS,
].sort((a, b) => a.code - b.code || Number(isAtLeast(a.since, b.since)) - Number(isAtLeast(b.since, a.since)))

const tableOf = (fork: Fork): readonly (Opcode | undefined)[] => {
  const table: (Opcode | undefined)[] = new Array(256).fill(undefined)
  for (const row of OPCODES) if (isAtLeast(fork, row.since)) table[row.code] = row
  return table
}

const TABLES = new Map(FORKS.map((fork) => [fork, tableOf(fork)]))

/** The 256 codes at `fork`; undefined where a code is not an instruction there (it halts, like INVALID). */
export const opcodesAt = (fork: Fork): readonly (Opcode | undefined)[] => TABLES.get(fork)!

/** Base gas of `op` at `fork`: the static part, without any access from Berlin on (opcode.ts). */
export const baseGasAt = (op: Opcode, fork: Fork): number => valueAt(op.baseGas, fork)
