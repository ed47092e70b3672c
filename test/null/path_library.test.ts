import { describe, expect, test } from 'vitest'
import { SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import { CodeTable } from '../../host/state/tables/code_table.ts'
import { jobsForDevice, WaveCost } from '../../host/tiers/path/cost.ts'
import { type PathCandidate, type PathKeyState, PathLibrary } from '../../host/tiers/path/library.ts'
import { FEW_LANES, mergePending, type Pending } from '../../host/tiers/path/pending.ts'
import { type PathPlan, planPath } from '../../host/tiers/path/plan.ts'
import type { PathKernel } from '../../transpiler/path_kernel.ts'
import { codeSkeleton } from '../../transpiler/skeleton.ts'
import { transpilePath } from '../../transpiler/transpile.ts'
import { assemble } from '../fixtures/assembler.ts'
import { abi, recordState, transaction, worldOf } from '../fixtures/world.ts'

const CODE = assemble('PUSH 4 CALLDATALOAD PUSH @go JUMPI STOP go: PUSH 1 PUSH 3 SSTORE STOP')
const call = (first: bigint) => transaction({ data: abi(1, first) })
const world = recordState(worldOf(CODE))

const kernelOf = async (first: bigint): Promise<PathKernel> => {
  const result = await transpilePath(call(first), world)
  if (result.kind !== 'kernel') throw new Error(result.reason)
  return result.kernel
}

const opened = async (): Promise<{ library: PathLibrary; key: PathKeyState }> => {
  const library = new PathLibrary()
  library.open((await kernelOf(0n)).key)
  return { library, key: library.keys[0]! }
}

describe('the path library', () => {
  test('gives a key one id, and another to any key that differs', () => {
    const library = new PathLibrary()
    const fields = [0, 1, 2, 3].flatMap((n) => [0, 1, 2 ** 32 - 1, -1].map((value) => [7, 7, 7, 7].with(n, value)))
    const ids = new Map<string, number>()
    for (let round = 0; round < 2; round++)
      for (let skeleton = 0; skeleton < 40; skeleton++)
        for (const [a, b, c, d] of fields) {
          const id = library.keyId(skeleton + 100 * a!, b!, c!, d!)
          const name = [skeleton + 100 * a!, b, c, d].join()
          expect(ids.get(name) ?? id, name).toBe(id)
          ids.set(name, id)
        }
    expect(new Set(ids.values()).size).toBe(ids.size)
  })

  test('past its budget keeps the keys met last, with their paths, under the skeleton ids of now', async () => {
    const library = new PathLibrary()
    const table = new CodeTable(codeSkeleton)
    const codeIds = Array.from({ length: 60 }, (_, n) => table.add(`0x${n}`, Uint8Array.of(0x60, n, 0x50 + n)))
    const key = (await kernelOf(0n)).key
    const skeletonOf = (n: number): number => table.codes[codeIds[n]!]!.skeleton
    const list = (n: number): number => 2 * library.accessListId(n % 2 === 0 ? undefined : `list ${n}`)
    for (const n of codeIds.keys()) {
      expect(library.keyId(skeletonOf(n), n, 36, list(n))).toBe(n)
      library.open(key)
    }
    const states = [...library.keys]
    await library.record(states[41]!, call(0n), world)
    library.trim(undefined, Infinity)
    for (const n of [40, 41]) library.noteUse(states[n]!)
    const move = table.kept((id) => id > codeIds[3]!)
    const size = library.sizeBytes
    library.trim(move, size / 2)
    expect(library.sizeBytes).toBeLessThan(size / 2)
    expect(library.keys).toEqual(expect.arrayContaining([states[40]!, states[41]!]))
    expect(library.keys.length).toBeLessThan(30)
    // The rest is in the order in which it was met. Skeletons whose codes are gone have new ids.
    const skeletonNow = (n: number): number => move.to.skeletonId(move.from.skeletonKey(skeletonOf(n)))
    library.keys.forEach((state, id) => {
      const n = states.indexOf(state)
      expect(library.keyId(skeletonNow(n), n, 36, list(n))).toBe(id)
    })
    expect(library.keys.find((state) => state === states[41])!.candidates).toHaveLength(1)
    // Another list never gets the number of one that is still there.
    const lists = [...states.keys()].filter((n) => n % 2 === 1).map(list)
    expect(new Set(lists).size).toBe(lists.length)
    expect(library.keyId(skeletonNow(59), 59, 36, list(59))).toBe(library.keys.length)
  })

  test('records a key when the CPU tier has spent more on it than a recording costs', async () => {
    const { library, key } = await opened()
    library.measured.cpuMs = 2
    library.recordMs = 15
    expect(library.isWorthRecording(key, 7, undefined)).toBe(false)
    expect(library.isWorthRecording(key, 8, undefined)).toBe(true)
    key.lanesOwed = 7
    expect(library.isWorthRecording(key, 1, undefined)).toBe(true)
    expect([1, 2].map((lanes) => library.isWorthRecording({ ...key, lanesOwed: 1 }, lanes, 3))).toEqual([false, true])
  })

  test('tries a key ever more rarely when it gave nothing new, and at last never', async () => {
    const { library, key } = await opened()
    const seen: number[] = []
    await library.record(key, call(0n), world)
    for (let lanes = 1; lanes < 10_000; lanes++) {
      if (!library.isWorthRecording(key, lanes, 1)) continue
      seen.push(lanes)
      expect(await library.record(key, call(0n), world)).toBe('no path')
      key.lanesOwed = 0
    }
    expect(seen).toEqual([1, 4, 16, 64, 256, 1024])
    expect(key.candidates).toHaveLength(1)
  })

  test('gives a path its own kernel for what its lanes would have saved, not before', async () => {
    const { library, key } = await opened()
    const candidate = (await library.record(key, call(1n), world)) as PathCandidate
    const { compileMs, liveValues } = candidate.plan.kernel.report
    library.programUs = 1
    const lanesThatPay = compileMs / (0.75 * (liveValues / 1000))
    candidate.programLanes = Math.floor(lanesThatPay) - 1
    expect(library.hasEarnedKernels(candidate)).toBe(false)
    candidate.programLanes = Math.ceil(lanesThatPay) + 1
    expect(library.hasEarnedKernels(candidate)).toBe(true)
    expect(library.hasEarnedKernels({ ...candidate, started: true })).toBe(false)
  })
})

describe('a wave', () => {
  test('is worth it from so many lanes on as the CPU tier takes longer for, and on the host at once', async () => {
    const plan = planPath(await kernelOf(1n))
    const costOf = (lanes: number): WaveCost => {
      const cost = new WaveCost()
      cost.save(plan, lanes)
      cost.add(plan, lanes)
      return cost
    }
    expect([1, 100].map((lanes) => costOf(lanes).isWorth(false))).toEqual([false, true])
    expect([1, 100].map((lanes) => costOf(lanes).isWorth(true))).toEqual([true, true])
    const { program: _, ...kernel } = plan.kernel
    const without = new WaveCost()
    without.save(plan, 1)
    without.add({ ...plan, kernel }, 1)
    expect(without.isWorth(true)).toBe(false)
  })

  test('holds the paths with lanes enough, where they pay for it together; the host has the others', async () => {
    const [few, many] = await Promise.all([0n, 1n].map(async (first) => planPath(await kernelOf(first))))
    const job = (plan: PathPlan, lanes: number) => ({ plan, transactions: new Int32Array(lanes) })
    const { kernel: short } = few!
    const program = { ...short.program!, instructions: 500 }
    const single = job({ ...few!, kernel: { ...short, program, report: { ...short.report, programOps: 500 } } }, 1)
    const large = job(many!, 2000)
    expect(jobsForDevice([single, large])).toEqual([large])
    expect(jobsForDevice([single, job(many!, 20)])).toEqual([])
    const { program: _, ...kernel } = few!.kernel
    const own = job({ ...few!, kernel }, 1)
    expect(jobsForDevice([single, own])).toEqual([own])
  })

  test('takes its longest path at least, on a device whose workgroups run beside one another', async () => {
    const plan = planPath(await kernelOf(1n))
    const { programOps, liveValues } = plan.kernel.report
    const instructions = programOps || liveValues
    const parallel = { ...SOFTWARE_COSTS, workgroupInstructionUs: 0, laneInstructionUs: 1e-6, waveUs: 100 }
    const worthFrom = (pathInstructionUs: number, lanes: number): boolean => {
      const cost = new WaveCost({ ...parallel, pathInstructionUs })
      for (let n = 0; n < lanes; n++) {
        cost.save(plan, 1)
        cost.add(plan, 1)
      }
      return cost.isWorth(false)
    }
    // One transaction saves some 500 us: the path may take that, and a hundred lanes beside it cost no more.
    expect(worthFrom(1000 / instructions, 1)).toBe(false)
    expect(worthFrom(100 / instructions, 1)).toBe(true)
    expect(worthFrom(1000 / instructions, 100)).toBe(true)
    const job = { plan, transactions: new Int32Array(400) }
    expect(jobsForDevice([job], { ...parallel, pathInstructionUs: 10 / instructions })).toEqual([job])
    expect(jobsForDevice([job], { ...parallel, pathInstructionUs: 1e6 / instructions })).toEqual([])
  })

  test('holds every candidate once, with all its lanes in order', async () => {
    const { library, key } = await opened()
    const other = (await opened()).key
    for (const first of [0n, 1n]) await library.record(key, call(first), world)
    const [a, b] = key.candidates as [PathCandidate, PathCandidate]
    const entry = (candidates: readonly PathCandidate[], transactions: readonly number[], reruns = 0): Pending => ({
      key,
      candidates,
      reruns,
      transactions: Int32Array.from(transactions),
    })
    const pending = [
      entry([b], [9], 2),
      entry([a], [5, 7]),
      { ...entry([a], [1]), key: other },
      entry([a, b], [2, 6], 1),
    ]
    mergePending(pending)
    expect(pending).toEqual([entry([a, b], [2, 5, 6, 7, 9], 2), { ...entry([a], [1]), key: other }])
  })

  test('lets many lanes try one candidate after another', async () => {
    const { library, key } = await opened()
    for (const first of [0n, 1n]) await library.record(key, call(first), world)
    const [a, b] = key.candidates as [PathCandidate, PathCandidate]
    const many = Array.from({ length: FEW_LANES }, (_, n) => n)
    const pending: Pending[] = [
      { key, candidates: [a, b], reruns: 0, transactions: Int32Array.of(100) },
      { key, candidates: [a], reruns: 0, transactions: Int32Array.from(many) },
    ]
    mergePending(pending)
    expect(pending.map(({ candidates }) => candidates)).toEqual([[a]])
    expect([...pending[0]!.transactions]).toEqual([...many, 100])
  })
})
