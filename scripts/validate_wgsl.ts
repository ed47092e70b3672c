import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create, globals } from 'webgpu'
import { KERNELS, PRELUDE } from '../kernels/linked.generated.ts'
import { literalMessages, tellingNumbers } from './wgsl_literals.ts'

/**
 * Checks the WGSL of kernels/ without a GPU: names by the rules of docs, no number of a layout written as digits (nor
 * in the texts of transpiler/emit), then every linked kernel on Dawn's null backend, which compiles nothing but parses,
 * types and validates as on a real device, pipeline included. Prints `file:line: message`; a position in linked text is
 * traced back to the line of the module that it came from.
 */
interface Module {
  /** From the root of the repository. */
  readonly path: string
  readonly lines: readonly string[]
}

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const modulesIn = (folder: string, extension: string): readonly Module[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({
      path: path.slice(ROOT.length + 1).replaceAll('\\', '/'),
      lines: readFileSync(path, 'utf8').split('\n'),
    }))

const modules = modulesIn('kernels', '.wgsl')
const isGenerated = ({ path }: Module): boolean => path.endsWith('.generated.wgsl')

/** Prefixes of a module's functions where they are not its own name alone. */
const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  lane: ['lane_', 'environment_'],
  secp256k1: ['limbs_', 'field_', 'scalar_', 'point_', 'inversion_'],
}

const functionName = (line: string): string | undefined => /^\s*(?:@[^\n]*\s)?fn\s+(\w+)/.exec(line)?.[1]

/** Functions carry the prefix of their module; an entry file has one `@compute` entry, of its own name. */
const nameMessages = ({ path, lines }: Module): readonly string[] => {
  const folder = path.split('/')[1]!
  if (folder !== 'entry') {
    const prefixes = PREFIXES[folder] ?? [`${folder}_`]
    return lines.flatMap((line, i) => {
      const name = functionName(line)
      if (name === undefined || prefixes.some((prefix) => name.startsWith(prefix))) return []
      return [`${path}:${i + 1}: function ${name} needs the prefix ${prefixes.join(' or ')}`]
    })
  }
  const entries = [...lines.join('\n').matchAll(/@compute[^{;]*?fn\s+(\w+)/g)].map((match) => match[1])
  const wanted = basename(path, '.wgsl')
  return entries.length === 1 && entries[0] === wanted
    ? []
    : [`${path}:1: has the entries [${entries.join(', ')}]; needs exactly one, named ${wanted}`]
}

/** The module line that line `at` (from 0) of the linked text came from: same text inside the same declaration. */
const sourcePosition = (linked: readonly string[], at: number): string | undefined => {
  const text = linked[at]?.trim()
  if (!text) return undefined
  let start = at
  while (start > 0 && functionName(linked[start]!) === undefined && !/^(struct|const|var|@)/.test(linked[start]!))
    start--
  const head = linked[start]!.trim()
  for (const { path, lines } of modules) {
    const first = lines.findIndex((line) => line.trim() === head)
    if (first < 0) continue
    const offset = lines.slice(first).findIndex((line) => line.includes(text))
    if (offset >= 0) return `${path}:${first + offset + 1}`
  }
  return undefined
}

const gpu = create(['backend=null'])
Object.assign(globalThis, globals)
const adapter = await gpu.requestAdapter()
if (!adapter) throw new Error('Dawn has no null backend here')
const device = await adapter.requestDevice()

const validationMessages = async (path: string, code: string, entryPoint: string | undefined): Promise<string[]> => {
  device.pushErrorScope('validation')
  const module = device.createShaderModule({ code })
  const { messages } = await module.getCompilationInfo()
  const moduleError = await device.popErrorScope()
  const lines = code.split('\n')
  const found = messages
    .filter(({ type }) => type !== 'info')
    .map(({ lineNum, linePos, type, message }) => {
      const position = sourcePosition(lines, lineNum - 1) ?? `${path}: linked line ${lineNum}:${linePos}`
      return `${position}: ${type}: ${message.split('\n')[0]}\n    ${lines[lineNum - 1]?.trim()}`
    })
  if (moduleError && found.length === 0) found.push(`${path}:1: ${moduleError.message}`)
  if (moduleError || entryPoint === undefined) return found
  device.pushErrorScope('validation')
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint } })
  const pipelineError = await device.popErrorScope()
  if (pipelineError) found.push(`${path}:1: ${pipelineError.message}`)
  return found
}

const textOf = ({ lines }: Module): string => lines.join('\n')
const telling = tellingNumbers(modules.filter(isGenerated).map(textOf))
const messages = [
  ...modules.flatMap(nameMessages),
  ...[...modules.filter((module) => !isGenerated(module)), ...modulesIn('transpiler/emit', '.ts')].flatMap((module) =>
    literalMessages(module.path, textOf(module), telling),
  ),
]
messages.push(...(await validationMessages('kernels/linked.generated.ts', PRELUDE, undefined)))
for (const [name, code] of Object.entries(KERNELS)) {
  messages.push(...(await validationMessages(`kernels/entry/${name}.wgsl`, code, name)))
}
// A fault of a library shows in every kernel that uses it.
for (const message of new Set(messages)) console.error(message)
if (messages.length > 0) process.exitCode = 1
device.destroy()
