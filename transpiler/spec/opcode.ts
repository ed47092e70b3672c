import type { ByFork, Fork } from './forks.ts'

/**
 * One row of the opcode table. Operand i is the i-th word from the top of the stack.
 *
 * Gas of an instruction at a fork = base gas (`baseGasAt`) + every entry of `dynamicGas`. From Berlin on `baseGas`
 * holds nothing for an access: BALANCE, EXTCODE*, CALL*, SLOAD have base gas 0 there, and `accessAccount` /
 * `accessSlot` charge the whole warm (100) or cold (2600 / 2100) price. Before Berlin these tags charge nothing and the
 * fixed price of the access is the base gas. SSTORE has base gas 0 at every fork.
 */
export interface Opcode {
  readonly code: number
  readonly mnemonic: string
  readonly since: Fork
  /** Words the stack must hold (YP delta). DUPn: n, SWAPn: n + 1. */
  readonly pops: number
  /** Words in their place afterwards (YP alpha). DUPn: n + 1, SWAPn: n + 1. */
  readonly pushes: number
  readonly immediateBytes: number
  /** First entry is for `since`; then one entry for each fork that changes it. */
  readonly baseGas: ByFork
  readonly dynamicGas?: readonly DynamicGas[]
  /** Memory the instruction touches, and so expands. */
  readonly memory?: readonly MemoryRange[]
  /** Operand whose low 160 bits name the account that `accessAccount` charges for. */
  readonly accountOperand?: number
  readonly reads?: readonly ReadEffect[]
  readonly writes?: readonly WriteEffect[]
  readonly ends?: End
  /** Halts in a static frame (EIP-214). CALL does so only with value and is not marked. */
  readonly staticForbidden?: true
  /** Pure opcodes only: operands are below 2^256 and so is the result. */
  readonly eval?: (operands: readonly bigint[]) => bigint
  /** The WGSL function with the same meaning, on operands in the same order. */
  readonly wgsl?: string
  /** What the WGSL function returns; `bool` is the word 1 or 0. */
  readonly wgslResult?: 'word' | 'bool'
  /** Operands at which an implementation is likely to be wrong. */
  readonly testValues?: readonly (readonly bigint[])[]
  /** One line with its source. */
  readonly doc: string
}

/**
 * memory         growth of memory to the end of the farthest range of `memory` (memoryGas; a range of length 0 touches
 *                nothing)
 * copyWord       GAS_COPY_WORD per word of the copied length
 * keccakWord     GAS_KECCAK_WORD per word of the hashed length
 * initcodeWord   GAS_INITCODE_WORD per word, from Shanghai (EIP-3860)
 * logByte        GAS_LOG_BYTE per byte (topics are base gas)
 * expByte        GAS_EXP_BYTE_BY_FORK per byte of the exponent
 * accessAccount  from Berlin: GAS_WARM or GAS_COLD_ACCOUNT (SELFDESTRUCT: nothing when warm); EIP-7702 delegates of a
 *                called account are charged a second time
 * accessSlot     from Berlin: GAS_WARM or GAS_COLD_SLOAD
 * sstore         storeGasAt(fork), its cold part included
 * call           value, new account, and the callee's gas by the 63/64 rule (EIP-150) with the stipend
 * create         the gas given to the initcode by the 63/64 rule, and code deposit
 * selfdestruct   GAS_NEW_ACCOUNT where it funds an account that does not exist, from Tangerine Whistle
 */
export type DynamicGas =
  | 'memory'
  | 'copyWord'
  | 'keccakWord'
  | 'initcodeWord'
  | 'logByte'
  | 'expByte'
  | 'accessAccount'
  | 'accessSlot'
  | 'sstore'
  | 'call'
  | 'create'
  | 'selfdestruct'

/** `offset` is an operand; the length is the operand `length`, or fixed. */
export type MemoryRange =
  | { readonly offset: number; readonly length: number }
  | { readonly offset: number; readonly lengthBytes: number }

/**
 * What the result depends on besides the operands. `frame`: address, caller, value, sizes, position; `transaction`:
 * origin, gas price, blob hashes; `block`: environment of the block and its ancestors' hashes.
 */
export type ReadEffect =
  | 'memory'
  | 'storage'
  | 'transient'
  | 'balance'
  | 'code'
  | 'calldata'
  | 'returndata'
  | 'frame'
  | 'transaction'
  | 'block'
  | 'gas'

export type WriteEffect = 'memory' | 'storage' | 'transient' | 'balance' | 'nonce' | 'code' | 'returndata' | 'log'

/** How the basic block ends. `branch` (JUMPI) also falls through. */
export type End = 'stop' | 'return' | 'revert' | 'invalid' | 'selfdestruct' | 'jump' | 'branch'

type Optional = Partial<Omit<Opcode, 'code' | 'mnemonic' | 'pops' | 'pushes' | 'baseGas' | 'doc'>>

/** A row: code, mnemonic, pops, pushes, base gas (a number where no fork changed it), the rest, and its doc line. */
export const opcode = (
  code: number,
  mnemonic: string,
  pops: number,
  pushes: number,
  baseGas: number | ByFork,
  doc: string,
  rest: Optional = {},
): Opcode => {
  const since = rest.since ?? 'frontier'
  const gas: ByFork = typeof baseGas === 'number' ? [[since, baseGas]] : baseGas
  return { code, mnemonic, since, pops, pushes, immediateBytes: 0, baseGas: gas, ...rest, doc }
}
