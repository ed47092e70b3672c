import type { ChainBlock, HeadChange } from '../../host/index.ts'
import type { FeedTopic } from '../json_rpc/session.ts'
import { jsonOfHeader, jsonOfLog, jsonOfTransaction } from '../methods/encode.ts'
import { passes } from '../node/log_filter.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import type { LogView } from '../node/views.ts'

/** A subscription: `send` takes what there is to tell, as JSON. */
export interface Subscriber {
  readonly topic: FeedTopic
  send(result: string): void
}

type TopicOf<Kind extends FeedTopic['kind']> = Extract<FeedTopic, { readonly kind: Kind }>

const EVERY_LOG = { addresses: [], topics: [] }

/**
 * What subscribers of all connections are told of. News are told in their order; each is read from the node and written
 * as JSON once, however many want it, and not at all where none does.
 */
export class Feeds {
  readonly #node: NodeCalls
  readonly #subscribers = new Set<Subscriber>()
  /** Ends when all news so far have been told. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(node: NodeCalls) {
    this.#node = node
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
  }

  delete(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
  }

  /** The head is another one: logs of blocks that left the chain, then each block that came, and its logs. */
  headChanged({ undone, applied }: HeadChange): Promise<void> {
    return this.#inTurn(async () => {
      for (const block of undone) await this.#tellLogs(block, true)
      for (const block of applied) {
        this.#tellHead(block)
        await this.#tellLogs(block, false)
      }
    })
  }

  /** Transactions that the next block could take. */
  pooled(hashes: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const hash of hashes) await this.#tellTransaction(hash)
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#subscribers.size === 0) return Promise.resolve()
    // A node that ends while it is asked has nothing more to tell.
    const told = this.#turn.then(work).catch(() => undefined)
    this.#turn = told
    return told
  }

  #of<Kind extends FeedTopic['kind']>(kind: Kind): readonly (readonly [Subscriber, TopicOf<Kind>])[] {
    return [...this.#subscribers].flatMap((one) =>
      one.topic.kind === kind ? [[one, one.topic as TopicOf<Kind>] as const] : [],
    )
  }

  #tellHead({ hash, header }: ChainBlock): void {
    const subscribers = this.#of('newHeads')
    if (subscribers.length === 0) return
    const text = JSON.stringify(jsonOfHeader(hash, header))
    for (const [one] of subscribers) one.send(text)
  }

  async #tellLogs({ hash }: ChainBlock, removed: boolean): Promise<void> {
    if (this.#of('logs').length === 0) return
    const logs = await this.#node.chain.logsOfBlock(hash, EVERY_LOG)
    const subscribers = this.#of('logs')
    for (const log of logs) {
      const wanting = subscribers.filter(([, { filter }]) => passes(log, filter))
      if (wanting.length === 0) continue
      const text = textOfLog(log, removed)
      for (const [one] of wanting) one.send(text)
    }
  }

  async #tellTransaction(hash: string): Promise<void> {
    const subscribers = this.#of('pendingTransactions')
    if (subscribers.length === 0) return
    const name = JSON.stringify(hash)
    for (const [one, { isFull }] of subscribers) if (!isFull) one.send(name)
    const full = subscribers.filter(([, { isFull }]) => isFull)
    const view = full.length === 0 ? undefined : await this.#node.chain.transaction(hash)
    // It may have left the pool since.
    if (view === undefined) return
    const text = JSON.stringify(jsonOfTransaction(view))
    for (const [one] of full) one.send(text)
  }
}

const textOfLog = (log: LogView, removed: boolean): string => JSON.stringify({ ...(jsonOfLog(log) as object), removed })
