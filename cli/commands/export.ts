import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { joinBlock } from '../../host/chain/encode_block.ts'
import type { Store } from '../../host/state/store/store.ts'
import { StoreError } from '../../host/state/store/store_error.ts'
import { DATA_OPTION, openStore } from '../chain_folder.ts'
import { UserError } from '../fail.ts'
import { parseWhole } from '../result_file.ts'

interface ExportArguments {
  file: string
  data: string
  from: string
  to: string | undefined
}

const blockBytes = (store: Store, number: bigint): Uint8Array => {
  const hash = store.canonical(number)?.hash
  const header = hash === undefined ? undefined : store.header(hash)
  const body = hash === undefined ? undefined : store.body(hash)
  if (header === undefined || body === undefined)
    throw new StoreError(store.folder, 'damaged', `the store is damaged: block ${number} is not there`)
  return joinBlock(header, body)
}

const checkTarget = (file: string): void => {
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) throw new UserError(`${file}: there is no folder ${folder}`)
  if (existsSync(file) && !statSync(file).isFile()) throw new UserError(`${file} is no file; name one`)
}

/** The whole file or nothing. */
const writeBlocks = (file: string, store: Store, from: bigint, to: bigint): void => {
  const temporary = `${file}.${process.pid}.tmp`
  let open: number | undefined
  try {
    open = openSync(temporary, 'w')
    for (let number = from; number <= to; number++) {
      const bytes = blockBytes(store, number)
      for (let at = 0; at < bytes.length; ) at += writeSync(open, bytes, at)
    }
    fsyncSync(open)
    closeSync(open)
    open = undefined
    renameSync(temporary, file)
  } catch (thrown) {
    if (open !== undefined) closeSync(open)
    rmSync(temporary, { force: true })
    const { code } = thrown as NodeJS.ErrnoException
    if (typeof code !== 'string') throw thrown
    throw new UserError(`${file} cannot be written (${code})`, { cause: thrown })
  }
}

export const exportCommand: CommandModule<object, ExportArguments> = {
  command: 'export <file>',
  describe: 'Write the blocks of a chain to a file, RLP one after another, as import takes it',
  builder: (parser) =>
    parser
      .positional('file', { type: 'string', demandOption: true, describe: 'the file to write' })
      .options(DATA_OPTION)
      .option('from', { type: 'string', default: '1', describe: 'the first block' })
      .option('to', { type: 'string', describe: 'the last block [default: the head]' })
      .strict(),
  handler: async ({ file, data, from, to }) => {
    checkTarget(file)
    const { store } = await openStore(data)
    try {
      const head = Number(store.head.number)
      const last = to === undefined ? head : parseWhole('to', to, 0, head)
      const first = parseWhole('from', from, 0, Number.MAX_SAFE_INTEGER)
      if (first > last) throw new UserError(`--from ${first} is above the last block, ${last}`)
      writeBlocks(file, store, BigInt(first), BigInt(last))
      process.stdout.write(`exported ${last - first + 1} blocks, ${first} to ${last}\n`)
    } finally {
      await store.close()
    }
  },
}
