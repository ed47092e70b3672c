import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Answer } from '../json_rpc/rpc_server.ts'
import { Connection, type ConnectionLimits } from './connection.ts'
import type { Feeds } from './feeds.ts'
import type { AllowsOrigin } from './origins.ts'

export interface WebSocketOptions {
  readonly answer: Answer
  readonly feeds: Feeds
  /** `bodyBytes`: of one message. */
  readonly limits: ConnectionLimits & { readonly bodyBytes: number }
  readonly allowsOrigin: AllowsOrigin
}

/** A request that is refused: the status, and one line that says why. */
export interface Refusal {
  readonly status: number
  readonly text: string
}

/** The connections of a server that have become WebSockets. */
export interface WebSockets {
  /** Takes no more messages, answers those that are there, and ends all connections after `mostMs`. */
  close(mostMs: number): Promise<void>
}

/** Lets requests of a server become WebSockets, but for those that `refuse` refuses by their heads. */
export const acceptWebSockets = (
  server: Server,
  { answer, feeds, limits, allowsOrigin }: WebSocketOptions,
  refuse: (request: IncomingMessage) => Promise<Refusal | undefined>,
): WebSockets => {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.bodyBytes, clientTracking: false })
  const connections = new Set<Connection>()
  let isClosing = false
  let onEmpty: () => void = () => undefined
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const refusal = allowsOrigin(request.headers.origin)
      ? await refuse(request)
      : { status: 403, text: 'origin not allowed' }
    if (refusal !== undefined) return refuseUpgrade(socket, refusal)
    if (isClosing) return void socket.destroy()
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, answer, feeds, limits)
      connections.add(connection)
      webSocket.on('close', () => {
        connections.delete(connection)
        if (connections.size === 0) onEmpty()
      })
    })
  }
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    upgrade(request, socket, head).catch(() => socket.destroy())
  })
  const pings = setInterval(() => {
    for (const connection of connections) connection.ping()
  }, limits.pingMs)
  pings.unref()
  return {
    close: async (mostMs) => {
      isClosing = true
      clearInterval(pings)
      const ended = new Promise<void>((resolve) => {
        onEmpty = resolve
      })
      for (const connection of connections) connection.end()
      if (connections.size === 0) return
      const timer = setTimeout(() => {
        for (const connection of connections) connection.terminate()
      }, mostMs)
      await ended
      clearTimeout(timer)
    },
  }
}

const REASONS: Readonly<Record<number, string>> = { 401: 'Unauthorized', 403: 'Forbidden' }

const refuseUpgrade = (socket: Duplex, { status, text }: Refusal): void => {
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(text) + 1}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}\n`, () => socket.destroy())
}
