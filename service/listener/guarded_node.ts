import type { NodeCalls } from '../node/node_calls.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { CallThreads } from './call_threads.ts'

/** Where a call that is not of the consensus layer runs. */
type Place = 'node' | 'proofs' | 'reads' | 'calls'

export interface GuardTerms {
  /** Threads of calls that execute code. */
  readonly calls: CallThreads
  /** Threads of calls that read blocks and states. */
  readonly reads: CallThreads
}

/** Calls on the node's thread at once: a block that comes meanwhile waits for no more of them. */
const AT_ONCE: Readonly<Record<'node' | 'proofs', number>> = { node: 4, proofs: 1 }
/** Those that wait to be there. */
const MOST_WAITING = 65_536

const EXECUTING = new Set(['call', 'estimateGas', 'createAccessList', 'simulateBlocks'])
const READING = new Set([
  'blockBytes',
  'feeHistory',
  'logsOfBlock',
  'logsOfRange',
  'priorityFee',
  'receipt',
  'receiptBytes',
  'receipts',
  'transactionAt',
  'transactionCount',
  'uncleCount',
])
/** The pool has some of them: the node is asked for what is in no block. */
const READING_FIRST = new Set(['transaction', 'transactionBytes'])

/** Whether a call names the head, whose state needs no layers. */
const isAtHead = (values: readonly unknown[]): boolean => {
  const at = values.at(-1)
  return typeof at === 'object' && at !== null && 'tag' in at && (at.tag === 'latest' || at.tag === 'pending')
}

const placeOf = (room: string, name: string, values: readonly unknown[]): Place => {
  if (room === 'state') {
    if (EXECUTING.has(name)) return 'calls'
    if (name === 'proof') return 'proofs'
    return isAtHead(values) ? 'node' : 'reads'
  }
  if (room === 'trace') return 'reads'
  if (room !== 'chain') return 'node'
  if (name === 'block') return values[1] === true ? 'reads' : 'node'
  return READING.has(name) || READING_FIRST.has(name) ? 'reads' : 'node'
}

/** Lets so many run at once; the others wait in their order. */
class Window {
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(most: number) {
    this.#most = most
  }

  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#waiting.length >= MOST_WAITING)
      throw new RpcError(RPC_CODE.limitExceeded, `${MOST_WAITING} calls wait already, try again later`)
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}

/** Rooms whose calls may run on other threads. */
type GuardedRoom = 'chain' | 'state' | 'trace'

type Room = Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>

/** Rooms whose calls go to the node as they come. */
const AT_ONCE_ROOMS = ['engine', 'miner', 'service', 'source']

/**
 * The calls of a node, of which those of other callers never hold up the consensus layer's for longer than a few short
 * ones take: what executes code or reads much runs on threads of its own.
 */
export const guardedNode = (node: NodeCalls, { calls, reads }: GuardTerms): NodeCalls => {
  const windows = { node: new Window(AT_ONCE.node), proofs: new Window(AT_ONCE.proofs) }
  const rooms = node as unknown as Readonly<Record<string, Room>>
  const guarded = (room: GuardedRoom): Room =>
    new Proxy<Room>(
      {},
      {
        get:
          (_, key) =>
          (...values: readonly unknown[]) => {
            const name = String(key)
            const place = placeOf(room, name, values)
            const onNode = (at: 'node' | 'proofs') => windows[at].run(() => rooms[room]![name]!(...values))
            if (place === 'calls') return calls.run(room, name, values)
            if (place !== 'reads') return onNode(place)
            const found = reads.run(room, name, values)
            return READING_FIRST.has(name) ? found.then((value) => value ?? onNode('node')) : found
          },
      },
    )
  return new Proxy({} as NodeCalls, {
    get: (_, room) =>
      AT_ONCE_ROOMS.includes(String(room)) ? rooms[String(room)] : guarded(String(room) as GuardedRoom),
  })
}
