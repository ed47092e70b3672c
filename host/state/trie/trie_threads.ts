import { availableParallelism } from 'node:os'
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import { MessageBatch } from '../../primitives/message_batch.ts'
import { startThread, threadEntry } from '../../primitives/thread.ts'
import { arenaInts, arenaWords } from './arena_memory.ts'
import { eachStretch, NodesInPlace, type StateArenas } from './hash_nodes.ts'
import { AccountLeaves, SlotLeaves } from './leaf_rows.ts'
import type { NodeThreads } from './listed_nodes.ts'
import {
  CONTROL_WORDS,
  type HashStretch,
  offerStretch,
  PIECE,
  type Stretch,
  takePieces,
  takePiecesForever,
  waitForPieces,
} from './piece_claims.ts'
import type { NodeArrays } from './trie_memory.ts'
import { TrieNodes } from './trie_nodes.ts'

/** What a thread that hashes nodes is given. */
export interface TrieThread {
  readonly control: Int32Array
  /** Where it hears of arrays. */
  readonly port: MessagePort
}

/** Arrays that all threads of a team see, by number: those of a later message replace them. */
interface SharedArrays {
  readonly number: number
  readonly accountNodes: NodeArrays
  readonly slotNodes: NodeArrays
  readonly codes: Uint32Array
  readonly ids: Int32Array
}

export interface TrieThreadsOptions {
  /** Threads besides this one. Default: one per further core, at most MOST_WORKERS. */
  readonly workers?: number
  /** The worker's module. Default: trie_worker.ts, or what it is built to. */
  readonly entry?: URL
  /** A stretch that no thread gets on with for this long is given up, with the workers. Default 2,000. */
  readonly patienceMs?: number
}

const MOST_WORKERS = 15
/** Workers are started anew this many times in all; then this thread goes on alone. */
const MOST_RESTARTS = 8
/** Fewer nodes are not worth waking threads for. */
const FEWEST_SHARED = 2 * PIECE

interface Member {
  readonly worker: Worker
  readonly port: MessagePort
}

/**
 * Threads that hash the nodes of state tries where they lie, this one among them. It needs none of the others: a
 * worker that starts late takes no part. One that ends or hangs with a piece costs patience; `hash` then returns
 * false, and the memory of references, which that worker may still write to, has to be left.
 *
 * The threads start with the first call and are kept. Nothing here keeps the process alive.
 */
export class TrieThreads implements NodeThreads {
  /** What went wrong with workers since it was last taken. */
  readonly faults: string[] = []
  readonly #options: TrieThreadsOptions
  readonly #here = new NodesInPlace(new MessageBatch())
  #control = arenaInts(CONTROL_WORDS)
  #members: Member[] | undefined
  #sent: SharedArrays | undefined
  #ids = arenaInts(1 << 12)
  #restarts = 0
  #isClosed = false

  constructor(options: TrieThreadsOptions = {}) {
    this.#options = options
  }

  /** Threads that hash, this one among them. */
  get threads(): number {
    return 1 + (this.#options.workers ?? Math.min(MOST_WORKERS, availableParallelism() - 1))
  }

  /** Starts the threads, where they do not run; they take part as soon as they do. */
  start(): void {
    if (this.#members !== undefined || this.#isClosed || this.#restarts > MOST_RESTARTS) return
    const members: Member[] = []
    try {
      for (let thread = 1; thread < this.threads; thread++) {
        const { port1, port2 } = new MessageChannel()
        const workerData: TrieThread = { control: this.#control, port: port2 }
        const worker = startThread(this.#options.entry ?? ENTRY, { workerData, transferList: [port2] })
        port1.unref()
        members.push({ worker, port: port1 })
        worker.on('error', (error: Error) => this.#lose(members, error.message))
        worker.on('exit', (code) => this.#lose(members, `exit code ${code}`))
      }
      this.#members = members
    } catch (thrown) {
      this.#restarts = MOST_RESTARTS + 1
      this.faults.push(`threads that hash nodes: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    }
  }

  hash(arenas: StateArenas): boolean {
    this.start()
    const members = this.#members
    let isDone = true
    eachStretch(arenas, (kind, ids, first, end) => {
      if (!isDone) return
      if (members === undefined || members.length === 0 || end - first < FEWEST_SHARED)
        this.#here.hash(arenas, kind, ids, first, end)
      else isDone = this.#share(members, arenas, kind, ids, first, end)
    })
    if (!isDone) this.#lose(members!, `no sign of life in ${this.#patienceMs} ms`)
    return isDone
  }

  close(): void {
    this.#isClosed = true
    const members = this.#members
    this.#members = undefined
    for (const { worker } of members ?? []) void worker.terminate()
  }

  get #patienceMs(): number {
    return this.#options.patienceMs ?? 2_000
  }

  #share(
    members: readonly Member[],
    arenas: StateArenas,
    kind: number,
    ids: Int32Array,
    first: number,
    end: number,
  ): boolean {
    const count = end - first
    if (this.#ids.length < count) this.#ids = arenaInts(2 * count)
    this.#ids.set(ids.subarray(first, end))
    const stretch = { arrays: this.#send(members, arenas), kind, first: 0, end: count }
    offerStretch(this.#control, stretch)
    takePieces(this.#control, (_, from, to) => this.#here.hash(arenas, kind, this.#ids, from, to))
    return waitForPieces(this.#control, stretch, this.#patienceMs)
  }

  /** The number by which the threads know these arrays. */
  #send(members: readonly Member[], { accountNodes, slotNodes, codes }: StateArenas): number {
    const arrays: SharedArrays = {
      number: (this.#sent?.number ?? 0) + 1,
      accountNodes: accountNodes.arrays,
      slotNodes: slotNodes.arrays,
      codes: codes.words,
      ids: this.#ids,
    }
    if (this.#sent === undefined || !areSame(this.#sent, arrays)) {
      this.#sent = arrays
      for (const { port } of members) port.postMessage(arrays)
    }
    return this.#sent.number
  }

  /** Lets go of the control words too: a worker may still claim. */
  #lose(members: readonly Member[], why: string): void {
    if (this.#members !== members) return
    this.#members = undefined
    this.#sent = undefined
    this.#control = arenaInts(CONTROL_WORDS)
    for (const { worker } of members) void worker.terminate()
    this.faults.push(`worker that hashes nodes: ${why}`)
    this.#restarts++
  }
}

const ENTRY = threadEntry('trie_worker', import.meta.url)

const areSame = (a: SharedArrays, b: SharedArrays): boolean => {
  const same = (x: NodeArrays, y: NodeArrays): boolean =>
    x.rows === y.rows && x.branches === y.branches && x.lengths === y.lengths && x.hashes === y.hashes
  return (
    same(a.accountNodes, b.accountNodes) && same(a.slotNodes, b.slotNodes) && a.codes === b.codes && a.ids === b.ids
  )
}

/** A worker's life. */
export const takePartForever = ({ control, port }: TrieThread): never => {
  const accountNodes = new TrieNodes(new AccountLeaves())
  const slotNodes = new TrieNodes(new SlotLeaves())
  const codes = { words: arenaWords(0) }
  const arenas: StateArenas = { accountNodes, slotNodes, codes }
  const here = new NodesInPlace(new MessageBatch())
  let number = 0
  let ids = arenaInts(0)
  const hash: HashStretch = ({ arrays, kind }: Stretch, first, end) => {
    while (number !== arrays) {
      const sent = receiveMessageOnPort(port)?.message as SharedArrays
      accountNodes.adopt(sent.accountNodes)
      slotNodes.adopt(sent.slotNodes)
      codes.words = sent.codes
      ids = sent.ids
      number = sent.number
    }
    here.hash(arenas, kind, ids, first, end)
  }
  return takePiecesForever(control, hash)
}
