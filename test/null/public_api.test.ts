import { format } from 'node:util'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'
import * as wgevm from '../../host/index.ts'
import * as transpiler from '../../transpiler/index.ts'
import {
  compileErrors,
  type Example,
  entryProgram,
  examplesOf,
  missingTypes,
  type PublicName,
  publicNames,
} from '../fixtures/public_api.ts'

/** Records that a user fills in. */
const OPTION_RECORD = /(?:Options|Request|BlockInput|Attributes|Fields|Overrides?|Object|Bundle|Extras)$/
const needsOwnExample = ({ name, kind }: PublicName): boolean =>
  kind === 'function' || kind === 'class' || (kind === 'type' && OPTION_RECORD.test(name))

/** A type without an example of its own ends its description with `Example: {@link name}.` of what shows it. */
const referenceOf = ({ text }: PublicName): string | undefined => /Example: \{@link (\w+)\s*\}\.$/.exec(text)?.[1]

const faultOf = (name: PublicName, all: readonly PublicName[]): string | undefined => {
  if (name.text.replace(/Example: .*$/, '').trim() === '') return 'no docstring'
  if (name.examples.length > 0) return undefined
  if (needsOwnExample(name)) return 'no @example'
  const reference = referenceOf(name)
  if (reference === undefined) return 'neither @example nor `Example: {@link name}.`'
  const target = all.find((other) => other.entry === name.entry && other.name === reference)
  return target !== undefined && target.examples.length > 0 ? undefined : `${reference} has no @example`
}

const faultsOf = (all: readonly PublicName[]): readonly string[] =>
  all.flatMap((name) => {
    const fault = faultOf(name, all)
    return fault === undefined ? [] : [`${name.entry} ${name.name}: ${fault}`]
  })

/** Examples that open a device, write to the disk or import another package are compiled and not run. */
const isRun = ({ text }: Example): boolean =>
  !/openDevice\(|listAdapters\(|openPathStore\(|device: 'auto'|from '(?!wgevm)/.test(text)

const MODULES: Readonly<Record<string, unknown>> = { wgevm, 'wgevm/transpiler': transpiler }
const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => (...given: unknown[]) => Promise<void>

/** What the example prints, a line for each call. */
const printedBy = async ({ text }: Example): Promise<readonly string[]> => {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true }
  const script = ts
    .transpileModule(text, { compilerOptions })
    .outputText.replace(/^import \{([^}]*)\} from '([^']*)';$/gm, "const {$1} = modules['$2'];")
    .replace(/^export \{\};$/gm, '')
  const lines: string[] = []
  const log = (...values: unknown[]) => lines.push(format(...values).replace(/\s*\n\s*/g, ' '))
  await new AsyncFunction('modules', 'console', script)(MODULES, { log, error: log })
  return lines
}

/** What the comments behind `console.log` say that it prints. */
const expectedOf = ({ text }: Example): readonly string[] =>
  [...text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, printed]) => printed!)

const WRONG: Example = { title: 'wrong', text: "import { isFork } from 'wgevm'\n\nconsole.log(isFork(1)) // true" }

describe('the public API', () => {
  let program: ts.Program
  let names: readonly PublicName[]
  let examples: readonly Example[]
  beforeAll(() => {
    program = entryProgram()
    names = publicNames(program)
    examples = examplesOf(names)
  })

  test('exports every type of ours that an export names', () => {
    expect(missingTypes(program)).toEqual([])
  })

  test('has a docstring and an example for every export', () => {
    expect(names.length).toBeGreaterThan(150)
    expect(faultsOf(names)).toEqual([])
  })

  test('has examples that compile as strictly as the sources, of which a wrong one would not', () => {
    expect(examples.length).toBeGreaterThan(80)
    const [wrong, ...others] = compileErrors([WRONG, ...examples], program)
    expect(wrong).toMatch(/^wrong:3: Argument of type 'number'/)
    expect(others).toEqual([])
  })

  test('has examples that print what they say, of which a wrong one would not', async () => {
    const run = examples.filter(isRun)
    expect(run.length).toBeGreaterThan(70)
    const printed: Record<string, readonly string[]> = {}
    for (const example of run) {
      printed[example.title] = await printedBy(example).catch((error: unknown) => [`throws ${String(error)}`])
    }
    expect(printed).toEqual(Object.fromEntries(run.map((example) => [example.title, expectedOf(example)])))
    expect(await printedBy(WRONG)).not.toEqual(expectedOf(WRONG))
  })

  test('has a fault where a docstring or an example is missing', () => {
    const entry = 'wgevm'
    const type = { entry, name: 'Part', kind: 'type', text: 'A part. Example: {@link whole }.', examples: [] } as const
    const whole = { entry, name: 'whole', kind: 'function', text: 'The whole.', examples: ['isFork(1)'] } as const
    expect(faultsOf([type, whole])).toEqual([])
    expect(faultsOf([{ ...type, text: '' }, { ...type, text: 'A part.' }, type])).toHaveLength(3)
    expect(faultsOf([{ ...whole, examples: [] }])).toHaveLength(1)
    expect(faultsOf([{ ...type, name: 'PartOptions' }, whole])).toHaveLength(1)
  })
})
