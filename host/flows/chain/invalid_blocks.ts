import type { BlockHeader } from '../../chain/header.ts'
import type { BlockVerdict, ChainBlock } from './block_tree.ts'

type InvalidVerdict = Extract<BlockVerdict, { readonly status: 'invalid' }>

/** The oldest are forgotten: they are executed, and refused, again. */
const MOST = 1024

/** Blocks that may not stand, so that those after them are refused as well. */
export class InvalidBlocks {
  readonly #verdicts = new Map<string, InvalidVerdict>()

  add(hash: string, header: BlockHeader, reason: string, latestValid: ChainBlock): InvalidVerdict {
    const verdict: InvalidVerdict = { status: 'invalid', hash, header, reason, latestValid }
    this.#verdicts.set(hash, verdict)
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= MOST) break
      this.#verdicts.delete(oldest)
    }
    return verdict
  }

  /** Of a block that was refused, or follows one. */
  verdict(hash: string, header: BlockHeader): InvalidVerdict | undefined {
    const parent = this.#verdicts.get(header.parentHash)
    if (parent === undefined) return this.#verdicts.get(hash)
    return this.add(
      hash,
      header,
      `follows the invalid block ${parent.header.number}: ${parent.reason}`,
      parent.latestValid,
    )
  }
}
