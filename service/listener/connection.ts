import { randomBytes } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import type { Answer, ReplyText } from '../json_rpc/rpc_server.ts'
import type { FeedTopic, Session } from '../json_rpc/session.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { Feeds, Subscriber } from './feeds.ts'

/** What one connection bears. */
export interface ConnectionLimits {
  /** Bytes that may wait for a slow reader. One for whom more is to come with that many waiting is dropped. */
  readonly queueBytes: number
  /** Messages that are answered at once; more are not read meanwhile. */
  readonly calls: number
  readonly subscriptions: number
  /** Between two pings. A connection that has said nothing from one to the next is dropped. */
  readonly pingMs: number
}

interface OpenSubscription extends Subscriber {
  /** What there was to tell before the reply with its name. */
  held: string[] | undefined
}

/** Of the server, which goes away. */
const GOING_AWAY = 1001

/** JSON-RPC over one WebSocket. */
export class Connection {
  readonly #socket: WebSocket
  readonly #answer: Answer
  readonly #feeds: Feeds
  readonly #limits: ConnectionLimits
  readonly #subscriptions = new Map<string, OpenSubscription>()
  /** Messages that are being answered. */
  #open = 0
  /** Messages that came with one chunk, and wait for one of those. */
  readonly #waiting: string[] = []
  /** Characters that subscriptions hold back. */
  #held = 0
  #isAlive = true
  #isClosing = false

  constructor(socket: WebSocket, answer: Answer, feeds: Feeds, limits: ConnectionLimits) {
    this.#socket = socket
    this.#answer = answer
    this.#feeds = feeds
    this.#limits = limits
    socket.on('message', (message: RawData) => this.#read((message as Buffer).toString('utf8')))
    socket.on('pong', () => {
      this.#isAlive = true
    })
    // What breaks the protocol ends the connection, which is told by `close`.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const subscription of this.#subscriptions.values()) feeds.delete(subscription)
      this.#subscriptions.clear()
    })
  }

  /** Asks for a sign of life, and drops a connection that gave none since the last time. */
  ping(): void {
    // Of one whose messages wait nothing is read, so no sign either.
    if (this.#socket.isPaused) return
    if (!this.#isAlive) this.#socket.terminate()
    else {
      this.#isAlive = false
      this.#socket.ping()
    }
  }

  /** Ends when what was read has been answered. */
  end(): void {
    this.#isClosing = true
    if (this.#open === 0 && this.#waiting.length === 0) this.#socket.close(GOING_AWAY, 'the server ends')
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #read(text: string): void {
    this.#isAlive = true
    if (this.#isClosing) return
    this.#waiting.push(text)
    this.#next()
  }

  /** Answers what waits, as far as it may. */
  #next(): void {
    while (this.#waiting.length > 0 && this.#open < this.#limits.calls) {
      this.#open++
      void this.#reply(this.#waiting.shift()!).finally(() => {
        this.#open--
        this.#next()
      })
    }
    if (this.#isClosing) this.end()
    if (this.#open >= this.#limits.calls) this.#socket.pause()
    else if (this.#socket.isPaused) this.#socket.resume()
  }

  async #reply(text: string): Promise<void> {
    const fresh: string[] = []
    try {
      const reply = await this.#answer(text, this.#session(fresh))
      if (reply !== undefined) this.#send(reply)
    } catch {
      this.terminate()
    }
    for (const id of fresh) this.#begin(id)
  }

  /** For the calls of one message; `fresh` takes the subscriptions that they make. */
  #session(fresh: string[]): Session {
    return {
      subscribe: (topic) => {
        const id = this.#subscribe(topic)
        fresh.push(id)
        return id
      },
      unsubscribe: (id) => {
        const subscription = this.#subscriptions.get(id)
        if (subscription === undefined) return false
        this.#feeds.delete(subscription)
        return this.#subscriptions.delete(id)
      },
    }
  }

  #subscribe(topic: FeedTopic): string {
    const { subscriptions: most } = this.#limits
    if (this.#subscriptions.size >= most)
      throw new RpcError(RPC_CODE.limitExceeded, `too many subscriptions, at most ${most} a connection`)
    const id = `0x${randomBytes(16).toString('hex')}`
    const subscription: OpenSubscription = {
      topic,
      held: [],
      send: (result) => {
        const text = `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${result}}}`
        if (subscription.held === undefined) this.#send(text)
        else this.#hold(subscription.held, text)
      },
    }
    this.#subscriptions.set(id, subscription)
    this.#feeds.add(subscription)
    return id
  }

  #hold(held: string[], text: string): void {
    this.#held += text.length
    if (this.#held > this.#limits.queueBytes) this.terminate()
    else held.push(text)
  }

  #begin(id: string): void {
    const subscription = this.#subscriptions.get(id)
    for (const text of subscription?.held ?? []) {
      this.#held -= text.length
      this.#send(text)
    }
    if (subscription !== undefined) subscription.held = undefined
  }

  #send(text: ReplyText): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > this.#limits.queueBytes) this.terminate()
    else this.#socket.send(text, { binary: false })
  }
}
