import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandModule } from 'yargs'
import { transpilePath } from '../../transpiler/index.ts'
import { FORKS, type Fork, isFork } from '../../transpiler/spec/forks.ts'
import { UserError } from '../fail.ts'
import { DUMP_ENDINGS, describeTranspilation, dumpTranspilation } from '../path_report.ts'
import { blockSources, bytecodeSource, MAX_GAS, type PathSource, parseHex, programSources } from '../path_source.ts'
import { checkResultFolder, parseWhole } from '../result_file.ts'

interface TranspileArguments {
  input: string | undefined
  workload: string | undefined
  fork: string | undefined
  calldata: string
  caller: string
  value: string
  gas: string
  dump: string | undefined
}

const DEFAULT_FORK: Fork = 'osaka'
const WORKLOAD_SIZE = 256

const parseFork = (name: string | undefined): Fork | undefined => {
  if (name === undefined || isFork(name)) return name
  throw new UserError(`unknown fork '${name}'; there is ${FORKS.join(', ')}`)
}

const workloadSources = async (name: string, fork: Fork): Promise<PathSource[]> => {
  const { WORKLOADS } = await import('../../bench/workloads/index.ts')
  const { MemoryState } = await import('../../host/state/memory_state.ts')
  const workload = WORKLOADS.find((candidate) => candidate.name === name)
  if (workload === undefined) {
    throw new UserError(`unknown workload '${name}'; there is ${WORKLOADS.map((each) => each.name).join(', ')}`)
  }
  const scenario = await workload.build({ fork, size: WORKLOAD_SIZE, seed: 1, blocks: 1 })
  const state = new MemoryState()
  state.commit(scenario.genesis)
  return blockSources(name, scenario.next(), state, fork, scenario.chainId)
}

const parseQuantity = (text: string, what: string, bits: number): bigint => {
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) throw new UserError(`${what} is no number: '${text}'`)
  const value = BigInt(text)
  if (value >> BigInt(bits) !== 0n) throw new UserError(`${what} has more than ${bits} bits: '${text}'`)
  return value
}

const sourcesOf = async (argv: TranspileArguments): Promise<PathSource[]> => {
  const fork = parseFork(argv.fork)
  if (argv.workload !== undefined) return workloadSources(argv.workload, fork ?? DEFAULT_FORK)
  if (argv.input === undefined) throw new UserError('give bytecode in hex, a program file, or --workload NAME')
  if (existsSync(argv.input) || /\.json(\.gz)?$/.test(argv.input)) return programSources(argv.input, fork)
  const code = parseHex(argv.input, 'the bytecode')
  if (code.length === 0) throw new UserError('the bytecode is empty')
  return bytecodeSource(code, {
    fork: fork ?? DEFAULT_FORK,
    calldata: argv.calldata,
    caller: `0x${parseQuantity(argv.caller, '--caller', 160).toString(16)}`,
    value: parseQuantity(argv.value, '--value', 256),
    gas: parseWhole('gas', argv.gas, 1, MAX_GAS),
  })
}

const run = async (argv: TranspileArguments): Promise<void> => {
  if (argv.dump !== undefined) checkResultFolder(argv.dump, 'dump', argv.input, DUMP_ENDINGS)
  const sources = await sourcesOf(argv)
  for (const [index, source] of sources.entries()) {
    const entry = await source.state.account(source.transaction.to)
    if (entry === undefined || entry.code.length === 0) {
      process.stdout.write(`${source.label}\n  no code at the called address: a plain transfer\n`)
      continue
    }
    const result = await transpilePath(source.transaction, source.state)
    if (result.kind === 'unsupported') {
      process.stdout.write(`${source.label}\n  not transpiled: ${result.reason} at pc ${result.pc}\n`)
      continue
    }
    process.stdout.write(describeTranspilation(source, result))
    if (argv.dump === undefined) continue
    const folder = sources.length === 1 ? argv.dump : join(argv.dump, String(index).padStart(2, '0'))
    dumpTranspilation(folder, source, entry.code, result)
    process.stdout.write(`  dumped to     ${folder}\n`)
  }
}

export const transpileCommand: CommandModule<object, TranspileArguments> = {
  command: 'transpile [input]',
  describe: 'Show how the path of a transaction becomes a WGSL kernel, stage by stage',
  builder: (yargs) =>
    yargs
      .positional('input', { type: 'string', describe: 'bytecode in hex, or a program file (JSON)' })
      .option('workload', { type: 'string', describe: 'the distinct paths of a benchmark workload' })
      .option('fork', {
        type: 'string',
        describe: `${FORKS[0]} to ${FORKS.at(-1)}; default: the program's, else ${DEFAULT_FORK}`,
      })
      .option('calldata', { type: 'string', default: '0x', describe: 'calldata in hex (bytecode input)' })
      .option('caller', { type: 'string', default: '0x5e4de7', describe: 'sender (bytecode input)' })
      .option('value', { type: 'string', default: '0', describe: 'wei sent (bytecode input)' })
      .option('gas', { type: 'string', default: '10000000', describe: 'execution gas (bytecode input)' })
      .option('dump', {
        type: 'string',
        describe: 'write code.asm, path.txt, ir.NN_pass.txt, kernel.wgsl, report.txt there',
      }),
  handler: run,
}
