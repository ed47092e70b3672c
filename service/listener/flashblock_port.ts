import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { jsonOfFlashblock } from '../methods/flashblock.ts'
import type { Flashblock } from '../node/flashblock.ts'
import { originRule } from './origins.ts'

export interface FlashblockPortOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Those that listen at once. */
  readonly connections: number
  /** Bytes that may wait for a slow reader. One for whom more is to come with that many waiting is dropped. */
  readonly queueBytes: number
  /** Between two pings. A connection that has said nothing from one to the next is dropped. */
  readonly pingMs: number
}

/** A port that tells all that connect of sub-blocks, from the next one on. */
export interface FlashblockPort {
  readonly port: number
  tell(flashblock: Flashblock): void
  close(): Promise<void>
}

/** Of a message that comes in: nothing is asked for here. */
const MOST_MESSAGE = 1024
const GOING_AWAY = 1001
const TRY_AGAIN_LATER = 1013

/** Opens the port. Rejects where it does not open. */
export const openFlashblockPort = async (options: FlashblockPortOptions): Promise<FlashblockPort> => {
  const { host, port, connections, queueBytes, pingMs } = options
  const allowsOrigin = originRule([])
  const server = new WebSocketServer({
    host,
    port,
    maxPayload: MOST_MESSAGE,
    verifyClient: ({ origin }: { readonly origin: string | undefined }) => allowsOrigin(origin),
  })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
  const alive = new WeakSet<WebSocket>()
  server.on('connection', (socket) => {
    // What breaks the protocol ends the connection.
    socket.on('error', () => undefined)
    if (server.clients.size > connections) return socket.close(TRY_AGAIN_LATER, 'too many connections')
    alive.add(socket)
    for (const sign of ['message', 'ping', 'pong'] as const) socket.on(sign, () => alive.add(socket))
  })
  const pings = setInterval(() => {
    for (const socket of server.clients) {
      if (!alive.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }, pingMs)
  return {
    port: (server.address() as AddressInfo).port,
    tell: (flashblock) => {
      if (server.clients.size === 0) return
      const text = JSON.stringify(jsonOfFlashblock(flashblock))
      for (const socket of server.clients) {
        if (socket.bufferedAmount > queueBytes) socket.terminate()
        else if (socket.readyState === WebSocket.OPEN) socket.send(text)
      }
    },
    close: async () => {
      clearInterval(pings)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of server.clients) socket.close(GOING_AWAY, 'the server ends')
      const timer = setTimeout(() => {
        for (const socket of server.clients) socket.terminate()
      }, CLOSING_MS)
      await closed
      clearTimeout(timer)
    },
  }
}

const CLOSING_MS = 1000
