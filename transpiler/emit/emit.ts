import type { PathIr, ValueId } from '../ir/path_ir.ts'
import { WORKGROUP_SIZE } from '../layout/environment.ts'
import { EXIT_MISS, EXIT_NONE } from '../path_kernel.ts'
import type { PathColumns } from './columns.ts'
import { Expressions } from './expressions.ts'
import { helpers } from './helpers.ts'
import { keccakInput } from './keccak.ts'
import { PART_COMPILE_MS, type Part, planParts, stepCompileMs } from './parts.ts'
import { keccakBlocks, type ServiceCall, type Step, schedule } from './schedule.ts'

export const ENTRY_POINT = 'path'

/**
 * Options of `lowerPath` and `transpilePath`.
 *
 * @example
 * import type { EmitOptions } from 'wgevm/transpiler'
 *
 * const options: EmitOptions = { partCompileMs: 500 }
 * console.log(options.partCompileMs) // 500
 */
export interface EmitOptions {
  /** Estimated compile time past which a path goes on in another part, milliseconds; PART_COMPILE_MS by default. */
  readonly partCompileMs?: number
}

/** WGSL of a path: one kernel for each part, and the lane columns that carry values between them. */
export interface EmittedPath {
  readonly parts: readonly string[]
  /** The same parts with loads that look at the hint columns first. */
  readonly hintedParts: readonly string[]
  readonly scratchColumns: number
  /** Estimated compile time of all parts, milliseconds of one CPU core on lavapipe. */
  readonly compileMs: number
}

class Emitter {
  private readonly path: PathIr
  private readonly columns: PathColumns
  private readonly expressions: Expressions
  private readonly guardExit = new Map<number, number>()

  constructor(path: PathIr, columns: PathColumns, hinted: boolean) {
    this.path = path
    this.columns = columns
    this.expressions = new Expressions(path.values, columns, hinted)
    let exit = 1
    path.effects.forEach((effect, index) => {
      if (effect.kind === 'guard') this.guardExit.set(index, exit++)
    })
  }

  body(part: Part, isFirst: boolean, isLast: boolean): string[] {
    const hashes = part.steps.some((step) => step.calls.some((call) => call.service === 'keccak'))
    return [
      'let scalars = lane_in(0u, lane);',
      ...(isFirst ? this.start() : this.resume(part)),
      ...(hashes ? ['var keccak_state = KeccakState();'] : []),
      ...part.again.map((id) => `let v${id} = ${this.expressions.light(id)};`),
      ...part.steps.flatMap((step) => [...this.light(step), ...step.calls.flatMap((call) => this.heavy(call))]),
      ...(isLast ? this.outcome() : this.suspend(part)),
    ]
  }

  private start(): string[] {
    return [`var exit = ${EXIT_NONE}u;`, ...(this.columns.lookups.length > 0 ? ['var missed = false;'] : [])]
  }

  /** A lane that failed a guard is through; one that missed goes on, so the host learns all its keys at once. */
  private resume(part: Part): string[] {
    const scratch = (column: number): string => `path_scratch(${column}u, lane)`
    return [
      `let carried = ${scratch(0)};`,
      'if (carried.x != 0u && carried.y == 0u) {',
      '  return;',
      '}',
      'var exit = carried.x;',
      ...(this.columns.lookups.length > 0 ? ['var missed = carried.y != 0u;'] : []),
      ...[...part.imports].map(([id, column]) => {
        const { type } = this.path.values[id]!
        if (type === 'word') return `let v${id} = U256(${scratch(column)}, ${scratch(column + 1)});`
        return `let v${id} = ${scratch(column)}.x${type === 'bool' ? ' != 0u' : ''};`
      }),
    ]
  }

  private suspend(part: Part): string[] {
    const missed = this.columns.lookups.length > 0 ? 'select(0u, 1u, missed)' : '0u'
    return [
      ...[...part.exports].map(([id, column]) => {
        const { type } = this.path.values[id]!
        if (type === 'word') return `lane_out_word(${column}u, lane, v${id});`
        const scalar = type === 'bool' ? `select(0u, 1u, v${id})` : `v${id}`
        return `lane_out(${column}u, lane, vec4<u32>(${scalar}, 0u, 0u, 0u));`
      }),
      `lane_out(0u, lane, vec4<u32>(exit, ${missed}, 0u, 0u));`,
    ]
  }

  private light(step: Step): string[] {
    const lines = step.light
      .filter((id) => this.path.values[id]!.op !== 'const')
      .flatMap((id) => [`let v${id} = ${this.expressions.light(id)};`, ...this.output(id)])
    for (const index of step.guards) {
      const effect = this.path.effects[index]!
      if (effect.kind !== 'guard') continue
      const condition = this.expressions.bool(effect.condition)
      const exit = this.guardExit.get(index)
      lines.push(
        `exit = select(exit, ${exit}u, (exit == ${EXIT_NONE}u) & !${condition}); // pc ${effect.pc}: ${effect.meaning}`,
      )
    }
    return lines
  }

  private heavy(call: ServiceCall): string[] {
    const { value: id } = call
    const value = this.path.values[id]!
    const word = (index: number): string => this.expressions.word(value.args[index]!)
    switch (call.service) {
      case 'keccak': {
        const isLast = call.block === keccakBlocks(value.attribute as number) - 1
        return [
          ...keccakInput(this.expressions, value, call.block, `k${id}_${call.block}`),
          'keccak_state = keccak_f(keccak_state);',
          ...(isLast ? [`let v${id} = keccak_digest(keccak_state);`, ...this.output(id)] : []),
        ]
      }
      case 'slot':
        return this.lookup(id, `state_slot(${this.expressions.u32(value.args[0]!)}, ${word(1)})`, word(1))
      case 'account':
        return this.lookup(id, `state_account(${word(0)})`, word(0))
      default:
        return [`let v${id} = ${this.expressions.light(id)};`, ...this.output(id)]
    }
  }

  /** Writes a word of the outcome where it is known; it counts only if the lane ends. */
  private output(id: ValueId): string[] {
    const column = this.columns.wordColumn.get(id)
    return column === undefined ? [] : [`lane_out_word(${column}u, lane, ${this.expressions.word(id)});`]
  }

  private lookup(id: ValueId, search: string, key: string): string[] {
    const { column, component, keyColumn } = this.columns.lookups[this.columns.lookupIndex.get(id)!]!
    return [
      `let v${id} = ${search};`,
      `lanes_out[${column}u * lane_count() + lane].${'xyzw'[component]} = v${id};`,
      `missed = path_missed(v${id}, ${keyColumn}u, ${key}, lane) | missed;`,
    ]
  }

  /** Ends the lane. Inputs and constants among the outcome's words, which no step computes, are written here. */
  private outcome(): string[] {
    const { columns, path } = this
    const gas = this.expressions.u32(path.end.gas)
    const refund = this.expressions.u32(path.end.refund)
    return [
      ...[...columns.wordColumn.keys()].filter((id) => isLeaf(path, id)).flatMap((id) => this.output(id)),
      ...(columns.lookups.length > 0 ? [`exit = select(exit, ${EXIT_MISS}u, missed);`] : []),
      `lane_out(0u, lane, vec4<u32>(exit, ${gas}, ${refund}, 0u));`,
    ]
  }
}

const isLeaf = (path: PathIr, id: ValueId): boolean => path.values[id]!.args.length === 0

const kernelText = (body: readonly string[]): string[] => [
  `@compute @workgroup_size(${WORKGROUP_SIZE})`,
  `fn ${ENTRY_POINT}(`,
  '  @builtin(workgroup_id) workgroup: vec3<u32>,',
  '  @builtin(num_workgroups) workgroups: vec3<u32>,',
  '  @builtin(local_invocation_index) local: u32,',
  ') {',
  '  let lane = lane_index(workgroup, workgroups, local);',
  '  if (lane >= lane_count()) {',
  '    return;',
  '  }',
  ...body.map((line) => `  ${line}`),
  '}',
  '',
]

/**
 * Emits a path as straight-line WGSL, to be appended to the prelude: helpers and one `@compute` entry for each part.
 * No branches but the early ends, so lanes never diverge inside a part. The same path gives the same bytes.
 */
export const emitPath = (path: PathIr, columns: PathColumns, options: EmitOptions = {}): EmittedPath => {
  const outputs = [...columns.wordColumn.keys()]
  const steps = schedule(
    path,
    outputs.filter((id) => !isLeaf(path, id)),
  )
  const atEnd = [...outputs.filter((id) => isLeaf(path, id)), path.end.gas, path.end.refund]
  const budgetMs = options.partCompileMs ?? PART_COMPILE_MS
  const { parts, scratchColumns } = planParts(path, steps, atEnd, columns.outputColumns, budgetMs)
  const texts = (hinted: boolean): string[] => {
    const emitter = new Emitter(path, columns, hinted)
    return parts.map((part, index) => {
      const body = emitter.body(part, index === 0, index === parts.length - 1)
      return [...helpers(body), ...kernelText(body)].join('\n')
    })
  }
  return {
    parts: texts(false),
    hintedParts: texts(true),
    scratchColumns,
    compileMs: Math.round(steps.reduce((sum, step) => sum + stepCompileMs(step), 0)),
  }
}
