import { EXECUTION_BINDINGS } from './binding.ts'
import type { BoundBuffer, Command, ComputeDevice, RunOptions, RunResult } from './compute_device.ts'
import { decorated } from './decorated.ts'
import { ValidationError } from './fault.ts'
import type { Kernel, KernelSource } from './kernel.ts'

/** The binding of the marks in group 0 of every kernel. */
const MARKS_BINDING = 15
/** Words of the marks: one a site (the largest index outside seen there), the last one counts. */
const MARK_WORDS = 1 << 14
const MOST_SITES = MARK_WORDS - 1

const HEAD = `
@group(0) @binding(${MARKS_BINDING}) var<storage, read_write> checked_marks: array<atomic<u32>, ${MARK_WORDS}>;
fn checked_index(index: u32, length: u32, site: u32) -> u32 {
  if (index >= length) {
    atomicMax(&checked_marks[site], index);
    atomicAdd(&checked_marks[${MOST_SITES}], 1u);
    return 0u;
  }
  return index;
}
`

/** A site in the text of a kernel that indexes an array. */
interface IndexSite {
  readonly kernel: string
  readonly text: string
}

/** `array<T>` (runtime-sized) or `array<T, N>`. */
const ARRAY = /\s*array<(?:[^<>]|<[^<>]*>)*?(?:,\s*(\w+))?>\s*$/

/** Members of a struct of the module: (name, type). */
const membersOf = (wgsl: string, struct: string): readonly (readonly [string, string])[] => {
  const body = new RegExp(`struct ${struct}\\s*{([^}]*)}`).exec(wgsl)?.[1] ?? ''
  return [...body.matchAll(/(\w+)\s*:\s*((?:[^,<>]|<(?:[^<>]|<[^<>]*>)*>)+)/g)].map((match) => [match[1]!, match[2]!])
}

/**
 * Lengths of the arrays that are variables of the module, by `name`, or members of a struct that is one, by
 * `name.member`; undefined where runtime-sized.
 */
const arraysOf = (wgsl: string): ReadonlyMap<string, string | undefined> => {
  const variables = wgsl.matchAll(/var<(?:storage|uniform|workgroup|private)[^>]*>\s*(\w+)\s*:([^;=]+);/g)
  const typed = [...variables].flatMap(([, name, type]) => [
    [name!, type!] as const,
    ...membersOf(wgsl, type!.trim()).map(([member, inner]) => [`${name}.${member}`, inner] as const),
  ])
  return new Map(
    typed.flatMap(([name, type]) => {
      const array = ARRAY.exec(type)
      return array === null ? [] : [[name, array[1]] as const]
    }),
  )
}

/** Where the bracket that is open before `from` closes. */
const closingBracket = (text: string, from: number): number => {
  let depth = 1
  let at = from
  while (depth > 0) {
    const character = text[at++]
    if (character === '[') depth++
    else if (character === ']') depth--
    else if (character === undefined) throw new ValidationError(`a bracket at ${from} is not closed`)
  }
  return at - 1
}

/**
 * The text with every index of an array of the module checked: what is outside goes to element 0 and leaves a mark at
 * its site. Literal indices stay, the compiler checks them. `numberOf` gives a site its number.
 */
export const withCheckedIndexes = (wgsl: string, numberOf: (text: string) => number): string => {
  const source = wgsl.replace(/\/\/.*$/gm, '')
  const arrays = arraysOf(source)
  const rewritten = (text: string): string => {
    const find = /\b((?:\w+\.)?\w+)\[/g
    let out = ''
    let at = 0
    for (;;) {
      find.lastIndex = at
      const match = find.exec(text)
      if (match === null) return out + text.slice(at)
      const open = match.index + match[0].length
      const name = match[1]!
      const close = closingBracket(text, open)
      const index = text.slice(open, close)
      if (!arrays.has(name) || /^\d+u?$/.test(index)) {
        out += text.slice(at, open)
        at = open
        continue
      }
      const fixed = arrays.get(name)
      const length = fixed === undefined ? `arrayLength(&${name})` : `u32(${fixed})`
      out += `${text.slice(at, open)}checked_index(${rewritten(index)}, ${length}, ${numberOf(`${name}[${index}]`)}u)]`
      at = close + 1
    }
  }
  return HEAD + rewritten(source)
}

/**
 * A device for tests that checks every index of every kernel in the shader. A run in which one was outside rejects with
 * a ValidationError that names kernel, expression and index, and the same line goes to stderr. With it come buffers of
 * exact size full of rubbish (`BufferPool`), so a read past what was asked for, or of what no kernel wrote, shows.
 * Costs: compile time by a half, run time by three, one round trip a run.
 */
export const checkedDevice = (device: ComputeDevice): ComputeDevice => {
  const sites: IndexSite[] = []
  const marks = device.storage('marks of indices', 4 * MARK_WORDS)
  let seen = 0

  // By the text as given: a kernel that is asked for again is the same kernel, whatever its label.
  const checked = new Map<string, string>()
  const kernel = (source: KernelSource): Promise<Kernel> => {
    const known = source.bindings === 'execution' ? EXECUTION_BINDINGS : source.bindings
    let wgsl = checked.get(source.wgsl)
    if (wgsl === undefined) {
      wgsl = withCheckedIndexes(source.wgsl, (text) => (sites.push({ kernel: source.label, text }) - 1) % MOST_SITES)
      checked.set(source.wgsl, wgsl)
    }
    return device.kernel({ ...source, wgsl, bindings: [...known, { binding: MARKS_BINDING, type: 'storage' }] })
  }
  const bindGroup = (one: Kernel, buffers: readonly BoundBuffer[]): GPUBindGroup =>
    device.bindGroup(one, [...buffers, { binding: MARKS_BINDING, buffer: marks }])

  const assertInside = async (commands: readonly Command[]): Promise<void> => {
    const found = await device.readback(marks, 0, 4 * MARK_WORDS)
    const count = found[MOST_SITES]!
    if (count === seen) return
    seen = count
    device.upload(marks, 0, new Uint32Array(MOST_SITES))
    const labels = commands.flatMap((command) => (command.kind === 'dispatch' ? [command.kernel.label] : []))
    const outside = sites.flatMap(({ kernel, text }, i) => {
      const index = found[i % MOST_SITES]!
      return index === 0 ? [] : [`${kernel}: ${text} at ${index}`]
    })
    const message = `index outside after ${labels.join(', ')}: ${outside.join('; ')}`
    console.error(message)
    throw new ValidationError(message)
  }
  const run = async (commands: readonly Command[], options?: RunOptions): Promise<RunResult> => {
    const result = await device.run(commands, options)
    if (commands.some(({ kind }) => kind === 'dispatch')) await assertInside(commands)
    return result
  }

  const own: Partial<ComputeDevice> = { checksIndexes: true, kernel, bindGroup, run }
  return decorated(device, own)
}
