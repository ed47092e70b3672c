/**
 * Finds numbers in WGSL that belong to a layout and are written as digits: kernels/layout has them by name
 * (scripts/layout_wgsl.ts). A rule that sees no more than text is kept where no other number looks alike.
 */

/** Constants of a kernel's own, which no layout has. */
const OWN = new Set(['VM_SOURCE_ARENA', 'VM_SOURCE_WAVE', 'VM_SOURCE_CODES', 'VM_SOURCE_WORD'])

interface Rule {
  readonly pattern: RegExp
  readonly message: string
}

const RULES: readonly Rule[] = [
  { pattern: /\blane_environment\s*\[/, message: 'the uniform has members with names' },
  {
    pattern: /(?:opcode|mode|exit)\b\)*\s*(?:[<>=!]=|[<>](?![<>]))\s*\d/,
    message: 'an opcode, a mode and an exit have names',
  },
  { pattern: /\boperand\s*(?:[<>=!]=|[<>](?![<>]))\s*\d/, message: 'a kind of operand has a name' },
  { pattern: /\b(?:vm_columns\(|vm_vector\(vm_frame,)\s*\d/, message: 'a column and a vector of a frame have names' },
  { pattern: /\(\d+u? << vm_spread\)/, message: 'a vector of a record has a name' },
]

const CONSTANT = /^\s*const (\w+) = (?:0x[0-9a-f]+|\d+)u?;/
const NUMBER = /(?<![\w.])(0x[0-9a-f]+|\d+)u?\b/g

/** Numbers that say what they are: large, and neither a power of two nor a mask. */
const isTelling = (value: number): boolean =>
  value >= 100 && !Number.isInteger(Math.log2(value)) && !Number.isInteger(Math.log2(value + 1))

/** Names of the constants in generated modules by their value, as far as that is telling. */
export const tellingNumbers = (generated: readonly string[]): ReadonlyMap<number, string> =>
  new Map(
    generated
      .flatMap((text) => [...text.matchAll(/^const (\w+) = (\w+?)u;$/gm)])
      .map(([, name, value]) => [Number(value), name!] as const)
      .filter(([value]) => isTelling(value)),
  )

/** `path:line: message` of each number of a layout in this text. */
export const literalMessages = (path: string, text: string, telling: ReadonlyMap<number, string>): readonly string[] =>
  text.split('\n').flatMap((line, i) => {
    const code = line.replace(/\/\/.*$|^\s*\/?\*.*$/, '')
    const own = CONSTANT.exec(code)?.[1]
    const numbers = [...code.matchAll(NUMBER)].flatMap(([, number]) => telling.get(Number(number)) ?? [])
    return [
      ...RULES.filter(({ pattern }) => pattern.test(code)).map(({ message }) => message),
      ...(own === undefined || OWN.has(own) ? [] : [`the number ${own} belongs to a layout`]),
      ...numbers.map((name) => `this number is ${name}`),
    ].map((message) => `${path}:${i + 1}: ${message}`)
  })
