import { VM_MODES } from '../layout/instruction.ts'
import {
  MICRO_CODES,
  MICRO_P256,
  MICRO_P256_ADDRESS,
  MICRO_PRECOMPILE,
  MICRO_PROLOGUE,
  VM_OPCODES,
} from '../layout/lane_vm.ts'
import type { Fork } from '../spec/forks.ts'
import { OPCODES } from '../spec/opcodes.ts'
import { isPrecompile, PRECOMPILES } from '../spec/precompiles.ts'
import { CodeWriter, vmInstruction } from './code_writer.ts'
import { liftWith } from './lift.ts'
import type { LiftedCode } from './lifted_code.ts'
import { privateRule, type Rule, rulesAt } from './rules.ts'

/** Bytes that no opcode has. */
const MEMO = 0x0c
const CHARGE = 0x0d

/** Has every opcode that they use; gas plays no part in a FRAME_FREE frame. */
const RULES_FORK: Fork = 'osaka'

const IDENTITY = 4

/** The one precompile whose price and output the device finds itself (YP appendix E.2). */
const IDENTITY_SOURCE = `
  PUSH1 5 PUSH1 31 CALLDATASIZE ADD SWAP1 SHR PUSH1 3 MUL PUSH1 15 ADD CHARGE
  CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY
  CALLDATASIZE PUSH0 RETURN`

/**
 * Asks for the outcome under the hash of the input: word 0 is 1 + bytes of output (0: failed) in its lowest limb and
 * the gas in the next one; then the words of the output. Stack at `loop`: hash, bytes, position.
 */
const MEMO_SOURCE = `
  CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY
  CALLDATASIZE PUSH0 KECCAK256
  PUSH0 DUP2 MEMO
  DUP1 PUSH1 32 SHR CHARGE
  PUSH4 0xffffffff AND
  DUP1 PUSH1 @succeeded JUMPI INVALID
  succeeded:
  PUSH1 1 SWAP1 SUB PUSH0
  loop:
  DUP2 DUP2 LT ISZERO PUSH1 @done JUMPI
  DUP1 PUSH1 5 SHR PUSH1 1 ADD DUP4 MEMO
  DUP2 MSTORE
  PUSH1 32 ADD PUSH1 @loop JUMP
  done:
  POP PUSH0 RETURN`

const CODES = new Map([...OPCODES.map((row) => [row.mnemonic, row.code] as const), ['MEMO', MEMO], ['CHARGE', CHARGE]])

/** Mnemonics, numbers (as many bytes as the push in front takes), `name:` and `@name` (one byte). */
const assembleMicro = (source: string): Uint8Array => {
  const bytes: number[] = []
  const labels = new Map<string, number>()
  const references: { readonly at: number; readonly name: string }[] = []
  let width = 0
  for (const token of source.trim().split(/\s+/)) {
    if (token.endsWith(':')) {
      labels.set(token.slice(0, -1), bytes.length)
      bytes.push(CODES.get('JUMPDEST')!)
    } else if (token.startsWith('@')) {
      references.push({ at: bytes.length, name: token.slice(1) })
      bytes.push(0)
    } else if (/^\d/.test(token)) {
      for (let byte = width - 1; byte >= 0; byte--) bytes.push((Number(token) >>> (8 * byte)) & 0xff)
    } else {
      bytes.push(CODES.get(token)!)
      width = Number(/^PUSH(\d+)$/.exec(token)?.[1] ?? 0)
    }
  }
  for (const { at, name } of references) bytes[at] = labels.get(name)!
  return Uint8Array.from(bytes)
}

/** The opcodes without gas, and the private ones. */
const microRules = (precompile: number): readonly Rule[] => {
  const rules = rulesAt(RULES_FORK).map((rule): Rule => ({ ...rule, gas: 0 }))
  rules[MEMO] = privateRule('memo', MEMO, 2, 1, { mode: VM_MODES.memo.precompile, immediate: precompile })
  rules[CHARGE] = privateRule('charge', CHARGE, 1, 0)
  return rules
}

const liftMicro = (source: string, precompile: number): LiftedCode =>
  liftWith(assembleMicro(source), microRules(precompile), new Map(), 'fused')

const prologue = (): LiftedCode => {
  const writer = new CodeWriter()
  writer.instruction(vmInstruction({ opcode: VM_OPCODES.warm }), 0)
  writer.instruction(vmInstruction({ opcode: VM_OPCODES.enter }), 0)
  writer.block(0, 0, 0, 0)
  return writer.finish(new Uint16Array(0))
}

const microCodesAt = (fork: Fork, hasP256: boolean): readonly (LiftedCode | undefined)[] => {
  const codes = new Array<LiftedCode | undefined>(MICRO_CODES).fill(undefined)
  codes[MICRO_PROLOGUE] = prologue()
  for (const { from, to } of PRECOMPILES) {
    for (let address = from; address <= to; address++) {
      if (!isPrecompile(fork, address, hasP256)) continue
      const index = address === MICRO_P256_ADDRESS ? MICRO_P256 : address
      const source = address === IDENTITY ? IDENTITY_SOURCE : MEMO_SOURCE
      codes[MICRO_PRECOMPILE + index] = liftMicro(source, address)
    }
  }
  return codes
}

const known = new Map<string, readonly (LiftedCode | undefined)[]>()

/**
 * The lane VM's own programs at a fork from Istanbul on, by MICRO_CODES index; undefined where the fork has no such
 * precompile. `hasP256`: the chain has that one whatever the fork.
 *
 * @example
 * import { MICRO } from 'wgevm/transpiler'
 *
 * console.log(MICRO('osaka').length > 0) // true
 */
export const MICRO = (fork: Fork, hasP256 = false): readonly (LiftedCode | undefined)[] => {
  const name = `${fork}${hasP256 ? ' p256' : ''}`
  const codes = known.get(name) ?? microCodesAt(fork, hasP256)
  known.set(name, codes)
  return codes
}
