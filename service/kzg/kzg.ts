import { MessageChannel, type Worker } from 'node:worker_threads'
import { startThread, threadEntry } from '../../host/primitives/thread.ts'
import { remoteCalls } from '../call_port.ts'
import type { SideCar } from '../node/side_car.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { KzgCalls } from './kzg_calls.ts'

/** Side-cars that wait for the thread. */
const MOST_WAITING = 16

/** Proofs of blobs, on a thread that starts when the first one comes. */
export class Kzg implements KzgCalls {
  #thread: Worker | undefined
  #calls: { readonly kzg: KzgCalls } | undefined
  #fault: string | undefined
  #waiting = 0

  verify(sideCar: SideCar): Promise<boolean> {
    if (this.#waiting >= MOST_WAITING)
      throw new RpcError(
        RPC_CODE.limitExceeded,
        `${MOST_WAITING} blob transactions wait to be verified, try again later`,
      )
    return this.#run((kzg) => kzg.verify(sideCar))
  }

  cellProofs(blobs: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return this.#run((kzg) => kzg.cellProofs(blobs))
  }

  async #run<Value>(work: (kzg: KzgCalls) => Promise<Value>): Promise<Value> {
    this.#waiting++
    try {
      return await work(this.#started())
    } catch (thrown) {
      if (this.#fault === undefined) throw thrown
      throw new RpcError(RPC_CODE.server, `blobs cannot be verified here: ${this.#fault}`)
    } finally {
      this.#waiting--
    }
  }

  #started(): KzgCalls {
    if (this.#calls !== undefined) return this.#calls.kzg
    const { port1, port2 } = new MessageChannel()
    this.#thread = startThread(threadEntry('kzg_thread', import.meta.url), {
      workerData: { port: port2 },
      transferList: [port2],
    })
    this.#thread.on('error', (thrown) => {
      this.#fault = (thrown as Error).message
    })
    this.#calls = remoteCalls<{ readonly kzg: KzgCalls }>(port1)
    port1.unref()
    return this.#calls.kzg
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
  }
}
