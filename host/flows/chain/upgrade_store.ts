import { decodeBlock } from '../../chain/decode_block.ts'
import { joinBlock } from '../../chain/encode_block.ts'
import { SCHEMA, SCHEMA_WITHOUT_PLACES } from '../../state/store/environment.ts'
import type { Store } from '../../state/store/store.ts'
import { hashesOf } from './transaction_hashes.ts'

/**
 * Brings a store whose trie is there to the schema of this version, block by block. Where the process ends on the way,
 * the store is still one of the schema before, and the next opening begins again.
 *
 * Cost: linear in the transactions of the chain.
 */
export const upgradeStore = (store: Store): void => {
  if (store.schema === SCHEMA) return
  if (store.schema === SCHEMA_WITHOUT_PLACES)
    store.makePlaces((number) => {
      const { hash } = store.canonical(number)!
      return hashesOf(decodeBlock(joinBlock(store.header(hash)!, store.body(hash)!)))
    })
  store.setSchema()
}
