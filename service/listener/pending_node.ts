import type { BlockName } from '../json_rpc/codec.ts'
import type { NodeCalls } from '../node/node_calls.ts'

/** Calls of the chain that may be about the pending block; the others mean the head by it. */
const OF_CHAIN = new Set(['block', 'receipts', 'transactionAt', 'transactionCount'])

/** Blocks that one call is asked about, each of which has made room for the next one before it was read. */
const MOST_BLOCKS = 8

type Room = Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>

const isPending = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'tag' in value && value.tag === 'pending'

const namesPending = (value: unknown): boolean =>
  isPending(value) || (typeof value === 'object' && value !== null && 'at' in value && isPending(value.at))

const named = (value: unknown, block: BlockName): unknown => {
  if (isPending(value)) return block
  return namesPending(value) ? { ...(value as object), at: block } : value
}

/**
 * The calls of a node, of which those about the pending block are asked about the one that is being built, by its hash,
 * wherever they run. Where none is, the head stands for it. `builder` knows the hash.
 */
export const withPending = (node: NodeCalls, builder: NodeCalls): NodeCalls => {
  const ask = async (call: Room[string], values: readonly unknown[]): Promise<unknown> => {
    for (let n = 1; ; n++) {
      const hash = await builder.chain.pending()
      if (hash === undefined) return call(...values)
      const answer = call(...values.map((value) => named(value, { hash, requireCanonical: false })))
      const [result] = await Promise.allSettled([answer])
      // A block that was built anew meanwhile is not known any more: then the new one is asked about.
      const isKnown = result.status === 'fulfilled' && result.value !== undefined
      if (isKnown || n === MOST_BLOCKS || (await builder.chain.pending()) === hash) return answer
    }
  }
  const about = (room: Room, mayBe: (name: string) => boolean): Room =>
    new Proxy(room, {
      get:
        (_, key) =>
        (...values: readonly unknown[]) => {
          const name = String(key)
          const call = (...given: readonly unknown[]): Promise<unknown> => room[name]!(...given)
          return mayBe(name) && values.some(namesPending) ? ask(call, values) : call(...values)
        },
    })
  const rooms = node as unknown as Readonly<Record<string, Room>>
  return new Proxy({} as NodeCalls, {
    get: (_, key) => {
      const name = String(key)
      if (name === 'chain') return about(rooms[name]!, (call) => OF_CHAIN.has(call))
      return name === 'state' ? about(rooms[name]!, () => true) : rooms[name]
    },
  })
}
