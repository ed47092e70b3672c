import { VM_BLOCK_LIMBS, VM_INSTRUCTION_LIMBS, VM_OPCODES, VM_OPERAND_NONE } from '../layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../layout/word.ts'
import { constantOperand, type LiftedCode, MAX_CONSTANTS, type VmInstruction } from './lifted_code.ts'

const MAX_GAS = 0xffff

/** Limbs that grow. */
class Limbs {
  private list: Uint32Array = new Uint32Array(256)
  length = 0

  reserve(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.list.length) {
      const larger = new Uint32Array(2 * this.length)
      larger.set(this.list)
      this.list = larger
    }
    return at
  }

  set(at: number, value: number): void {
    this.list[at] = value
  }

  add(value: number): void {
    this.set(this.reserve(1), value)
  }

  finish(): Uint32Array {
    return this.list.slice(0, this.length)
  }
}

/** An instruction in which all that is not said is NONE or 0. */
export const vmInstruction = (fields: Partial<VmInstruction> & { readonly opcode: number }): VmInstruction => ({
  mode: 0,
  result: VM_OPERAND_NONE,
  a: VM_OPERAND_NONE,
  b: VM_OPERAND_NONE,
  c: VM_OPERAND_NONE,
  immediate: 0,
  gas: 0,
  block: 0,
  ...fields,
})

const CHARGE_MAX = vmInstruction({ opcode: VM_OPCODES.copy, gas: MAX_GAS })

/** Writes instructions, blocks and the constant pool. */
export class CodeWriter {
  private readonly instructions = new Limbs()
  private readonly blocks = new Limbs()
  private readonly pcs = new Limbs()
  private readonly pool = new Map<bigint, number>()

  /** The pool holds more words than operands can name: what was written is void. */
  get overflows(): boolean {
    return this.pool.size > MAX_CONSTANTS
  }

  /** Operand of a word; 0 needs no constant. */
  constant(word: bigint): number {
    if (word === 0n) return VM_OPERAND_NONE
    let index = this.pool.get(word)
    if (index === undefined) {
      index = this.pool.size
      this.pool.set(word, index)
    }
    return constantOperand(index % MAX_CONSTANTS)
  }

  get nextInstruction(): number {
    return this.instructions.length / VM_INSTRUCTION_LIMBS
  }

  /** Gas that does not fit is charged in front. */
  instruction(instruction: VmInstruction, pc: number): void {
    const { opcode, mode, result, a, b, c, immediate, block } = instruction
    let { gas } = instruction
    for (; gas > MAX_GAS; gas -= MAX_GAS) this.instruction(CHARGE_MAX, pc)
    const at = this.instructions.reserve(VM_INSTRUCTION_LIMBS)
    this.instructions.set(at, opcode | (mode << 8) | (result << 16))
    this.instructions.set(at + 1, a | (b << 16))
    this.instructions.set(at + 2, c | (immediate << 16))
    this.instructions.set(at + 3, gas | (block << 16))
    this.pcs.add(pc)
  }

  /**
   * `above`: words above the height that are written; `plain`: the block to enter where the bounds do not fit, 0 for
   * none.
   */
  block(first: number, need: number, growth: number, above: number, plain = 0): void {
    const at = this.blocks.reserve(VM_BLOCK_LIMBS)
    this.blocks.set(at, first)
    this.blocks.set(at + 1, need | (growth << 16))
    this.blocks.set(at + 2, above)
    this.blocks.set(at + 3, plain)
  }

  /** `exits`: how many of the last blocks belong to side exits. */
  finish(jumps: Uint16Array, exits = 0): LiftedCode {
    const constants = new Uint32Array(this.pool.size * LIMBS_PER_WORD)
    for (const [word, index] of this.pool) {
      let rest = word
      for (let limb = 0; rest > 0n; limb++, rest >>= 32n) {
        constants[index * LIMBS_PER_WORD + limb] = Number(rest & 0xffff_ffffn)
      }
    }
    return {
      instructions: this.instructions.finish(),
      constants,
      blocks: this.blocks.finish(),
      jumps,
      firstExit: this.blocks.length / VM_BLOCK_LIMBS - exits,
      pcs: this.pcs.finish(),
    }
  }
}
