import type { PackedTransactions } from '../../host/index.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { PoolCalls, SendReply } from '../node/pool_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'

/** Transactions that go together, and their bytes but for those of the last one: the node's thread has others to do. */
const MOST_TOGETHER = 256
const MOST_BYTES = 1 << 20
/** Those that wait. */
const MOST_WAITING = 65_536

interface Send {
  readonly bytes: Uint8Array
  readonly reply: (reply: SendReply) => void
  readonly fail: (thrown: unknown) => void
}

/** Transactions on their way to a pool: those that come while others are there go together when these are answered. */
class SendQueue {
  readonly #addAll: PoolCalls['addAll']
  #waiting: Send[] = []
  /** Something is on its way, or about to be. */
  #isUnderway = false

  constructor(addAll: PoolCalls['addAll']) {
    this.#addAll = addAll
  }

  async add(bytes: Uint8Array): Promise<string> {
    if (this.#waiting.length >= MOST_WAITING)
      throw new RpcError(RPC_CODE.limitExceeded, `${MOST_WAITING} transactions wait already, try again later`)
    const reply = await new Promise<SendReply>((resolve, reject) => {
      this.#waiting.push({ bytes, reply: resolve, fail: reject })
      if (this.#isUnderway) return
      this.#isUnderway = true
      // What came with one read of the sockets goes together.
      setImmediate(() => void this.#send())
    })
    if (typeof reply === 'string') return reply
    throw new RpcError(reply.code, reply.message, reply.data)
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#take()
      try {
        const replies = await this.#addAll(sideBySide(together))
        for (let i = 0; i < together.length; i++) together[i]!.reply(replies[i]!)
      } catch (thrown) {
        for (const { fail } of together) fail(thrown)
      }
    }
    this.#isUnderway = false
  }

  #take(): readonly Send[] {
    let count = 0
    for (let bytes = 0; count < this.#waiting.length && count < MOST_TOGETHER && bytes < MOST_BYTES; count++)
      bytes += this.#waiting[count]!.bytes.length
    const together = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    return together
  }
}

const sideBySide = (sends: readonly Send[]): PackedTransactions => {
  const offsets = new Uint32Array(sends.length + 1)
  for (let i = 0; i < sends.length; i++) offsets[i + 1] = offsets[i]! + sends[i]!.bytes.length
  const bytes = new Uint8Array(offsets[sends.length]!)
  for (let i = 0; i < sends.length; i++) bytes.set(sends[i]!.bytes, offsets[i])
  return { bytes, offsets }
}

/** The calls of a node, to whose pool transactions go together where they come so, in the order of their arrival. */
export const gatheredSends = (node: NodeCalls): NodeCalls => {
  const queue = new SendQueue((sent) => node.pool.addAll(sent))
  const pool = new Proxy({} as PoolCalls, {
    get: (_, name) =>
      name === 'add' ? (bytes: Uint8Array) => queue.add(bytes) : node.pool[name as Exclude<keyof PoolCalls, 'add'>],
  })
  return new Proxy({} as NodeCalls, {
    get: (_, room) => (room === 'pool' ? pool : node[room as keyof NodeCalls]),
  })
}
