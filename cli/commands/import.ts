import type { CommandModule } from 'yargs'
import { type DecodedBlock, decodeBlock } from '../../host/chain/decode_block.ts'
import type { Chain } from '../../host/flows/chain/chain_interface.ts'
import { openChain } from '../../host/flows/chain/open_chain.ts'
import { isRefusal } from '../../host/flows/chain/refusals.ts'
import { fileBytes, readBlocks } from '../chain_file.ts'
import { DATA_OPTION, openStore } from '../chain_folder.ts'
import { importProgress } from '../import_progress.ts'
import { ADAPTER_OPTION, openAdapter } from '../open_adapter.ts'
import { repairLines } from '../repair_progress.ts'
import { parseWhole } from '../result_file.ts'

interface ImportArguments {
  file: string
  data: string
  adapter: string | undefined
  undo: string
  'verify-seal': boolean
}

const MOST_UNDO = 1_000_000

/** A block may not stand. What was before it is in the folder. */
class ImportError extends Error {
  override readonly name = 'ImportError'
}

/** The seal of a block of proof of work is not verified here, so a block with one is taken only where that is said. */
const refuseSeal = ({ header: { number, difficulty } }: DecodedBlock, file: string): void => {
  if (number === 0n || difficulty === 0n) return
  throw new ImportError(
    `${file}: block ${number} has a seal of proof of work, which is not verified here: --no-verify-seal takes it as given`,
  )
}

const importFile = async (chain: Chain, file: string, verifySeal: boolean): Promise<void> => {
  const startedMs = performance.now()
  const progress = importProgress(process.stderr, fileBytes(file))
  let known = 0
  let count = 0
  let transactions = 0
  try {
    for (const { bytes, end } of readBlocks(file)) {
      try {
        const block = decodeBlock(bytes)
        if (verifySeal) refuseSeal(block, file)
        const { header, result } = await chain.import(block)
        progress.reached(end, `block ${header.number}`)
        if (result === undefined) known++
        else {
          count++
          transactions += result.receipts.count
        }
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown
        const { number } = chain.head.header
        const what = thrown.name === 'BlockError' ? thrown.message : `block ${number + 1n}: ${thrown.message}`
        throw new ImportError(`${file}: ${what}; the head is block ${number}`, { cause: thrown })
      }
    }
  } finally {
    progress.stop()
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const there = known === 0 ? '' : `, ${known} were there`
  const { header, hash } = chain.head
  process.stdout.write(`imported ${count} blocks, ${transactions} transactions in ${seconds} s${there}\n`)
  process.stdout.write(`head     ${header.number} ${hash}\nroot     ${header.stateRoot}\n`)
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <file>',
  describe:
    'Execute the blocks of a file on the chain of a folder, every root checked; goes on after those that are there',
  builder: (parser) =>
    parser
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'RLP of blocks one after another, as geth export writes it',
      })
      .options(DATA_OPTION)
      .option('undo', { type: 'string', default: '128', describe: 'blocks that a reorganisation may go back' })
      .option('verify-seal', {
        type: 'boolean',
        default: true,
        describe: 'refuse blocks with a seal, which is not verified here; --no-verify-seal takes seals as given',
      })
      .options(ADAPTER_OPTION)
      .strict(),
  handler: async ({ file, data, adapter, undo, 'verify-seal': verifySeal }) => {
    const undoDepth = parseWhole('undo', undo, 0, MOST_UNDO)
    // A file or a chain that is not there is said before a device is opened.
    fileBytes(file)
    await (await openStore(data)).store.close()
    const device = await openAdapter(adapter)
    try {
      const executor = device === undefined ? {} : { device }
      const onRepair = repairLines(process.stderr)
      const chain = await openChain({ path: data, undoDepth, onRepair, executor })
      try {
        await importFile(chain, file, verifySeal)
      } finally {
        await chain.close()
      }
    } finally {
      device?.destroy()
    }
  },
}
