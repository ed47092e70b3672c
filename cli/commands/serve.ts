import type { CommandModule } from 'yargs'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { SenderCache } from '../../host/senders/sender_cache.ts'
import { type Service, serve } from '../../service/serve.ts'
import { readGenesis } from '../chain_folder.ts'
import { ADAPTER_OPTION, openAdapter } from '../open_adapter.ts'
import { packageVersion } from '../package_version.ts'
import { repairProgress } from '../repair_progress.ts'
import { parseWhole } from '../result_file.ts'
import {
  parseDuration,
  parseExtraData,
  parseFlashblocks,
  parseGas,
  parseGasCap,
  parseLog,
  parsePorts,
  SERVE_OPTIONS,
  type ServeArguments,
} from '../serve_options.ts'

const MOST_UNDO = 1_000_000
/** 31 MB once they are needed. */
const SENDERS = 1 << 18
const MOST_THREADS = 64
const RANGES = { logBlocks: 100_000, logs: 20_000 }
const POOL_BLOBS = { blobsPerSender: 16, blobs: 1024 }
const MOST_POOLED = 1_000_000

/** Resolves with the first signal to end. */
const signalled = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })

/** Serves until a signal, or the service itself, ends it. */
const serveUntil = async (service: Service): Promise<NodeJS.Signals> => {
  const end = await Promise.race([signalled(), service.ended.then((thrown) => Promise.reject(thrown))])
  await service.close()
  return end
}

export const serveCommand: CommandModule<object, ServeArguments> = {
  command: 'serve',
  describe: 'Serve the chain of a folder: Engine API for a consensus client, JSON-RPC for wallets, metrics',
  builder: (parser) =>
    parser.parserConfiguration({ 'dot-notation': false }).options(SERVE_OPTIONS).options(ADAPTER_OPTION).strict(),
  handler: async (given) => {
    const log = parseLog(given.verbosity)
    const undoDepth = parseWhole('undo', given.undo, 0, MOST_UNDO)
    const gasCap = parseGasCap(given['rpc.gascap'])
    const calls = {
      threads: parseWhole('rpc.threads', given['rpc.threads'], 1, MOST_THREADS),
      callMs: parseDuration('rpc.evmtimeout', given['rpc.evmtimeout']),
    }
    const poolLimits = {
      ...POOL_BLOBS,
      perSender: parseWhole('txpool.accountslots', given['txpool.accountslots'], 1, MOST_POOLED),
      transactions: parseWhole('txpool.globalslots', given['txpool.globalslots'], 1, MOST_POOLED),
    }
    const flashblocks = parseFlashblocks(given)
    const builder = {
      extraData: parseExtraData(given['miner.extradata']),
      gasLimit: parseGas('miner.gaslimit', given['miner.gaslimit']),
      ...(flashblocks === undefined ? {} : { flashblocks }),
    }
    const genesis = given.genesis === undefined ? {} : { genesis: readGenesis(given.genesis) }
    const ports = parsePorts(given, packageVersion())
    const device = await openAdapter(given.adapter)
    const executor = device === undefined ? {} : { device }
    const senderCache = new SenderCache({ entries: SENDERS })
    try {
      const onRepair = repairProgress((percent) => log.info({ percent }, 'the trie of the state is made anew'))
      const chainExecutor = { ...executor, senderCache }
      const chain = await openChain({ path: given.data, undoDepth, onRepair, executor: chainExecutor, ...genesis })
      try {
        const service = await serve({
          chain,
          ports,
          log,
          calls,
          gasCap,
          builder,
          executor,
          // By name: a thread opens its own.
          callDevice: device === undefined ? undefined : given.adapter === undefined ? {} : { adapter: given.adapter },
          senderCache,
          ranges: RANGES,
          poolLimits,
        })
        const signal = await serveUntil(service)
        log.info({ signal }, 'ended')
      } finally {
        await chain.close()
      }
    } finally {
      device?.destroy()
    }
  },
}
