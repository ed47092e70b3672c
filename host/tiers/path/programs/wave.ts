import { ENVIRONMENT_WORDS, WORKGROUP_SIZE } from '../../../../transpiler/layout/environment.ts'
import { PROGRAM_HEADER_VECTORS, PROGRAM_SCRATCH_VECTORS } from '../../../../transpiler/layout/program.ts'
import { LIMBS_PER_WORD } from '../../../../transpiler/layout/word.ts'
import { HINT_COLUMNS, type PathProgram } from '../../../../transpiler/path_kernel.ts'
import { gatherHints, gatherLanes, type PathSource } from '../columns.ts'
import type { PathJob } from '../job.ts'
import { subJob } from '../job_halves.ts'
import { COLUMN_LIMBS, type PathPlan, WORD_COLUMNS } from '../plan.ts'

/** Lanes of one path to run by its program. */
export type ProgramJob = Omit<PathJob, 'kernels'>

/** One job's places in the buffers of its wave, in vectors. */
export interface WaveGroup {
  readonly job: ProgramJob
  readonly program: PathProgram
  readonly laneCount: number
  /** First input column in lanesIn. */
  readonly inputs: number
  /** First result column in lanesOut; the columns from `keyColumn` on stand at `keys`. */
  readonly outputs: number
  readonly keys: number
  readonly keyColumn: number
  /** Vectors of keys of the groups in front. */
  readonly keysAt: number
  readonly scratch: number
}

/** Groups that run as one dispatch on one pair of buffers; the layout is in transpiler/layout/program.ts. */
export interface Wave {
  readonly groups: readonly WaveGroup[]
  readonly lanesIn: Uint32Array
  readonly workgroups: number
  readonly outVectors: number
  /** Vectors at the start of lanesOut that hold the results of all groups, then those up to the last key. */
  readonly resultVectors: number
  readonly keyVectors: number
}

/** Columns begin at multiples of this, so each group's can be bound on their own (256 bytes). */
const ALIGNMENT_VECTORS = 16

const aligned = (vectors: number): number => Math.ceil(vectors / ALIGNMENT_VECTORS) * ALIGNMENT_VECTORS

/** Looked-up keys follow everything else that a lane writes. */
const firstKeyColumn = (plan: PathPlan): number =>
  plan.kernel.lookups.reduce((least, { keyColumn }) => Math.min(least, keyColumn), plan.kernel.outputColumns)

/** Columns that a lane takes in lanesIn. The scalars are read as a word, so there are two at least. */
const columnsIn = ({ plan, hints }: ProgramJob): number =>
  Math.max(WORD_COLUMNS, plan.kernel.inputColumns + (hints === undefined ? 0 : HINT_COLUMNS * plan.slots.count))

const constantWords = ({ kernel }: PathPlan, program: PathProgram): number =>
  ENVIRONMENT_WORDS.length + kernel.skeletons.length + program.constants.length / LIMBS_PER_WORD

const programVectors = (plan: PathPlan, program: PathProgram): number =>
  program.code.length / COLUMN_LIMBS + WORD_COLUMNS * constantWords(plan, program)

const programOf = (plan: PathPlan): PathProgram => {
  const { program } = plan.kernel
  if (program === undefined) throw new Error(`path ${plan.kernel.id} has no program`)
  return program
}

/** Vectors of both buffers for `laneCount` lanes of a job, with all that the group takes. */
const vectorsFor = (job: ProgramJob, laneCount: number): readonly [input: number, output: number] => {
  const { plan } = job
  const program = programOf(plan)
  const workgroups = Math.ceil(laneCount / WORKGROUP_SIZE)
  const fixed = PROGRAM_HEADER_VECTORS + programVectors(plan, program) + 2 * ALIGNMENT_VECTORS
  return [
    fixed + workgroups + columnsIn(job) * laneCount,
    2 * ALIGNMENT_VECTORS +
      plan.kernel.outputColumns * laneCount +
      workgroups * program.scratch * PROGRAM_SCRATCH_VECTORS,
  ]
}

/**
 * Splits jobs into lists that fit `maxVectors` of each buffer and `maxWorkgroups`; a job that does not fit alone is cut
 * in lanes.
 */
export const splitJobs = (
  jobs: readonly ProgramJob[],
  maxVectors: number,
  maxWorkgroups: number,
): readonly (readonly ProgramJob[])[] => {
  const waves: ProgramJob[][] = []
  let open: ProgramJob[] = []
  let [input, output, workgroups] = [0, 0, 0]
  const close = (): void => {
    if (open.length > 0) waves.push(open)
    open = []
    input = output = workgroups = 0
  }
  for (const job of jobs) {
    for (let rest: ProgramJob | undefined = job; rest !== undefined && rest.transactions.length > 0; ) {
      const lanes: number = rest.transactions.length
      const [more, moreOut] = vectorsFor(rest, lanes)
      const moreGroups = Math.ceil(lanes / WORKGROUP_SIZE)
      if (input + more <= maxVectors && output + moreOut <= maxVectors && workgroups + moreGroups <= maxWorkgroups) {
        open.push(rest)
        input += more
        output += moreOut
        workgroups += moreGroups
        rest = undefined
      } else if (open.length > 0) close()
      else {
        const fits = lanesThatFit(rest, maxVectors, maxWorkgroups)
        open.push(subJob(rest, 0, fits))
        rest = subJob(rest, fits, lanes)
        close()
      }
    }
  }
  close()
  return waves
}

const lanesThatFit = (job: ProgramJob, maxVectors: number, maxWorkgroups: number): number => {
  let [low, high] = [0, Math.min(maxWorkgroups, Math.ceil(job.transactions.length / WORKGROUP_SIZE))]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (Math.max(...vectorsFor(job, middle * WORKGROUP_SIZE)) <= maxVectors) low = middle
    else high = middle - 1
  }
  if (low === 0) throw new RangeError(`a workgroup of path ${job.plan.kernel.id} passes the device's buffers`)
  return low * WORKGROUP_SIZE
}

/**
 * Lays out and fills lanesIn for these jobs. `environment`: the words of ENVIRONMENT_WORDS; `skeletonId`: the host's id
 * of a skeleton.
 */
export const assembleWave = (
  jobs: readonly ProgramJob[],
  source: PathSource,
  environment: Uint32Array,
  skeletonId: (key: string) => number,
): Wave => {
  const workgroups = jobs.reduce((sum, job) => sum + Math.ceil(job.transactions.length / WORKGROUP_SIZE), 0)
  const programs = new Map<PathPlan, number>()
  const headersAt = workgroups
  let inVectors = headersAt + PROGRAM_HEADER_VECTORS * jobs.length
  for (const { plan } of jobs) {
    if (programs.has(plan)) continue
    programs.set(plan, inVectors)
    inVectors += programVectors(plan, programOf(plan))
  }
  const groups: WaveGroup[] = []
  let outVectors = 0
  for (const job of jobs) {
    const laneCount = job.transactions.length
    const keyColumn = firstKeyColumn(job.plan)
    const inputs = aligned(inVectors)
    inVectors = inputs + columnsIn(job) * laneCount
    const outputs = aligned(outVectors)
    outVectors = outputs + keyColumn * laneCount
    groups.push({
      job,
      program: programOf(job.plan),
      laneCount,
      inputs,
      outputs,
      keyColumn,
      keys: 0,
      keysAt: 0,
      scratch: 0,
    })
  }
  const resultVectors = outVectors
  const keyed = groups.map((group): WaveGroup => {
    const keys = outVectors
    outVectors += (group.job.plan.kernel.outputColumns - group.keyColumn) * group.laneCount
    return { ...group, keys, keysAt: keys - resultVectors }
  })
  const keyVectors = outVectors
  const placed = keyed.map((group): WaveGroup => {
    const scratch = outVectors
    outVectors += Math.ceil(group.laneCount / WORKGROUP_SIZE) * group.program.scratch * PROGRAM_SCRATCH_VECTORS
    return { ...group, scratch }
  })
  const lanesIn = new Uint32Array(inVectors * COLUMN_LIMBS)
  for (const [plan, at] of programs) writeProgram(plan, programOf(plan), at, environment, skeletonId, lanesIn)
  let workgroup = 0
  placed.forEach((group, index) => {
    const header = headersAt + PROGRAM_HEADER_VECTORS * index
    for (let lane = 0; lane < group.laneCount; lane += WORKGROUP_SIZE) {
      lanesIn[workgroup * COLUMN_LIMBS] = header
      lanesIn[workgroup++ * COLUMN_LIMBS + 1] = lane
    }
    writeHeader(group, header, programs.get(group.job.plan)!, lanesIn)
    fillColumns(group, source, lanesIn)
  })
  return { groups: placed, lanesIn, workgroups, outVectors, resultVectors, keyVectors }
}

const writeProgram = (
  { kernel }: PathPlan,
  program: PathProgram,
  at: number,
  environment: Uint32Array,
  skeletonId: (key: string) => number,
  lanesIn: Uint32Array,
): void => {
  let limb = at * COLUMN_LIMBS
  lanesIn.set(program.code, limb)
  limb += program.code.length
  lanesIn.set(environment, limb)
  limb += environment.length
  for (const key of kernel.skeletons) {
    lanesIn[limb] = skeletonId(key)
    limb += LIMBS_PER_WORD
  }
  lanesIn.set(program.constants, limb)
}

const writeHeader = (group: WaveGroup, at: number, code: number, lanesIn: Uint32Array): void => {
  const { job, program, laneCount, inputs, outputs, keys, keyColumn, scratch } = group
  const hints = job.hints === undefined ? 0 : inputs + job.plan.kernel.hintColumn * laneCount
  // Key columns keep their numbers: their base may wrap below zero.
  const keyBase = (keys - keyColumn * laneCount) >>> 0
  lanesIn.set([code, program.instructions, code + program.code.length / COLUMN_LIMBS, laneCount], at * COLUMN_LIMBS)
  lanesIn.set([inputs, outputs, keyBase, hints], (at + 1) * COLUMN_LIMBS)
  lanesIn.set([scratch, program.scratch * PROGRAM_SCRATCH_VECTORS, 0, 0], (at + 2) * COLUMN_LIMBS)
}

const fillColumns = ({ job, laneCount, inputs }: WaveGroup, source: PathSource, lanesIn: Uint32Array): void => {
  const columns = lanesIn.subarray(inputs * COLUMN_LIMBS, (inputs + columnsIn(job) * laneCount) * COLUMN_LIMBS)
  gatherLanes(job.plan, job.transactions, laneCount, source, columns)
  if (job.hints !== undefined) gatherHints(job.plan, job.transactions, job.hints, columns)
}

/** The columns of a group in lanesIn. */
export const groupInputs = ({ job, laneCount, inputs }: WaveGroup, lanesIn: Uint32Array): Uint32Array =>
  lanesIn.subarray(inputs * COLUMN_LIMBS, (inputs + columnsIn(job) * laneCount) * COLUMN_LIMBS)
