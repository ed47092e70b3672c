import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { BlockMemory, BlockResult, ChainBlock } from '../host/index.ts'

/** A page in the text format of Prometheus. */
export interface MetricsPage {
  readonly type: string
  readonly text: string
}

/**
 * What a fork choice waited for: nothing (the listening thread answered), the node's thread, or payloads that came
 * before it and must be executed first.
 */
export type ChoiceWait = 'nothing' | 'node' | 'payload'

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8]

/** What a node counts, for Prometheus. */
export class NodeMetrics {
  readonly #registry = new Registry()
  readonly #head = this.#gauge('head_block_number', 'number of the head')
  readonly #headTime = this.#gauge('head_block_timestamp', 'seconds of the head')
  readonly #pool = this.#gauge('pool_transactions', 'transactions of the pool')
  readonly #blockMemory = this.#gauge('block_memory_bytes', 'memory of blocks that are not on disk')
  readonly #forgotten = this.#gauge('blocks_forgotten', 'blocks that were dropped to keep within that memory')
  readonly #blobs = this.#gauge('pool_blobs', 'blobs of the transactions of the pool')
  readonly #knownSenders = this.#gauge('known_senders', 'senders of transactions that were not recovered once more')
  readonly #gas = this.#counter('gas_total', 'gas of executed blocks')
  readonly #blocks = this.#counter('blocks_total', 'blocks by verdict', ['verdict'])
  readonly #transactions = this.#counter('transactions_total', 'executed transactions by tier', ['tier'])
  readonly #exits = this.#counter('exits_total', 'transactions that the CPU executed, by reason', ['reason'])
  readonly #faults = this.#counter('faults_total', 'faults of devices and threads')
  readonly #calls = new Histogram({
    name: 'wgevm_call_seconds',
    help: 'calls of the Engine API, and blocks, by name',
    labelNames: ['name'],
    buckets: SECONDS,
    registers: [this.#registry],
  })

  readonly #choices = new Histogram({
    name: 'wgevm_forkchoice_seconds',
    help: 'fork choices from their arrival to their answer, by what they waited for',
    labelNames: ['wait'],
    buckets: SECONDS,
    registers: [this.#registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `wgevm_${name}`, help, registers: [this.#registry] })
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({ name: `wgevm_${name}`, help, labelNames, registers: [this.#registry] })
  }

  head({ header }: ChainBlock): void {
    this.#head.set(Number(header.number))
    this.#headTime.set(Number(header.timestamp))
  }

  pool(count: number, blobs: number): void {
    this.#pool.set(count)
    this.#blobs.set(blobs)
  }

  blockMemory({ bytes, forgotten }: BlockMemory): void {
    this.#blockMemory.set(bytes)
    this.#forgotten.set(forgotten)
  }

  /** How often a sender was asked for and known. */
  knownSenders(hits: number): void {
    this.#knownSenders.set(hits)
  }

  /** A block with its verdict; its result where it was executed. */
  block(verdict: string, result: BlockResult | undefined): void {
    this.#blocks.inc({ verdict })
    if (result === undefined) return
    this.#gas.inc(Number(result.receipts.blockGasUsed))
    for (const [tier, count] of Object.entries(result.tiers)) this.#transactions.inc({ tier }, count)
    for (const [reason, count] of Object.entries(result.exits)) this.#exits.inc({ reason }, count)
    this.#faults.inc(result.faults.length)
  }

  forkChoice(wait: ChoiceWait, elapsedMs: number): void {
    this.#choices.observe({ wait }, elapsedMs / 1000)
  }

  /** Times what runs under a name. */
  async timed<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    const end = this.#calls.startTimer({ name })
    try {
      return await work()
    } finally {
      end()
    }
  }

  async page(): Promise<MetricsPage> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() }
  }
}
