import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { HttpClient } from './http_client.ts'

/** What a thread asks of a port again and again. */
export interface Asked {
  readonly port: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** What it came to: how long each reply took, in milliseconds, and each different reply. */
export interface Answered {
  readonly waitsMs: readonly number[]
  readonly replies: readonly string[]
}

/**
 * A client on a thread of its own, so that what it waits for is the service and not the thread that began it. Says when
 * it is ready; from its first message to its second it sends the same request one time after another, and answers with
 * `Answered`.
 */
const client = new HttpClient()
const { port: to, body, headers } = workerData as Asked

const waitsMs: number[] = []
const replies = new Set<string>()
const port = parentPort!
port.postMessage('ready')
await once(port, 'message')
let isOver = false
port.once('message', () => {
  isOver = true
})
while (!isOver) {
  const startMs = performance.now()
  replies.add((await client.post(to, body, headers)).toString('utf8'))
  waitsMs.push(performance.now() - startMs)
  // A message is told between turns of the loop alone.
  await new Promise((resolve) => setImmediate(resolve))
}
client.close()
port.postMessage({ waitsMs, replies: [...replies] } satisfies Answered)
