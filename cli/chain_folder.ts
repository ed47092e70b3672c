import { readFileSync } from 'node:fs'
import { FixtureError } from '../conformance/json_field.ts'
import type { ChainConfig } from '../host/chain/chain_config.ts'
import { checkRules } from '../host/flows/chain/check_store.ts'
import { type Genesis, parseGenesis } from '../host/flows/chain/genesis.ts'
import { Store, type StoreMeta } from '../host/state/store/store.ts'
import { StoreError } from '../host/state/store/store_error.ts'

/** `--data` of the commands that work on a chain in a folder. */
export const DATA_OPTION = {
  data: { type: 'string', demandOption: true, describe: 'the folder of the chain' },
} as const

/** Reads a genesis file as go-ethereum writes it. Throws FixtureError. */
export const readGenesis = (path: string): Genesis => {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new FixtureError(path, '', `cannot be read (${(thrown as NodeJS.ErrnoException).code})`)
  }
  try {
    return parseGenesis(text)
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'InputError') throw new FixtureError(path, '', thrown.message)
    throw thrown
  }
}

/** A store with a chain. */
export interface OpenStore {
  readonly store: Store
  readonly meta: StoreMeta
  readonly config: ChainConfig
}

/** A store with a chain, its rules checked; without its trie, so at once. Throws StoreError. */
export const openStore = async (folder: string): Promise<OpenStore> => {
  const store = await Store.open(folder, { create: false })
  try {
    const { meta } = store
    if (meta === undefined) throw new StoreError(folder, 'empty', 'holds no chain yet: begin one with wgevm init')
    return { store, meta, config: checkRules(store, meta) }
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}
