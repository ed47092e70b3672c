import type { CommandModule } from 'yargs'
import { FixtureError } from '../../conformance/json_field.ts'
import { readProgram } from '../../conformance/program_file.ts'
import { DEVICE_OPTIONS, type DeviceArguments, parseDevice } from '../device_options.ts'
import { EXIT_FAILURE } from '../exit_codes.ts'
import { UserError } from '../fail.ts'
import { fixtureFiles } from '../fixture_files.ts'
import { checkResultPaths, parseWhole, writeResult } from '../result_file.ts'
import { parseTiers, TIER_OPTIONS, type TierArguments } from '../tier_options.ts'

interface ProgramsArguments extends TierArguments, DeviceArguments {
  files: string[]
  only: string | undefined
  lanes: string | undefined
  samples: string
  seed: string
  peers: string | undefined
  adapter: string | undefined
  json: string | undefined
}

const MOST_LANES = 2 ** 22
const MOST_SAMPLES = 100

const run = async (options: ProgramsArguments): Promise<void> => {
  const { lanes, adapter, json, peers, only } = options
  const wanted = {
    ...(lanes === undefined ? {} : { lanes: parseWhole('lanes', lanes, 1, MOST_LANES) }),
    ...(adapter === undefined ? {} : { adapter }),
    tiers: parseTiers({ ...options, tier: options.tier ?? (options['lane-vm'] === undefined ? 'lane-vm' : undefined) }),
    opened: parseDevice(options),
    samples: parseWhole('samples', options.samples, 1, MOST_SAMPLES),
    seed: parseWhole('seed', options.seed, 0, 2 ** 32 - 1),
  }
  if (peers !== undefined && peers !== 'revm') throw new UserError(`unknown peer '${peers}'; there is revm`)
  const files = programFiles(options.files)
  checkResultPaths({ json }, files)
  const programs = files
    .map(readProgram)
    .filter(({ name }) => only === undefined || only.split(',').some((prefix) => name.startsWith(prefix)))
  if (programs.length === 0) throw new UserError(`no program's name starts with ${only}`)

  const { runPrograms } = await import('../../bench/simulation/program_session.ts')
  const { createProgress } = await import('../../bench/report/progress.ts')
  const { programLine, programsText } = await import('../../bench/report/programs_text.ts')
  const { textStyle } = await import('../../bench/report/text_table.ts')
  const report = await runPrograms({
    ...wanted,
    programs,
    revm: peers === 'revm',
    progress: createProgress(process.stderr),
    onProgram: (program) => process.stdout.write(`${programLine(program)}\n`),
  })
  process.stdout.write(programsText(report, textStyle(process.stdout)))
  if (json !== undefined) {
    writeResult(json, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(`results  ${json}\n`)
  }
  if (report.failed.length > 0) process.exitCode = EXIT_FAILURE
}

/** Files as they are, folders as their programs: what has no calls in a folder is none. */
const programFiles = (inputs: readonly string[]): readonly string[] =>
  inputs.flatMap((input) => {
    const files = fixtureFiles([input])
    return files.length === 1 && files[0] === input ? files : files.filter(isProgram)
  })

const isProgram = (file: string): boolean => {
  try {
    readProgram(file)
    return true
  } catch (thrown) {
    if (thrown instanceof FixtureError) return false
    throw thrown
  }
}

export const programsCommand: CommandModule<object, ProgramsArguments> = {
  command: 'programs <files..>',
  describe: 'Run benchmark programs in a thousand lanes each, verified, beside serial @ethereumjs/evm',
  builder: (parser) =>
    parser
      .positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'program files (as `simulate` takes them) or folders of them',
      })
      .option('only', { type: 'string', describe: 'beginnings of names, separated by commas' })
      .option('lanes', {
        type: 'string',
        describe: 'calls per simulation [default: 1,024; 16,384 swaps; fewer where they are long]',
      })
      .option('samples', {
        type: 'string',
        default: '3',
        describe: 'measured simulations of programs that are not long',
      })
      .option('seed', { type: 'string', default: '1', describe: 'seed of the variations and of the verified sample' })
      .option('tier', { ...TIER_OPTIONS.tier, describe: `${TIER_OPTIONS.tier.describe} [default: lane-vm]` })
      .option('lane-vm', TIER_OPTIONS['lane-vm'])
      .option('waves', TIER_OPTIONS.waves)
      .option('range', TIER_OPTIONS.range)
      .options(DEVICE_OPTIONS)
      .option('peers', {
        type: 'string',
        describe: 'revm: native, through anvil; left out where its binary is not there',
      })
      .option('adapter', { type: 'string', describe: 'gpu, lavapipe, swiftshader, or a part of a name' })
      .option('json', { type: 'string', describe: 'write the results to this file' })
      .strict(),
  handler: run,
}
