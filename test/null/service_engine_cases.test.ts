import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineCase } from '../fixtures/engine_case.ts'
import { type EngineCaseFile, engineCaseFiles, hasSource } from '../fixtures/engine_case_files.ts'
import { EngineCasesNode } from '../fixtures/engine_cases_node.ts'

let node: EngineCasesNode
beforeAll(async () => {
  node = await EngineCasesNode.start()
})
afterAll(() => node.close())

const failuresOf = async (cases: readonly EngineCase[]): Promise<readonly string[]> => {
  const failures: string[] = []
  for (const one of cases) {
    const { error } = await node.run(one)
    if (error !== undefined) failures.push(`${one.name}: ${error}`)
  }
  return failures
}

/** Evenly, of the files whose path passes. */
const sampleOf = (files: readonly EngineCaseFile[], count: number): readonly EngineCaseFile[] => {
  const step = Math.max(1, Math.floor(files.length / count))
  return files.filter((_, n) => n % step === step - 1)
}

/** Whose blocks may not stand. */
const INVALID = /excess_blob_gas\/invalid|invalid_(multi_type|layout|tx_blob|block_blob|blob_hash)|full_blob/

// All of them: npm run engine-cases.
describe('payloads of tests over HTTP (skipped where ../shared/data is absent)', () => {
  it.skipIf(!hasSource('payloads'))('are valid where they are benchmarks', async () => {
    const files = sampleOf(engineCaseFiles('payloads'), 3)
    const smallest = await Promise.all(files.map(async (file) => (await file.read())[0]!))
    expect(smallest.length).toBeGreaterThan(2)
    expect(await failuresOf(smallest)).toStrictEqual([])
  })

  it.skipIf(!hasSource('blocks'))('are valid or invalid as block tests say', async () => {
    const files = engineCaseFiles('blocks')
    const named = files.filter(({ path }) => INVALID.test(path))
    const others = files.filter(({ path }) => !INVALID.test(path))
    const read = await Promise.all([...sampleOf(named, 4), ...sampleOf(others, 8)].map((file) => file.read()))
    const cases = read.flatMap((all) => all.slice(0, 2))
    const invalid = cases.flatMap(({ payloads }) => payloads.filter(({ exception }) => exception !== undefined))
    expect(invalid.filter(({ isMalformed }) => !isMalformed).length).toBeGreaterThan(2)
    expect(cases.length).toBeGreaterThan(12)
    expect(await failuresOf(cases)).toStrictEqual([])
  })
})
