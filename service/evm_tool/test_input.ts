import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Argv } from 'yargs'
import { entriesOf, type ObjectAt, objectOf, parseJson } from '../../conformance/json_field.ts'
import { ToolError } from './tool_error.ts'
import { readTextOf } from './tool_streams.ts'

/** Options that both commands of tests have. */
export interface TestArguments {
  path: string | undefined
  run: string
  human: boolean
  dump: boolean
  adapter: string | undefined
}

export const TEST_FLAGS = ['human', 'dump'] as const

export const testOptions = (parser: Argv): Argv =>
  parser
    .positional('path', { type: 'string', describe: 'a JSON file or a folder; without it file names come from stdin' })
    .options({
      run: {
        type: 'string',
        default: '.*',
        requiresArg: true,
        describe: 'only tests whose name has a match of this regular expression',
      },
      human: { type: 'boolean', default: false, describe: 'a line for each test in place of JSON' },
      dump: { type: 'boolean', default: false, describe: 'with the whole state after each test' },
      adapter: {
        type: 'string',
        default: 'none',
        requiresArg: true,
        describe: 'gpu, lavapipe, swiftshader, a part of a name, or none',
      },
    })

/** Throws ToolError. */
export const patternOf = ({ run }: Pick<TestArguments, 'run'>): RegExp => {
  try {
    return new RegExp(run)
  } catch (thrown) {
    throw new ToolError('failure', `--run takes a regular expression: ${(thrown as Error).message}`)
  }
}

/** A file, or the `.json` files of a folder and those inside of it. Throws ToolError. */
export const testFiles = (path: string): readonly string[] => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new ToolError('io', `${path} cannot be read (ENOENT)`)
  if (!stat.isDirectory()) return [path]
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/**
 * What is run, one after another with a report each: the path, or without it every line of standard input up to an
 * empty one. Throws ToolError.
 */
export const testPaths = (path: string | undefined, stdin: () => string): readonly string[] => {
  if (path !== undefined) return [path]
  const lines = readTextOf('stdin', stdin).split(/\r?\n/)
  const end = lines.indexOf('')
  return end < 0 ? lines : lines.slice(0, end)
}

/** The tests of a file whose names match. Throws ToolError and FixtureError. */
export const testsOfFile = (file: string, pattern: RegExp): readonly (readonly [name: string, test: ObjectAt])[] => {
  const text = readTextOf(file, () => readFileSync(file, 'utf8'))
  const tests = entriesOf(objectOf(parseJson(file, text, 'JSON of tests')))
  return tests.flatMap(([name, at]) => (pattern.test(name) ? [[name, objectOf(at)] as const] : []))
}
