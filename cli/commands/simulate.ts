import type { CommandModule } from 'yargs'
import type { ProgramRunOptions } from '../../bench/simulation/run_program.ts'
import { type Program, readProgram } from '../../conformance/program_file.ts'
import { type BlockState, openBlockState } from '../block_state.ts'
import { UserError } from '../fail.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { PATHS_NEVER, parseTiers, TIER_OPTIONS, type TierArguments } from '../tier_options.ts'

interface SimulateArguments extends TierArguments {
  program: string
  lanes: string | undefined
  samples: string
  seed: string
  verify: string | undefined
  adapter: string | undefined
  json: string | undefined
  data: string | undefined
  block: string | undefined
}

const MOST_LANES = 2 ** 22
const MOST_SAMPLES = 100

const run = async (options: SimulateArguments): Promise<void> => {
  const { lanes, verify, adapter, json } = options
  const wanted = {
    ...(lanes === undefined ? {} : { lanes: parseWhole('lanes', lanes, 1, MOST_LANES) }),
    ...(verify === undefined ? {} : { verify: parseWhole('verify', verify, 1, MOST_LANES) }),
    ...(adapter === undefined ? {} : { adapter }),
    tiers: parseTiers(options),
    samples: parseWhole('samples', options.samples, 1, MOST_SAMPLES),
    seed: parseWhole('seed', options.seed, 0, 2 ** 32 - 1),
  }
  checkResultPaths({ json }, [options.program])
  const program = readProgram(options.program)
  const on = await groundOf(options)
  try {
    await simulate(program, on === undefined ? wanted : { ...wanted, on }, json)
  } finally {
    await on?.close()
  }
}

const groundOf = async ({ data, block }: SimulateArguments): Promise<BlockState | undefined> => {
  if (data === undefined && block !== undefined) throw new UserError('--block is for --data')
  if (data === undefined) return undefined
  const number = block === undefined ? undefined : BigInt(parseWhole('block', block, 0, Number.MAX_SAFE_INTEGER))
  return openBlockState(data, number)
}

const simulate = async (
  program: Program,
  wanted: ProgramRunOptions & { readonly adapter?: string },
  json: string | undefined,
): Promise<void> => {
  const { runProgram } = await import('../../bench/simulation/run_program.ts')
  const { programText } = await import('../../bench/simulation/report_text.ts')
  const report = await runProgram(program, wanted)
  process.stdout.write(programText(report))
  if (json === undefined) return
  writeResult(json, `${JSON.stringify(report, null, 2)}\n`)
  process.stdout.write(`results  ${json}\n`)
}

export const simulateCommand: CommandModule<object, SimulateArguments> = {
  command: 'simulate <program>',
  describe: 'Run the calls of a program in thousands of varied lanes against one state',
  builder: (parser) =>
    parser
      .positional('program', {
        type: 'string',
        demandOption: true,
        describe: 'a program file: JSON (or gzip of it) with { name, fork, env, pre, calls }',
      })
      .option('lanes', {
        type: 'string',
        describe: 'calls per simulation [default: what fits the time, at most 100,000]',
      })
      .option('samples', { type: 'string', default: '3', describe: 'measured simulations' })
      .option('seed', { type: 'string', default: '1', describe: 'seed of the variations and of the verified sample' })
      .option('verify', { type: 'string', describe: 'lanes to verify [default: what fits five seconds]' })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, or a part of a name' })
      .options(TIER_OPTIONS)
      .option('paths', { type: 'string', describe: PATHS_NEVER })
      .option('data', {
        type: 'string',
        describe:
          'run on the state, fork and environment of a block of the chain in this folder, not on those of the file',
      })
      .option('block', { type: 'string', describe: 'number of that block [default: the head]' })
      .option('json', { type: 'string', describe: 'write the results to this file' })
      .strict(),
  handler: run,
}
