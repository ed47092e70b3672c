import { MessageChannel, type Worker } from 'node:worker_threads'
import { startThread, threadEntry } from '../../host/primitives/thread.ts'
import { remoteCalls, serveCalls } from '../call_port.ts'
import type { CallThreadNode, CallThreadRooms, CallThreadTerms } from '../calls/call_thread.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'

export interface CallThreadsOptions {
  readonly terms: CallThreadTerms
  readonly threads: number
  /** Calls that wait for a thread; one more is refused. */
  readonly waiting: number
  /** Milliseconds that one call may take; 0: any time. */
  readonly limitMs: number
}

/** A heap that grows beyond this ends the thread, and the call on it. */
const HEAP_MB = 1024

interface Task {
  readonly room: string
  readonly name: string
  readonly values: readonly unknown[]
  readonly resolve: (value: unknown) => void
  readonly reject: (thrown: unknown) => void
}

type AnyRooms = Readonly<Record<string, Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>>>

interface CallThread {
  readonly worker: Worker
  readonly rooms: AnyRooms
  /** What it works on. */
  task: Task | undefined
}

/**
 * Threads that execute calls, one at a time each, and are started when they are needed. A call that takes too long, or
 * too much memory, ends with its thread.
 */
export class CallThreads {
  readonly #node: CallThreadNode
  readonly #options: CallThreadsOptions
  readonly #threads = new Set<CallThread>()
  readonly #waiting: Task[] = []
  #isClosed = false

  constructor(node: CallThreadNode, options: CallThreadsOptions) {
    this.#node = node
    this.#options = options
  }

  run(room: keyof CallThreadRooms, name: string, values: readonly unknown[]): Promise<unknown> {
    const { waiting: most } = this.#options
    if (this.#isClosed) return Promise.reject(new RpcError(RPC_CODE.server, 'the node has ended'))
    if (this.#waiting.length >= most)
      return Promise.reject(new RpcError(RPC_CODE.limitExceeded, `${most} calls wait already, try again later`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ room, name, values, resolve, reject })
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const gone = new RpcError(RPC_CODE.server, 'the node has ended')
    for (const { reject } of this.#waiting.splice(0)) reject(gone)
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, gone)))
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#isClosed) return
    const idle = [...this.#threads].find(({ task }) => task === undefined)
    const thread = idle ?? (this.#threads.size < this.#options.threads ? this.#start() : undefined)
    if (thread !== undefined) void this.#work(thread, this.#waiting.shift()!)
  }

  #start(): CallThread {
    const forCalls = new MessageChannel()
    const forNode = new MessageChannel()
    const worker = startThread(threadEntry('../calls/call_thread', import.meta.url), {
      workerData: { terms: this.#options.terms, callPort: forCalls.port2, nodePort: forNode.port2 },
      transferList: [forCalls.port2, forNode.port2],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    const thread: CallThread = { worker, rooms: remoteCalls<AnyRooms>(forCalls.port1), task: undefined }
    serveCalls(forNode.port1, { source: this.#node.source, service: this.#node.service }, () => undefined)
    for (const port of [forCalls.port1, forNode.port1]) port.unref()
    this.#threads.add(thread)
    worker.on('error', (thrown: NodeJS.ErrnoException) => {
      const isMemory = thrown.code === 'ERR_WORKER_OUT_OF_MEMORY'
      if (!isMemory) void this.#node.service.fault('call thread', thrown.stack ?? thrown.message).catch(() => undefined)
      const code = isMemory ? RPC_CODE.server : RPC_CODE.internal
      void this.#end(thread, new RpcError(code, isMemory ? 'execution aborted (out of memory)' : 'internal error'))
    })
    return thread
  }

  /** A thread to go on with, where all are at work and one of them may have to end. */
  #spare(): void {
    const { threads } = this.#options
    if (this.#isClosed || this.#threads.size > threads || [...this.#threads].some(({ task }) => task === undefined))
      return
    this.#start()
    this.#next()
  }

  async #work(thread: CallThread, task: Task): Promise<void> {
    thread.task = task
    const { limitMs } = this.#options
    const timers: NodeJS.Timeout[] = []
    try {
      await thread.rooms['thread']!['ready']!()
      if (limitMs > 0) {
        timers.push(setTimeout(() => this.#spare(), limitMs / 4))
        const fault = new RpcError(RPC_CODE.server, `execution aborted (timeout = ${limitMs / 1000}s)`)
        timers.push(setTimeout(() => void this.#end(thread, fault), limitMs))
      }
      task.resolve(await thread.rooms[task.room]![task.name]!(...task.values))
    } catch (thrown) {
      // Where the thread was ended, the caller was told already.
      task.reject(thrown)
    }
    for (const timer of timers) clearTimeout(timer)
    thread.task = undefined
    this.#next()
  }

  /** Ends a thread; another one takes its place when there is work. */
  async #end(thread: CallThread, reason: RpcError): Promise<void> {
    thread.task?.reject(reason)
    if (this.#threads.delete(thread)) await thread.worker.terminate()
    this.#next()
  }
}
