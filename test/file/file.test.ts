import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { printPath } from '../../transpiler/ir/text.ts'
import { printProgram } from '../../transpiler/program/text.ts'
import { lowerPath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { pathThatHolds } from '../fixtures/path_claims.ts'
import { abi, contract, transaction, worldOf } from '../fixtures/world.ts'
import { checkText, type Directive, directivesOf } from './check_text.ts'

/**
 * A file `*.evm` is one claim about what the transpiler makes of a program. Its first line says the claim in words;
 * then directives and mnemonics (fixtures/assembler.ts).
 *
 *   ; CALLDATA: selector word ..   the transaction that is recorded; by default there is no calldata
 *   ; SLOT: key value              storage of the program's account
 *   ; VALUE: wei
 *   ; CALLEE: mnemonics            code of the account 0xca11ee00000000000000000000000000000000b1
 *   ; TEXT: wgsl                   what the checks are about: path IR after all passes, unless this says wgsl or
 *                                  program
 *   ; CHECK: text                  a line with this text, after that of the CHECK before
 *   ; CHECK-NOT: text              no line has it
 *
 * In a check {{..}} is a regular expression, and [[NAME]] a value (v0, v1, ..) that is the same in every place.
 */
const CALLEE = 0xca11ee00000000000000000000000000000000b1n
const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.evm'))

const textOf = async (source: string, directives: readonly Directive[]): Promise<string> => {
  const all = (name: string): string[] => directives.filter((line) => line.name === name).map((line) => line.text)
  const [selector, ...words] = (all('CALLDATA')[0] ?? '').split(/\s+/).filter(Boolean)
  const data = selector === undefined ? new Uint8Array(0) : abi(Number(selector), ...words.map(BigInt))
  const slots = all('SLOT').map((line) => line.split(/\s+/).map(BigInt) as [bigint, bigint])
  const callees = all('CALLEE').map((text) => [CALLEE, contract(assemble(text))] as const)
  const world = worldOf(assemble(source), slots, callees)
  const path = await pathThatHolds(world, transaction({ data, value: BigInt(all('VALUE')[0] ?? '0') }))
  const form = all('TEXT')[0]
  if (form === undefined) return printPath(path)
  const { parts, program, skeletons } = lowerPath(path, { steps: 0, recordedValues: 0 })
  if (form === 'wgsl') return parts.join('\n')
  if (form === 'program') return printProgram(program!, skeletons.length)
  throw new Error(`no text is called ${form}`)
}

test.each(files)('%s', async (name) => {
  const source = readFileSync(join(import.meta.dirname, name), 'utf8')
  const directives = directivesOf(source)
  const text = await textOf(source, directives)
  const wrong = checkText(text, directives)
  if (wrong !== undefined) expect.fail(`${name}: ${wrong}\n${text}`)
})

test('a check fails where its text is missing, out of order, or there against its word', () => {
  const check = (...lines: readonly string[]) => checkText('one v1\ntwo v2 v1\nthree', directivesOf(lines.join('\n')))
  expect(check('; CHECK: two', '; CHECK: three', '; CHECK-NOT: four')).toBeUndefined()
  expect(check('; CHECK: one [[A]]', '; CHECK: two {{v.}} [[A]]')).toBeUndefined()
  expect(check('; CHECK: two', '; CHECK: one')).toContain('one')
  expect(check('; CHECK: one', '; CHECK: one')).toContain('one')
  expect(check('; CHECK: four')).toContain('four')
  expect(check('; CHECK: one', '; CHECK-NOT: t{{.}}o')).toContain('t{{.}}o')
  expect(check('; CHECK: one [[A]]', '; CHECK: two [[A]]')).toContain('two')
  expect(check('one')).toContain('claims nothing')
})
