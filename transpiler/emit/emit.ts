import type { Service } from '../ir/ops.ts'
import type { PathIr, ValueId } from '../ir/path_ir.ts'
import { WORKGROUP_SIZE } from '../layout/environment.ts'
import { EXIT_MISS } from '../path_kernel.ts'
import type { PathColumns } from './columns.ts'
import { Expressions, WGSL_TYPE } from './expressions.ts'
import { keccakInput } from './keccak.ts'
import { type ServiceCall, type Step, schedule } from './schedule.ts'

export const ENTRY_POINT = 'path'

/**
 * `straight`: steps one after another, every heavy operation inlined where it stands: fastest, and the compile time of
 * each. `loop`: steps are cases of a loop over a uniform step index, with one site per kind of heavy operation behind the
 * switch. `auto`: straight while no kind has more sites than INLINE_SITES allows (wgsl-knowhow: compile time is the budget).
 */
export type KernelForm = 'auto' | 'straight' | 'loop'

const INLINE_SITES: Readonly<Record<Service, number>> = {
  keccak: 2,
  slot: 3,
  account: 2,
  mul: 2,
  divmod: 1,
  modular: 1,
  exp: 1,
}

/** Operand and result registers of a service in the loop form. */
const REGISTERS: Readonly<Record<Service, readonly string[]>> = {
  keccak: ['var keccak_state = KeccakState();'],
  slot: ['var slot_account = 0u;', 'var slot_key = U256_ZERO;', 'var slot_column = 0u;', 'var slot_id = 0u;'],
  account: ['var account_key = U256_ZERO;', 'var account_column = 0u;', 'var account_id = 0u;'],
  mul: ['var mul_x = U256_ZERO;', 'var mul_y = U256_ZERO;'],
  divmod: ['var div_n = U256_ZERO;', 'var div_d = U256_ZERO;', 'var div_result = U256DivMod(U256_ZERO, U256_ZERO);'],
  modular: [
    'var modular_x = U256_ZERO;',
    'var modular_y = U256_ZERO;',
    'var modular_n = U256_ZERO;',
    'var modular_multiplies = false;',
  ],
  exp: ['var exp_base = U256_ZERO;', 'var exp_exponent = U256_ZERO;'],
}

const SERVICE_BODY: Readonly<Record<Service, readonly string[]>> = {
  keccak: ['keccak_state = keccak_f(keccak_state);'],
  slot: [
    'slot_id = state_slot(slot_account, slot_key);',
    'missed = path_missed(slot_id, slot_column, slot_key, lane) | missed;',
  ],
  account: [
    'account_id = state_account(account_key);',
    'missed = path_missed(account_id, account_column, account_key, lane) | missed;',
  ],
  mul: ['mul_x = u256_mul(mul_x, mul_y);'],
  divmod: ['div_result = u256_divmod(div_n, div_d);'],
  modular: ['modular_x = path_modular(modular_x, modular_y, modular_n, modular_multiplies);'],
  exp: ['exp_base = u256_exp(exp_base, exp_exponent);'],
}

/** Functions of generated kernels that need the path's own columns. */
const helpers = (path: PathIr, columns: PathColumns): string[] => {
  const uses = (op: string): boolean => path.values.some((value) => value.op === op)
  const text: string[] = []
  if (columns.lookups.length > 0) {
    text.push(
      '/// Reports the key of a look-up that found nothing, for the host to load.',
      'fn path_missed(id: u32, column: u32, key: U256, lane: u32) -> bool {',
      '  if (id == MISSING) {',
      '    lane_out_word(column, lane, key);',
      '  }',
      '  return id == MISSING;',
      '}',
      '',
    )
  }
  if (uses('load')) {
    text.push(
      '/// Value of a slot: the hint of this look-up where it names the slot (a version inside the batch), else the committed value.',
      'fn path_load(slot: u32, ordinal: u32, lane: u32) -> U256 {',
      '  var value = state_slot_value(slot);',
      '  if (lane_hints()) {',
      `    let column = ${columns.inputColumns}u + 3u * ordinal;`,
      '    value = u256_select(value, lane_in_word(column, lane), lane_in(column + 2u, lane).x == slot);',
      '  }',
      '  return value;',
      '}',
      '',
    )
  }
  if (uses('callgas')) {
    text.push(
      '/// Gas of a callee: what was asked for, at most all but one 64th of what is left (EIP-150).',
      'fn path_call_gas(requested: U256, left: u32) -> u32 {',
      '  let cap = left - left / 64u;',
      '  return select(cap, min(u256_low(requested), cap), u256_fits_u32(requested));',
      '}',
      '',
    )
  }
  if (uses('sstoregas')) {
    text.push(
      '/// Price of an SSTORE to a warm slot (EIP-2200, EIP-2929).',
      'fn path_sstore_gas(original: U256, current: U256, next: U256) -> u32 {',
      '  let clean = u256_eq(original, current) & !u256_eq(current, next);',
      '  return select(100u, select(2900u, 20000u, u256_is_zero(original)), clean);',
      '}',
      '',
    )
  }
  if (uses('sstorerefund') || uses('sstorerefundberlin')) {
    text.push(
      '/// Change of the refund counter modulo 2^32 (EIP-2200, EIP-3529); `clears` is the refund for a cleared slot.',
      'fn path_sstore_refund(original: U256, current: U256, next: U256, clears: u32) -> u32 {',
      '  let original_zero = u256_is_zero(original);',
      '  let next_zero = u256_is_zero(next);',
      '  let clean = u256_eq(original, current);',
      '  let cleared = select(0u, clears, !original_zero & next_zero);',
      '  let uncleared = select(0u, clears, !original_zero & u256_is_zero(current));',
      '  let restored = select(0u, select(2800u, 19900u, original_zero), u256_eq(original, next));',
      '  let dirty = cleared - uncleared + restored;',
      '  return select(select(dirty, cleared, clean), 0u, u256_eq(current, next));',
      '}',
      '',
    )
  }
  if (uses('addmod') || uses('mulmod')) {
    text.push(
      '/// ADDMOD and MULMOD share one divider.',
      'fn path_modular(x: U256, y: U256, n: U256, multiplies: bool) -> U256 {',
      '  let total = u256_add_carry(x, y);',
      '  var wide = U512(total.sum, u256_from_u32(total.carry));',
      '  if (multiplies) {',
      '    wide = u256_mul_wide(x, y);',
      '  }',
      '  return u256_mod_wide(wide, n);',
      '}',
      '',
    )
  }
  return text
}

class Emitter {
  private readonly path: PathIr
  private readonly columns: PathColumns
  private readonly expressions: Expressions
  private readonly steps: readonly Step[]
  private readonly guardExit = new Map<number, number>()
  /** Values declared in front of the loop, because more than one step uses them. */
  private readonly crossing = new Set<ValueId>()

  constructor(path: PathIr, columns: PathColumns, steps: readonly Step[]) {
    this.path = path
    this.columns = columns
    this.steps = steps
    this.expressions = new Expressions(path.values, columns)
    let exit = 1
    path.effects.forEach((effect, index) => {
      if (effect.kind === 'guard') this.guardExit.set(index, exit++)
    })
  }

  straight(): string[] {
    return this.steps.flatMap((step, index) => [
      `// step ${index}`,
      ...this.lightLines(step),
      ...step.calls.flatMap((call) => [...this.prepare(call), ...SERVICE_BODY[call.service], ...this.collect(call)]),
    ])
  }

  loop(): string[] {
    this.findCrossing()
    const declarations = [...this.crossing]
      .sort((a, b) => a - b)
      .map((id) => `var v${id}: ${WGSL_TYPE[this.path.values[id]!.type]};`)
    const used = this.usedServices()
    return [
      ...declarations,
      `for (var step = 0u; step < ${this.steps.length}u; step++) {`,
      '  var services = 0u;',
      '  switch (step) {',
      ...this.steps.flatMap((step, index) => this.caseLines(step, index, used)),
      '    default: {}',
      '  }',
      ...used.flatMap((service, bit) => [
        `  if ((services & ${1 << bit}u) != 0u) {`,
        ...SERVICE_BODY[service].map((line) => `    ${line}`),
        '  }',
      ]),
      '}',
    ]
  }

  registers(): string[] {
    return this.usedServices().flatMap((service) => REGISTERS[service])
  }

  private usedServices(): Service[] {
    return [...new Set(this.steps.flatMap((step) => step.calls.map((call) => call.service)))]
  }

  private caseLines(step: Step, index: number, used: readonly Service[]): string[] {
    const collected = index === 0 ? [] : this.steps[index - 1]!.calls.flatMap((call) => this.collect(call))
    const bits = step.calls.reduce((mask, call) => mask | (1 << used.indexOf(call.service)), 0)
    const lines = [
      ...collected,
      ...this.lightLines(step),
      ...step.calls.flatMap((call) => this.prepare(call)),
      ...(index === this.steps.length - 1 ? this.outcome() : []),
    ]
    return [`    case ${index}u: {`, ...lines.map((line) => `      ${line}`), `      services = ${bits}u;`, '    }']
  }

  private findCrossing(): void {
    const home = new Map<ValueId, number>()
    const note = (id: ValueId, step: number): void => {
      const first = home.get(id)
      if (first === undefined) home.set(id, step)
      else if (first !== step) this.crossing.add(id)
    }
    this.steps.forEach((step, index) => {
      for (const id of step.light) note(id, index)
      for (const call of step.calls) if (this.isLastBlock(call)) note(call.value, index + 1)
    })
    const use = (id: ValueId, step: number): void => {
      if (this.path.values[id]!.op !== 'const') note(id, step)
    }
    const last = this.steps.length - 1
    this.steps.forEach((step, index) => {
      for (const id of step.light) for (const argument of this.path.values[id]!.args) use(argument, index)
      for (const call of step.calls) for (const argument of this.path.values[call.value]!.args) use(argument, index)
      for (const guard of step.guards) {
        const effect = this.path.effects[guard]!
        if (effect.kind === 'guard') use(effect.condition, index)
      }
    })
    for (const id of outcomeValues(this.path, this.columns)) use(id, last)
  }

  private isLastBlock(call: ServiceCall): boolean {
    const later = this.steps.some((step) =>
      step.calls.some((other) => other.value === call.value && other.block > call.block),
    )
    return !later
  }

  private define(id: ValueId, expression: string): string {
    return this.crossing.has(id) ? `v${id} = ${expression};` : `let v${id} = ${expression};`
  }

  private lightLines(step: Step): string[] {
    const lines = step.light
      .filter((id) => this.path.values[id]!.op !== 'const')
      .map((id) => this.define(id, this.expressions.light(id)))
    for (const index of step.guards) {
      const effect = this.path.effects[index]!
      if (effect.kind !== 'guard') continue
      const condition = this.expressions.bool(effect.condition)
      lines.push(
        `exit = select(exit, ${this.guardExit.get(index)}u, (exit == 0u) & !${condition}); // ${effect.meaning}`,
      )
    }
    return lines
  }

  /** Sets the operand registers of a service. */
  private prepare(call: ServiceCall): string[] {
    const value = this.path.values[call.value]!
    const word = (index: number): string => this.expressions.word(value.args[index]!)
    switch (call.service) {
      case 'keccak':
        return [`keccak_state = ${keccakInput(this.expressions, value, call.block, 'keccak_state')};`]
      case 'slot':
        return [
          `slot_account = ${this.expressions.u32(value.args[0]!)};`,
          `slot_key = ${word(1)};`,
          `slot_column = ${this.columns.lookups[this.columns.lookupIndex.get(call.value)!]!.keyColumn}u;`,
        ]
      case 'account':
        return [
          `account_key = ${word(0)};`,
          `account_column = ${this.columns.lookups[this.columns.lookupIndex.get(call.value)!]!.keyColumn}u;`,
        ]
      case 'mul':
        return [`mul_x = ${word(0)};`, `mul_y = ${word(1)};`]
      case 'divmod': {
        const signed = value.op === 'sdiv' || value.op === 'smod'
        const magnitude = (text: string): string =>
          signed ? `u256_negate_if(${text}, u256_is_negative(${text}))` : text
        return [`div_n = ${magnitude(word(0))};`, `div_d = ${magnitude(word(1))};`]
      }
      case 'modular':
        return [
          `modular_x = ${word(0)};`,
          `modular_y = ${word(1)};`,
          `modular_n = ${word(2)};`,
          `modular_multiplies = ${value.op === 'mulmod'};`,
        ]
      case 'exp':
        return [`exp_base = ${word(0)};`, `exp_exponent = ${word(1)};`]
    }
  }

  /** Takes the result of a service out of its registers. */
  private collect(call: ServiceCall): string[] {
    if (!this.isLastBlock(call)) return []
    const value = this.path.values[call.value]!
    const word = (index: number): string => this.expressions.word(value.args[index]!)
    const results: Readonly<Record<string, string>> = {
      keccak: 'keccak_digest(keccak_state)',
      slot: 'slot_id',
      account: 'account_id',
      mul: 'mul_x',
      div: 'div_result.quotient',
      mod: 'div_result.remainder',
      addmod: 'modular_x',
      mulmod: 'modular_x',
      exp: 'exp_base',
    }
    let result = results[value.op]
    if (value.op === 'sdiv') {
      const negative = `u256_is_negative(${word(0)}) != u256_is_negative(${word(1)})`
      result = `u256_negate_if(div_result.quotient, ${negative})`
    }
    if (value.op === 'smod') result = `u256_negate_if(div_result.remainder, u256_is_negative(${word(0)}))`
    if (result === undefined) throw new Error(`no service result for ${value.op}`)
    return [this.define(call.value, result)]
  }

  /** Writes the lane's result; word columns only where the lane ended, so that a missed lane keeps its keys there. */
  outcome(): string[] {
    const { columns, path } = this
    const lines = [
      ...(columns.lookups.length > 0 ? [`exit = select(exit, ${EXIT_MISS}u, missed);`] : []),
      `lane_out(0u, lane, vec4<u32>(exit, ${this.expressions.u32(path.end.gas)}, ${this.expressions.u32(path.end.refund)}, 0u));`,
    ]
    const ids = [...columns.lookupIndex.keys()]
    for (let at = 0; at < ids.length; at += 4) {
      const four = [0, 1, 2, 3].map((i) => (ids[at + i] === undefined ? '0u' : `v${ids[at + i]}`))
      lines.push(`lane_out(${1 + at / 4}u, lane, vec4<u32>(${four.join(', ')}));`)
    }
    if (columns.wordColumn.size === 0) return lines
    const words = [...columns.wordColumn].map(
      ([id, column]) => `  lane_out_word(${column}u, lane, ${this.expressions.word(id)});`,
    )
    return [...lines, 'if (exit == 0u) {', ...words, '}']
  }
}

const chooseForm = (form: KernelForm, steps: readonly Step[]): 'straight' | 'loop' => {
  if (form !== 'auto') return form
  const sites = new Map<Service, number>()
  for (const step of steps) {
    for (const call of step.calls) sites.set(call.service, (sites.get(call.service) ?? 0) + 1)
  }
  return [...sites].every(([service, count]) => count <= INLINE_SITES[service]) ? 'straight' : 'loop'
}

/** Values that the kernel writes out. */
const outcomeValues = (path: PathIr, columns: PathColumns): ValueId[] => [
  ...columns.wordColumn.keys(),
  ...columns.lookupIndex.keys(),
  path.end.gas,
  path.end.refund,
]

/** WGSL of a path: helpers and one `@compute` entry, to be appended to the prelude. The same path gives the same bytes. */
export const emitWgsl = (path: PathIr, columns: PathColumns, form: KernelForm = 'auto'): string => {
  const steps = schedule(path, outcomeValues(path, columns))
  const emitter = new Emitter(path, columns, steps)
  const straight = chooseForm(form, steps) === 'straight'
  const body = straight ? [...emitter.straight(), ...emitter.outcome()] : emitter.loop()
  return [
    ...helpers(path, columns),
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
    '  let scalars = lane_in(0u, lane);',
    '  var exit = 0u;',
    ...(columns.lookups.length > 0 ? ['  var missed = false;'] : []),
    ...[...emitter.registers(), ...body].map((line) => `  ${line}`),
    '}',
    '',
  ].join('\n')
}

const WEIGHT: Readonly<Record<Service, number>> = {
  keccak: 2600,
  slot: 250,
  account: 200,
  mul: 260,
  divmod: 1500,
  modular: 3200,
  exp: 900,
}

/** Estimated size of the compiled kernel, in scalar operations: what compile time follows. */
export const estimateCodeUnits = (path: PathIr, columns: PathColumns, form: KernelForm = 'auto'): number => {
  const steps = schedule(path, outcomeValues(path, columns))
  const straight = chooseForm(form, steps) === 'straight'
  const services = steps.flatMap((step) => step.calls.map((call) => call.service))
  const sites = straight ? services : [...new Set(services)]
  const light = steps.flatMap((step) => step.light).filter((id) => path.values[id]!.op !== 'const')
  return (
    sites.reduce((sum, service) => sum + WEIGHT[service], 0) + light.length * (straight ? 12 : 18) + steps.length * 20
  )
}
