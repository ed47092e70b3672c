import type { CommandModule } from 'yargs'
import { forkAt, isMergedAfter } from '../../host/chain/chain_config.ts'
import { decodeHeader } from '../../host/chain/decode_block.ts'
import { StoreError } from '../../host/state/store/store_error.ts'
import { DATA_OPTION, type OpenStore, openStore } from '../chain_folder.ts'

interface ChainArguments {
  data: string
  json: boolean
}

/** What a folder holds; no state and no block of it is checked. */
const summaryOf = ({ store, meta, config }: OpenStore) => {
  const { number, hash, stateRoot } = store.head
  const bytes = store.header(hash)
  if (bytes === undefined) throw new StoreError(store.folder, 'damaged', 'the store is damaged: no header of the head')
  const { timestamp } = decodeHeader(bytes)
  const before = store.canonical(number - 1n)?.totalDifficulty ?? 0n
  const fork = forkAt(config, { number, timestamp, isMerged: isMergedAfter(config, before) })
  const { accounts, slots, code, canon, undo } = store.counts()
  return {
    chainId: meta.chainId,
    genesis: meta.genesisHash,
    head: { number: `${number}`, hash, stateRoot, timestamp: `${timestamp}`, fork },
    counts: { blocks: canon, accounts, slots, code, undo },
    bytes: store.sizeBytes,
  }
}

const LAST_DATE = 8_640_000_000_000n

/** A date where it is one; else the seconds alone. */
const timeOf = (timestamp: string): string =>
  BigInt(timestamp) > LAST_DATE ? timestamp : new Date(1000 * Number(timestamp)).toISOString()

const text = ({ chainId, genesis, head, counts, bytes }: ReturnType<typeof summaryOf>): string =>
  [
    `chain    ${chainId}`,
    `genesis  ${genesis}`,
    `head     ${head.number} ${head.hash}`,
    `root     ${head.stateRoot}`,
    `time     ${timeOf(head.timestamp)}, ${head.fork}`,
    `state    ${counts.accounts} accounts, ${counts.slots} slots, ${counts.code} codes`,
    `blocks   ${counts.blocks}, of which ${counts.undo} can be undone`,
    `size     ${(bytes / 1e6).toFixed(1)} MB`,
    '',
  ].join('\n')

export const chainCommand: CommandModule<object, ChainArguments> = {
  command: 'chain',
  describe: 'Show the head of a chain in a folder, what it holds, and its size',
  builder: (parser) =>
    parser.options(DATA_OPTION).option('json', { type: 'boolean', default: false, describe: 'print JSON' }).strict(),
  handler: async ({ data, json }) => {
    const opened = await openStore(data)
    try {
      const summary = summaryOf(opened)
      process.stdout.write(json ? `${JSON.stringify(summary, null, 2)}\n` : text(summary))
    } finally {
      await opened.store.close()
    }
  },
}
