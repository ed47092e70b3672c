import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printPath, type Transpilation } from '../transpiler/index.ts'
import { LIMBS_PER_WORD } from '../transpiler/layout/word.ts'
import { printProgram } from '../transpiler/program/text.ts'
import { opcodesAt } from '../transpiler/spec/opcodes.ts'
import type { PathSource } from './path_source.ts'

const count = (path: Transpilation['stages'][number]['path'], kind: string): number =>
  path.effects.filter((effect) => effect.kind === kind).length

const kernelText = ({ parts, report }: Transpilation['kernel']): string =>
  parts.length === 0
    ? `none: it would take about ${report.compileMs} ms to compile`
    : `${report.wgslBytes} bytes of WGSL in ${parts.length} part(s), about ${report.compileMs} ms to compile cold on lavapipe`

const programText = ({ program }: Transpilation['kernel']): string =>
  program === undefined
    ? 'none'
    : `${program.instructions} instructions, ${program.constants.length / LIMBS_PER_WORD} constants, ${program.registers} registers (${program.scratch} of them in scratch)`

/** The stages of one transpilation in a screen or two. */
export const describeTranspilation = (source: PathSource, result: Transpilation): string => {
  const { kernel, stages } = result
  const { report } = kernel
  const lines = [
    `${source.label}`,
    `  outcome       ${kernel.status}, ${report.steps} EVM steps, ${kernel.lookups.length} look-ups, ${kernel.stores.length} stores (${kernel.stores.filter((store) => store.delta !== undefined).length} of them deltas), ${kernel.logs.length} logs`,
    `  values        ${report.recordedValues} asked for while recording`,
    ...stages.map(
      ({ name, path }) =>
        `    after ${name.padEnd(15)} ${String(path.values.length).padStart(6)} values  ${String(count(path, 'guard')).padStart(4)} guards`,
    ),
    `  kernel        ${kernelText(kernel)}`,
    `  program       ${programText(kernel)}`,
    `  lane          ${16 * kernel.inputColumns} bytes in, ${16 * kernel.outputColumns} bytes out, ${16 * kernel.scratchColumns} bytes between parts`,
    `  guards        ${kernel.guards.length}`,
    ...kernel.guards.map(
      (guard, index) => `    ${String(index).padStart(3)}  pc ${guard.pc} depth ${guard.depth}  ${guard.meaning}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** One line per instruction of the code, as a disassembler prints it. */
const disassemble = (code: Uint8Array, source: PathSource): string => {
  const table = opcodesAt(source.transaction.fork)
  const lines: string[] = []
  for (let pc = 0; pc < code.length; pc++) {
    const row = table[code[pc]!]
    const immediate = row?.immediateBytes ?? 0
    const bytes = Buffer.from(code.subarray(pc + 1, pc + 1 + immediate)).toString('hex')
    lines.push(
      `${pc.toString().padStart(6)}  ${row?.mnemonic ?? `0x${code[pc]!.toString(16)}`}${bytes === '' ? '' : ` 0x${bytes}`}`,
    )
    pc += immediate
  }
  return `${lines.join('\n')}\n`
}

/** How the names of a dump's files end. */
export const DUMP_ENDINGS = /\.(asm|txt|wgsl)$/

/**
 * Writes every stage of one transpilation to a folder: code.asm (the entry contract), path.txt (the executed steps),
 * ir.NN_pass.txt, kernel.wgsl or kernel.N.wgsl for each part (without the prelude), program.txt, report.txt.
 */
export const dumpTranspilation = (
  folder: string,
  source: PathSource,
  code: Uint8Array,
  result: Transpilation,
): void => {
  mkdirSync(folder, { recursive: true })
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  write('code.asm', disassemble(code, source))
  write('path.txt', result.trace.map((step) => `${'  '.repeat(step.depth)}${step.pc} ${step.mnemonic}\n`).join(''))
  for (const [index, stage] of result.stages.entries()) {
    write(`ir.${String(index).padStart(2, '0')}_${stage.name}.txt`, printPath(stage.path))
  }
  const { parts, program, skeletons } = result.kernel
  for (const [index, part] of parts.entries()) write(parts.length === 1 ? 'kernel.wgsl' : `kernel.${index}.wgsl`, part)
  if (program !== undefined) write('program.txt', printProgram(program, skeletons.length))
  write('report.txt', describeTranspilation(source, result))
}
