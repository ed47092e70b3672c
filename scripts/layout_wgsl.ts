import * as openBatch from '../host/batch/open_batch.ts'
import { TYPE_BLOB } from '../host/chain/batch.ts'
import * as bloom from '../transpiler/layout/bloom.ts'
import * as environment from '../transpiler/layout/environment.ts'
import * as instruction from '../transpiler/layout/instruction.ts'
import * as laneVm from '../transpiler/layout/lane_vm.ts'
import * as memo from '../transpiler/layout/memo.ts'
import * as program from '../transpiler/layout/program.ts'
import * as recovery from '../transpiler/layout/recovery.ts'
import * as settle from '../transpiler/layout/settle.ts'
import * as tables from '../transpiler/layout/tables.ts'
import * as word from '../transpiler/layout/word.ts'
import * as pathKernel from '../transpiler/path_kernel.ts'
import * as gas from '../transpiler/spec/gas.ts'

/**
 * Writes kernels/layout/*.generated.wgsl: every number that the kernels share with the host, from the TypeScript module
 * that has it, and the struct of the uniform.
 *
 * A number keeps its name. The entries of a table become constants with a prefix in place of the table's name (TABLES):
 * VM_OPCODES.copy is VM_OP_COPY. An entry of a table `..._BY_FORK` has the name of its first fork at its end. Numbers
 * that no u32 holds are left out. The linker drops what no kernel reads.
 */
interface LayoutModule {
  readonly name: string
  readonly source: string
  readonly exports: Readonly<Record<string, unknown>>
}

const LAYOUTS: readonly LayoutModule[] = [
  { name: 'bloom', source: 'transpiler/layout/bloom.ts', exports: bloom },
  { name: 'environment', source: 'transpiler/layout/environment.ts', exports: environment },
  { name: 'gas', source: 'transpiler/spec/gas.ts', exports: gas },
  { name: 'instruction', source: 'transpiler/layout/instruction.ts', exports: instruction },
  { name: 'lane_vm', source: 'transpiler/layout/lane_vm.ts', exports: laneVm },
  { name: 'memo', source: 'transpiler/layout/memo.ts', exports: memo },
  { name: 'open_batch', source: 'host/batch/open_batch.ts', exports: { ...openBatch, TYPE_BLOB } },
  { name: 'path', source: 'transpiler/path_kernel.ts', exports: pathKernel },
  { name: 'program', source: 'transpiler/layout/program.ts', exports: program },
  { name: 'recovery', source: 'transpiler/layout/recovery.ts', exports: recovery },
  { name: 'settle', source: 'transpiler/layout/settle.ts', exports: settle },
  { name: 'tables', source: 'transpiler/layout/tables.ts', exports: tables },
  { name: 'word', source: 'transpiler/layout/word.ts', exports: word },
]

/** Prefix of the constants of a table, by its name. */
const TABLES: Readonly<Record<string, string>> = {
  ENVIRONMENT_WORDS: 'ENVIRONMENT_WORD',
  MODES: 'MODE',
  PROGRAM_MODES: 'PROGRAM_MODE',
  PROGRAM_OPCODES: 'PROGRAM_OP',
  VM_CALLS: 'VM_CALL',
  VM_COPY_SOURCES: 'VM_COPY',
  VM_ENVIRONMENT: 'VM_ENVIRONMENT',
  VM_EXITS: 'VM_EXIT',
  VM_MODES: 'VM_MODE',
  VM_OPCODES: 'VM_OP',
  VM_REGIONS: 'VM_REGION',
}

const snake = (name: string): string => name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
const screaming = (name: string): string => snake(name).toUpperCase()

const BY_FORK = '_BY_FORK'
const U32_END = 2 ** 32

type Entry = readonly [name: string, value: number]

/** The numbers of an exported value, by their names in WGSL. */
const entriesOf = (name: string, value: unknown): Entry[] => {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value < U32_END ? [[name, value]] : []
  if (name.endsWith(BY_FORK)) {
    const stem = name.slice(0, -BY_FORK.length)
    return (value as readonly Entry[]).map(([fork, price]) => [`${stem}_${screaming(fork)}`, price])
  }
  const prefix = TABLES[name]
  if (prefix === undefined) return []
  const rows = Array.isArray(value) ? value.map((row: string, i) => [row, i] as const) : Object.entries(value as object)
  return rows.flatMap(([row, inner]) =>
    typeof inner === 'number'
      ? [[`${prefix}_${screaming(row)}`, inner] as const]
      : Object.entries(inner as Record<string, number>).map(
          ([mode, number]) => [`${prefix}_${screaming(row)}_${screaming(mode)}`, number] as const,
        ),
  )
}

const literal = (value: number): string => `${value < 0x10000 ? value : `0x${value.toString(16)}`}u`

const ENVIRONMENT_STRUCT = [
  'struct LaneEnvironment {',
  ...environment.ENVIRONMENT_HEAD.map((name) => `  ${snake(name)}: u32,`),
  `  words: array<U256, ${environment.ENVIRONMENT_WORDS.length}>,`,
  `  skeletons: array<vec4<u32>, ${environment.MAX_PATH_SKELETONS / 4}>,`,
  ...environment.ENVIRONMENT_LANE_VM.map((name) => `  ${snake(name)}: u32,`),
  '}',
]

/** Structs of uniforms, by layout. */
const STRUCTS: Readonly<Record<string, readonly string[]>> = {
  environment: ['import package::u256::u256::U256;', '', ...ENVIRONMENT_STRUCT],
  settle: ['', 'struct SettleUniform {', ...settle.SETTLE_UNIFORM.map((name) => `  ${snake(name)}: u32,`), '}'],
}

const textOf = ({ name, source, exports }: LayoutModule): string => {
  const constants = Object.entries(exports).flatMap(([one, value]) => entriesOf(one, value))
  return [
    `// Generated by scripts/layout_wgsl.ts from ${source}. Do not edit.`,
    ...(STRUCTS[name] ?? []),
    '',
    ...constants.map(([constant, value]) => `const ${constant} = ${literal(value)};`),
    '',
  ].join('\n')
}

/** Path from the root of the repository, and text. */
export const LAYOUT_FILES: readonly { readonly path: string; readonly text: () => string }[] = LAYOUTS.map(
  (layout) => ({
    path: `kernels/layout/${layout.name}.generated.wgsl`,
    text: () => textOf(layout),
  }),
)
