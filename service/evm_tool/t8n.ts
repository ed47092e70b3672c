import type { Argv } from 'yargs'
import { bytesToHex } from '../../host/primitives/hex.ts'
import { allocJson, readAlloc } from './alloc_json.ts'
import { blockEnvOf } from './block_env.ts'
import { joinBody } from './body_rlp.ts'
import { readEnv } from './env_json.ts'
import { FORK_NAMES, rulesOf } from './fork_rules.ts'
import { readInputs } from './input_files.ts'
import { OutputFiles } from './output_files.ts'
import type { TransitionInput, TransitionOutput } from './run_transition.ts'
import type { ToolCommand } from './tool_command.ts'
import { ToolError } from './tool_error.ts'
import type { ToolStreams } from './tool_streams.ts'

interface TransitionArguments {
  'input.alloc': string
  'input.env': string
  'input.txs': string
  'output.basedir': string
  'output.alloc': string
  'output.result': string
  'output.body': string
  'state.fork': string
  'state.chainid': string
  'state.reward': string
  'state-test': boolean
  trace: boolean
  'trace.memory': boolean
  'trace.nostack': boolean
  'opcode.count': string
  adapter: string | undefined
  verbosity: string
}

/** Transactions from which a device is opened where none is named: fewer take less on the CPU than opening one. */
const LEAST_FOR_DEVICE = 4096

const wholeOf = (option: string, text: string, least: bigint): bigint => {
  const isWhole = /^(-?[0-9]{1,19}|0x[0-9a-fA-F]{1,16})$/.test(text)
  if (!isWhole || BigInt(text) < least || BigInt(text) > 2n ** 63n - 1n)
    throw new ToolError('failure', `--${option} takes a whole number from ${least} to 2^63 - 1, got '${text}'`)
  return BigInt(text)
}

const readInput = (options: TransitionArguments, stdin: () => string): TransitionInput => {
  const names = {
    alloc: options['input.alloc'],
    env: options['input.env'],
    txs: options['input.txs'],
  }
  const inputs = readInputs(names, stdin)
  const alloc = readAlloc(inputs.alloc)
  const given = readEnv(inputs.env)
  const rules = rulesOf(options['state.fork'], given)
  const chainId = wholeOf('state.chainid', options['state.chainid'], 0n)
  const wei = wholeOf('state.reward', options['state.reward'], -1n)
  const transactions = inputs.transactions(chainId)
  return {
    rules,
    chainId,
    alloc,
    block: blockEnvOf(given, rules),
    blockHashes: given.blockHashes,
    transactions,
    withdrawals: given.withdrawals,
    reward: wei < 0n ? undefined : { wei, uncles: given.uncles },
    systemCalls: options['state-test'] ? 'never' : undefined,
  }
}

/** Executes on the device that is named, else on the best one where transactions are many. Throws NoAdapterError. */
const execute = async (input: TransitionInput, adapter: string | undefined): Promise<TransitionOutput> => {
  const { runTransition } = await import('./run_transition.ts')
  const isMany = input.transactions.length >= LEAST_FOR_DEVICE
  if (adapter === 'auto' || (adapter === undefined && isMany)) return runTransition(input, { device: 'auto' })
  const { openAdapter } = await import('./named_device.ts')
  const device = await openAdapter(adapter)
  try {
    return await runTransition(input, device === undefined ? {} : { device })
  } finally {
    device?.destroy()
  }
}

const run = async (options: TransitionArguments, streams: ToolStreams): Promise<void> => {
  const files = new OutputFiles(options['output.basedir'])
  const input = readInput(options, streams.stdin)
  const output = await execute(input, options.adapter)
  const log =
    wholeOf('verbosity', options.verbosity, 0n) >= 3n ? (line: string) => streams.stderr(`${line}\n`) : () => {}
  for (const { index, error } of output.rejected) log(`WARN rejected tx index=${index} error=${JSON.stringify(error)}`)
  if (options.trace || options['opcode.count'] !== '') await addTraces(output, options, files)
  await dispatch(output, options, { files, log, streams })
}

const addTraces = async (output: TransitionOutput, options: TransitionArguments, files: OutputFiles): Promise<void> => {
  const { traceIncluded, traceFile, OpcodeCount } = await import('./traces.ts')
  const shown = options['trace.nostack'] ? { stack: 'never' as const } : {}
  const counts = new OpcodeCount()
  await traceIncluded(output, options.trace && options['trace.memory'] ? 'always' : undefined, (transaction, trace) => {
    counts.add(trace, output)
    if (!options.trace) return
    const { name, lines } = traceFile(transaction, trace, output, shown)
    files.add(
      name,
      lines.map((line) => `${line}\n`),
    )
  })
  if (options['opcode.count'] !== '') files.add(options['opcode.count'], [JSON.stringify(counts.json(), null, 1)])
}

interface Sinks {
  readonly files: OutputFiles
  readonly log: (line: string) => void
  readonly streams: ToolStreams
}

/** Sends each output where its option says: into one object on a stream, into a file, or nowhere. */
const dispatch = async (
  output: TransitionOutput,
  options: TransitionArguments,
  { files, log, streams }: Sinks,
): Promise<void> => {
  const { resultJson } = await import('./result_json.ts')
  const objects = { stdout: new Map<string, unknown>(), stderr: new Map<string, unknown>() }
  const outputs = {
    alloc: () => allocJson(output.state),
    body: () => bytesToHex(joinBody(output.included.map(({ bytes }) => bytes))),
    result: () => resultJson(output),
  }
  for (const name of ['alloc', 'result', 'body'] as const) {
    const to = options[`output.${name}`]
    if (to === '') continue
    if (to === 'stdout' || to === 'stderr') objects[to].set(name, outputs[name]())
    else files.add(to, [JSON.stringify(outputs[name](), null, 1)])
  }
  for (const path of files.write()) log(`INFO wrote file=${path}`)
  for (const name of ['stdout', 'stderr'] as const) {
    if (objects[name].size === 0) continue
    const inOrder = [...objects[name]].sort(([a], [b]) => (a < b ? -1 : 1))
    streams[name](`${JSON.stringify(Object.fromEntries(inOrder), null, 2)}\n`)
  }
}

const FILE = 'stdin, or the name of a JSON file'
const WHERE = 'stdout, stderr, a file of the basedir, or nothing'

const forkHelp = (): string =>
  [
    'Forks (--state.fork), each with +EIP for EIPs that it has:',
    ...FORK_NAMES.map((name) => `  ${name}`),
    '',
    'Exit codes: 0 done; 2 a contract of the system is missing or fails; 3 fork or environment; 4 a block hash was',
    'asked for that is not in the environment; 10 JSON; 11 a file cannot be read or written; 12 RLP; 1 anything else.',
  ].join('\n')

const builder = (parser: Argv): Argv<TransitionArguments> => {
  const text = (name: string, value: string, describe: string) =>
    ({ [name]: { type: 'string', default: value, describe, requiresArg: true } }) as const
  const flag = (name: string, describe: string) => ({ [name]: { type: 'boolean', default: false, describe } }) as const
  return parser
    .options({
      ...text('input.alloc', 'alloc.json', `accounts before the block: ${FILE}`),
      ...text('input.env', 'env.json', `the block: ${FILE}`),
      ...text('input.txs', 'txs.json', `transactions: ${FILE}; of a file *.rlp the hex of an RLP list`),
      ...text('output.basedir', '', 'folder of the files that are written; made where it is not there'),
      ...text('output.alloc', 'alloc.json', `accounts after the block: ${WHERE}`),
      ...text('output.result', 'result.json', `roots and receipts: ${WHERE}`),
      ...text('output.body', '', `RLP of the included transactions: ${WHERE}`),
      ...text('state.fork', 'GrayGlacier', 'rules of the block'),
      ...text('state.chainid', '1', 'id of the chain'),
      ...text('state.reward', '0', 'wei for the miner of the block; -1 for none, 0 touches the account'),
      ...flag('state-test', 'call no contract of the system, before or after the transactions'),
      ...flag('trace', 'write each transaction to trace-INDEX-HASH.jsonl (EIP-3155)'),
      ...flag('trace.memory', 'with the memory before each step'),
      ...flag('trace.nostack', 'without the stack'),
      ...text('opcode.count', '', 'file for how often each opcode was executed by the transactions'),
      ...text('verbosity', '3', 'from 3 on rejected transactions and written files are told on stderr'),
      adapter: {
        type: 'string',
        requiresArg: true,
        describe: `auto, gpu, lavapipe, swiftshader, a part of a name, or none [default: none below ${LEAST_FOR_DEVICE} transactions]`,
      },
    })
    .epilogue(forkHelp()) as unknown as Argv<TransitionArguments>
}

export const transitionCommand = (streams: ToolStreams): ToolCommand<TransitionArguments> => ({
  command: ['t8n', 'transition'],
  describe: 'Execute transactions on a state, and tell the state after them',
  builder,
  handler: (options) => run(options, streams),
  flags: ['state-test', 'trace', 'trace.memory', 'trace.nostack'],
})
