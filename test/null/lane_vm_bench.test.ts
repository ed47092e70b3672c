import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { compiledContract } from '../../bench/contracts/solidity.ts'
import { VARIANTS, VARIANTS_FILE, variants } from '../../bench/contracts/variants.ts'
import { FIRST_LANE_BYTES, laneBytes, MOST_LANE_BYTES } from '../../bench/lane_memory.ts'
import { programsText } from '../../bench/report/programs_text.ts'
import type { BenchReport, WorkloadResult } from '../../bench/report/schema.ts'
import { geometricMean, type ProgramsReport } from '../../bench/simulation/program_session.ts'
import type { ProgramReport } from '../../bench/simulation/run_program.ts'
import { LANE_VM_TARGETS, TARGETS, targetsOf } from '../../bench/targets.ts'
import { LANE_VM_ONLY, tierChoiceText } from '../../bench/tier_choice.ts'
import { parseDevice } from '../../cli/device_options.ts'
import { parseTiers } from '../../cli/tier_options.ts'
import { benchmarksDoc } from '../../scripts/benchmarks_doc.ts'
import { VM_QUOTAS } from '../../transpiler/layout/lane_vm_quota.ts'
import { RESULT } from '../fixtures/bench_report.ts'

const folder = mkdtempSync(join(tmpdir(), 'wgevm-lane-vm-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the memory of a lane', () => {
  test('is at most 16 KB with the first quota', () => {
    expect(FIRST_LANE_BYTES).toBeLessThanOrEqual(MOST_LANE_BYTES)
    expect(FIRST_LANE_BYTES).toBeGreaterThan(MOST_LANE_BYTES / 2)
  })

  test('counts the arena and the columns', () => {
    const [first] = VM_QUOTAS
    expect(laneBytes({ ...first!, logVectors: first!.logVectors + 1 }) - laneBytes(first!)).toBe(16)
  })
})

describe('the choice of tiers', () => {
  test('stands for options of the executor', () => {
    expect(parseTiers({ tier: 'lane-vm', 'lane-vm': undefined })).toEqual(LANE_VM_ONLY)
    expect(parseTiers({ tier: 'paths', 'lane-vm': undefined })).toEqual({ laneVm: 'never' })
    expect(parseTiers({ tier: undefined, 'lane-vm': 'always', paths: 'never' })).toEqual(LANE_VM_ONLY)
    expect(parseTiers({ tier: undefined, 'lane-vm': undefined, paths: false })).toEqual({})
    const sized = { 'lane-vm': undefined, waves: 'always', range: '4194304' }
    expect(parseTiers({ tier: undefined, ...sized })).toEqual({ waves: 'always', range: 4_194_304 })
    expect(parseTiers({ tier: 'lane-vm', ...sized })).toEqual({ ...LANE_VM_ONLY, waves: 'always', range: 4_194_304 })
    expect(tierChoiceText({ ...LANE_VM_ONLY, waves: 'always', range: 1024 })).toBe(
      'lane VM only, waves of any size, ranges of 1024',
    )
    expect(parseDevice({ robustness: 'checked', 'compile-limit': '90' })).toEqual({
      robustness: 'checked',
      compileLimitMs: 90_000,
    })
  })

  test('refuses what it does not know, and what contradicts itself', () => {
    expect(() => parseTiers({ tier: 'gpu', 'lane-vm': undefined })).toThrow(/--tier takes lane-vm or paths/)
    expect(() => parseTiers({ tier: undefined, 'lane-vm': 'maybe' })).toThrow(/--lane-vm takes never or always/)
    expect(() => parseTiers({ tier: undefined, 'lane-vm': undefined, paths: 'always' })).toThrow(/--paths takes never/)
    expect(() => parseTiers({ tier: 'paths', 'lane-vm': 'never' })).toThrow(/--tier goes without/)
    expect(() => parseTiers({ tier: undefined, 'lane-vm': undefined, waves: 'never' })).toThrow(/--waves takes always/)
    expect(() => parseTiers({ tier: undefined, 'lane-vm': undefined, range: '0' })).toThrow(/--range takes a whole/)
    expect(() => parseDevice({ robustness: 'maybe', 'compile-limit': undefined })).toThrow(/--robustness takes on, off/)
    expect(() => parseDevice({ robustness: undefined, 'compile-limit': '0' })).toThrow(/--compile-limit takes a whole/)
  })

  test('decides which targets a report is about', () => {
    expect(targetsOf({ tierChoice: LANE_VM_ONLY } as BenchReport)).toBe(LANE_VM_TARGETS)
    expect(targetsOf({} as BenchReport)).toBe(TARGETS)
  })

  test('judges calls in random order by the same calls sorted', () => {
    const run = (workload: string, execute: number): WorkloadResult => ({
      ...RESULT,
      workload,
      txCount: 16_384,
      stagesMs: { ...RESULT.stagesMs, execute },
    })
    const target = LANE_VM_TARGETS.find(({ what }) => what.includes('sorted'))!
    const sorted = run('many-contracts-sorted', 50)
    expect(target.measure([run('many-contracts', 100), sorted])).toEqual({ text: '0.5 times', met: 'yes' })
    expect(target.measure([run('many-contracts', 101), sorted]).met).toBe('no')
    expect(target.measure([sorted]).met).toBe('unknown')
  })
})

describe('variants of a contract', () => {
  test('are of different code', () => {
    const creations = variants().map(({ name }) => compiledContract(VARIANTS_FILE, name).creation)
    expect(new Set(creations).size).toBe(VARIANTS)
  })
})

const program = (name: string, callsPerSecond: number): ProgramReport => ({
  schema: 'wgevm-simulate/1',
  program: name,
  fork: 'osaka',
  commit: 'c0ffee',
  date: '2026-01-02T00:00:00.000Z',
  machine: { cpu: 'cpu', cores: 2, memoryBytes: 2 ** 30 },
  adapter: { kind: 'lavapipe', name: 'adapter', driver: 'driver' },
  lanes: 100,
  seed: 1,
  calls: [{ label: 'call', varied: [] }],
  tiers: { pathKernel: 0, pathProgram: 0, pathHost: 0, laneVm: 90, transfer: 0, cpu: 10 },
  exits: { 'vm quota: memory': 10 },
  status: { success: 100, failure: 0, rejected: 0 },
  gas: 1e6,
  firstMs: 2,
  firstCompileMs: 1,
  samplesMs: [1],
  cpuMs: 1,
  callsPerSecond,
  spread: 0,
  stagesMs: { route: 0, device: 0, judge: 0, cpu: 0 },
  deviceTimes: { totalMs: 0.625, kernels: { 'lane VM': { dispatches: 3, ms: 0.625 } } },
  serial: { name: '@ethereumjs/evm', calls: 1, callsPerSecond: 10 },
  verified: { lanes: 100, all: true },
  faults: [],
  tierChoice: LANE_VM_ONLY,
})

const report = (results: readonly ProgramReport[]): ProgramsReport => ({
  schema: 'wgevm-programs/1',
  commit: 'c0ffee',
  date: '2026-01-02T00:00:00.000Z',
  machine: { cpu: 'cpu', cores: 2, memoryBytes: 2 ** 30 },
  adapter: { kind: 'lavapipe', name: 'adapter', driver: 'driver' },
  node: 'v20',
  results,
  failed: [{ program: 'real.wrong', reason: 'lane 3: gas 1, @ethereumjs/evm 2' }],
  revmNote: 'not asked for',
})

describe('a report of programs', () => {
  test('names the mean, what left the device and what is wrong', () => {
    const text = programsText(report([program('evmone.a', 100), program('revmc.b', 400), program('real.c', 10)]), {
      decorated: false,
      width: 90,
    })
    expect(geometricMean([10, 40])).toBeCloseTo(20)
    expect(text).toMatch(/20 times serial @ethereumjs\/evm in the geometric mean of 2 programs/)
    expect(text).toMatch(/left the device: real\.c: 10 vm quota: memory/)
    expect(text).toMatch(/WRONG real\.wrong: lane 3/)
  })

  test('has the time on the device beside that of the call', () => {
    const { deviceTimes: _, ...untimed } = program('revmc.b', 400)
    const text = programsText(report([program('evmone.a', 100), untimed]), { decorated: false, width: 300 })
    const [head = '', timed = '', other = ''] = text.split('\n')
    expect(head).toMatch(/ ms +± +device ms +serial calls\/s /)
    expect(timed).toMatch(/ 1,000 +- +0.625 +10 /)
    expect(other).toMatch(/ 250 +- +- +10 /)
  })

  test('tells its targets over all files, after the last one', () => {
    writeFileSync(join(folder, 'a.json'), JSON.stringify(report([program('evmone.a', 100)])))
    const last = report([program('revmc.b', 400), program('real.uniswap_v2', 999)])
    writeFileSync(join(folder, 'b.json'), JSON.stringify(last))
    const doc = benchmarksDoc(folder)
    expect(doc.match(/### Targets/g)).toHaveLength(1)
    expect(doc).toMatch(/swaps of `real.uniswap_v2`[^\n]* 100 times \| 99.9 times \| \*\*missed\*\*/)
    expect(doc).toMatch(/in the geometric mean[^\n]* \| 20 times \| 20 times \| met/)
    expect(doc).toMatch(/swaps of `real.uniswap_v3`[^\n]*not measured/)
  })
})
