import { type LiftedCode, liftCode } from '../../../transpiler/index.ts'
import { FRAME_BASES_AT, FRAME_VECTORS, VM_EXITS } from '../../../transpiler/layout/lane_vm.ts'
import { LIMBS_PER_WORD } from '../../../transpiler/layout/word.ts'
import type { Fork } from '../../../transpiler/spec/forks.ts'
import type { EvmStep } from '../../batch/evm_step.ts'
import { wordToBigInt } from '../../primitives/word.ts'
import type { CodeTable } from '../../state/tables/code_table.ts'
import type { CodeLifter, VmCodes } from './code_store.ts'
import type { VmBudget, VmCounters, VmDispatches } from './dispatches.ts'
import type { VmWave } from './wave.ts'

const BYTES_PER_WORD = 32
const BLOCK_LIMBS = 4
const WORD_VECTORS = 2
/** Position of the first stack word in a FRAME. */
const FRAME_STACK_LIMB = 4 * FRAME_BASES_AT + 2

/** Lifted code in form `traced`, and where its opcodes begin. */
export class TracedCodes implements CodeLifter {
  readonly micro: CodeLifter['micro']
  readonly delegates: boolean
  readonly #fork: Fork
  readonly #opcodes = new Map<Uint8Array, ReadonlyMap<number, number>>()

  constructor(fork: Fork, { micro, delegates }: CodeLifter) {
    this.micro = micro
    this.delegates = delegates
    this.#fork = fork
  }

  lift(code: Uint8Array): LiftedCode {
    return liftCode(code, this.#fork, 'traced')
  }

  /** By number of the instruction that an opcode begins with: its position in the code. */
  opcodes(code: Uint8Array): ReadonlyMap<number, number> {
    let known = this.#opcodes.get(code)
    if (known === undefined) {
      const { blocks, pcs } = this.lift(code)
      const firsts = Array.from({ length: blocks.length / BLOCK_LIMBS }, (_, n) => blocks[n * BLOCK_LIMBS]!)
      known = new Map(firsts.map((first) => [first, pcs[first]!]))
      this.#opcodes.set(code, known)
    }
    return known
  }
}

export interface VmTraced {
  readonly dispatches: VmDispatches
  readonly wave: VmWave
  readonly codes: VmCodes
  readonly traced: TracedCodes
  readonly table: CodeTable
}

/**
 * Runs lane 0, an instruction a dispatch, and yields before every opcode. An opcode that the stack does not allow halts
 * before it is seen: it is not among the steps. The STOP after the code is one, as in other clients.
 */
export async function* traceLane(
  { dispatches, wave, codes, traced, table }: VmTraced,
  budget: VmBudget,
  counters: VmCounters,
): AsyncGenerator<EvmStep, void> {
  const { arena } = wave
  while (dispatches.running > 0) {
    // A lane that has not begun stands nowhere: first it is brought to its first opcode.
    const begun = dispatches.progress(0).instruction !== 0
    await dispatches.step(begun ? 1 : 0, counters)
    await dispatches.serve(budget.laneSteps, counters)
    const { exit, instruction, height, gasLeft, depth, memoryWords, refund } = dispatches.progress(0)
    if (exit !== VM_EXITS.running) continue
    const frame = await dispatches.arena(0, arena.framesAt + FRAME_VECTORS * depth, FRAME_VECTORS)
    const header = frame[0]!
    const codeId = codes.idAt(header)
    if (codeId === undefined) continue
    const { bytes } = table.codes[codeId]!
    const pc = traced.opcodes(bytes).get(instruction - codes.firstInstruction(header))
    if (pc === undefined) continue
    const words = await dispatches.arena(
      0,
      arena.stackAt + WORD_VECTORS * frame[FRAME_STACK_LIMB]!,
      WORD_VECTORS * height,
    )
    yield {
      pc,
      op: bytes[pc] ?? 0,
      gas: BigInt(gasLeft),
      depth: depth + 1,
      stack: Array.from({ length: height }, (_, n) => wordToBigInt(words, LIMBS_PER_WORD * n)),
      memSize: BYTES_PER_WORD * memoryWords,
      refund,
    }
  }
}
