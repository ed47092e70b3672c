export interface Directive {
  readonly name: string
  readonly text: string
}

/** Lines `; NAME: text` of a source, in order. */
export const directivesOf = (source: string): Directive[] =>
  source.split('\n').flatMap((line) => {
    const match = /^;\s*([A-Z][A-Z-]*):\s*(.*?)\s*$/.exec(line)
    return match === null ? [] : [{ name: match[1]!, text: match[2]! }]
  })

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A check's text as a regular expression; names that are known stand for their value, others are captured. */
const patternOf = (
  text: string,
  names: ReadonlyMap<string, string>,
): { readonly pattern: RegExp; readonly captured: string[] } => {
  const captured: string[] = []
  const parts = text.split(/(\{\{.*?\}\}|\[\[\w+\]\])/).map((part) => {
    if (part.startsWith('{{')) return `(?:${part.slice(2, -2)})`
    if (!part.startsWith('[[')) return escaped(part)
    const name = part.slice(2, -2)
    const known = names.get(name)
    if (known !== undefined) return `${known}\\b`
    if (captured.includes(name)) return `\\k<${name}>`
    captured.push(name)
    return `(?<${name}>v\\d+)\\b`
  })
  return { pattern: new RegExp(parts.join('')), captured }
}

/** What is wrong with `text` by the CHECK and CHECK-NOT directives; undefined where all hold. */
export const checkText = (text: string, directives: readonly Directive[]): string | undefined => {
  const lines = text.split('\n')
  const names = new Map<string, string>()
  const checks = directives.filter(({ name }) => name === 'CHECK')
  const refused = directives.filter(({ name }) => name === 'CHECK-NOT')
  if (checks.length + refused.length === 0) return 'the file claims nothing'
  let at = 0
  for (const { text: wanted } of checks) {
    const { pattern, captured } = patternOf(wanted, names)
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line))
    if (found < 0) return `no line has, behind the check in front: ${wanted}`
    const groups = pattern.exec(lines[found]!)?.groups ?? {}
    for (const name of captured) names.set(name, groups[name]!)
    at = found + 1
  }
  for (const { text: unwanted } of refused) {
    const { pattern } = patternOf(unwanted, names)
    const found = lines.find((line) => pattern.test(line))
    if (found !== undefined) return `a line has ${unwanted}: ${found}`
  }
  return undefined
}
