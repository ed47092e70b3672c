import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RequestBody } from '../json_rpc/request_body.ts'
import type { Answer, ReplyText } from '../json_rpc/rpc_server.ts'
import type { Authorize } from './jwt.ts'
import { acceptWebSockets, type Refusal, type WebSocketOptions } from './web_sockets.ts'

/** What one port bears. */
export interface HttpLimits {
  readonly bodyBytes: number
  readonly connections: number
  /** Milliseconds that a request may take to arrive, its head within the first. */
  readonly headMs: number
  readonly requestMs: number
}

export interface HttpOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly limits: HttpLimits
  /** Names that a caller may call this host by; `*`: any. Addresses of numbers are let in always. */
  readonly virtualHosts: readonly string[]
  /** Absent: nothing is answered over POST. */
  readonly answer?: Answer
  readonly authorize?: Authorize
  /** Absent: there are none. */
  readonly webSockets?: WebSocketOptions
  /** Answers of GET by path. */
  readonly pages: Readonly<Record<string, () => Promise<Page>>>
}

export interface Page {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** A port that listens. */
export interface HttpListener {
  readonly port: number
  /** Takes no more connections, and waits for the requests that are being answered. */
  close(): Promise<void>
}

/**
 * A request of which the server asks whether it leaves HTTP. It does for a WebSocket alone: what else a caller offers
 * to go on with (h2c, as the client of Java's library does with each request) is passed over (RFC 9110 7.8).
 */
class HttpRequest extends IncomingMessage {
  // The constructor of the base sets `upgrade`, before a private name would be there.
  private isOffered = false

  get upgrade(): boolean {
    return this.isOffered && this.method === 'GET' && this.headers.upgrade?.toLowerCase() === 'websocket'
  }

  set upgrade(isOffered: boolean) {
    this.isOffered = isOffered
  }
}

const CONTENT_TYPES = new Set(['application/json', 'application/json-rpc', 'application/jsonrequest'])
const KEEP_ALIVE_MS = 120_000
const CLOSING_MS = 5000

/** Listens for JSON-RPC over POST. Rejects where the port is taken. */
export const listenHttp = async (options: HttpOptions): Promise<HttpListener> => {
  const { limits, host, port } = options
  const server = createServer({
    IncomingMessage: HttpRequest,
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(limits.headMs, 1000),
  })
  server.maxConnections = limits.connections
  server.on('request', (request, response) => {
    serve(request, response, options).catch(() => response.destroy())
  })
  const webSockets =
    options.webSockets && acceptWebSockets(server, options.webSockets, (request) => strangerOf(request, options))
  await listening(server, host, port)
  const close = async (): Promise<void> => {
    await Promise.all([closed(server), webSockets?.close(CLOSING_MS)])
  }
  return { port: (server.address() as AddressInfo).port, close }
}

const listening = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Connections end when they are idle, and all of them when they have had time to become so. */
const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSING_MS)
    // Read when a reply has been sent.
    server.keepAliveTimeout = 1
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })

const serve = async (request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> => {
  const refusal = await refusalOf(request, options)
  if (refusal !== undefined) return refuse(response, refusal)
  if (request.method === 'GET') {
    const page = await options.pages[pathOf(request)]!()
    return send(response, page.status, page.type, page.text, options.limits)
  }
  const body = await bodyOf(request, options.limits.bodyBytes)
  if (body === undefined) return refuse(response, tooLarge(options.limits))
  const reply = await options.answer!(body)
  if (reply === undefined) response.writeHead(204).end()
  else send(response, 200, 'application/json', reply, options.limits)
}

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?')[0]!

/** Why a request is not read: told by its head alone, so nothing of its body is. */
const refusalOf = async (request: IncomingMessage, options: HttpOptions): Promise<Refusal | undefined> => {
  const { answer, limits, pages } = options
  const { headers, method } = request
  if (method === 'GET') {
    if (!isKnownHost(headers.host, options.virtualHosts)) return UNKNOWN_HOST
    return Object.hasOwn(pages, pathOf(request)) ? undefined : { status: 404, text: 'there is no such page' }
  }
  if (method !== 'POST' || answer === undefined)
    return { status: 405, text: answer === undefined ? 'expected a WebSocket' : 'expected POST' }
  const stranger = await strangerOf(request, options)
  if (stranger !== undefined) return stranger
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (!CONTENT_TYPES.has(type)) return { status: 415, text: 'invalid content type, only application/json is supported' }
  return Number(headers['content-length'] ?? 0) > limits.bodyBytes ? tooLarge(limits) : undefined
}

const UNKNOWN_HOST: Refusal = { status: 403, text: 'invalid host specified' }

/** Why a caller is not served, whatever it asks. */
const strangerOf = async (
  { headers }: IncomingMessage,
  { authorize, virtualHosts }: HttpOptions,
): Promise<Refusal | undefined> => {
  if (!isKnownHost(headers.host, virtualHosts)) return UNKNOWN_HOST
  const fault = await authorize?.(headers.authorization)
  return fault === undefined ? undefined : { status: 401, text: fault }
}

const tooLarge = ({ bodyBytes }: HttpLimits): Refusal => ({
  status: 413,
  text: `content length too large, at most ${bodyBytes} bytes`,
})

/** A page of another site that a browser runs, and whose name leads here, is refused (DNS rebinding). */
const isKnownHost = (host: string | undefined, known: readonly string[]): boolean => {
  if (host === undefined || known.includes('*')) return true
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return /^[\d.]+$/.test(name) || name.startsWith('[') || known.includes(name)
}

/** The body; undefined where it is longer than `most`. Rejects where it ends before its end. */
const bodyOf = (request: IncomingMessage, most: number): Promise<RequestBody | undefined> =>
  new Promise((resolve, reject) => {
    const body = new RequestBody(Number(request.headers['content-length'] ?? 0))
    request.on('data', (chunk: Buffer) => {
      if (body.length + chunk.length > most) resolve(undefined)
      else body.push(chunk)
    })
    request.on('end', () => resolve(body))
    request.on('error', reject)
    request.on('close', () => reject(new Error('the request ended before its body')))
  })

const send = (
  response: ServerResponse,
  status: number,
  type: string,
  text: ReplyText,
  { requestMs }: HttpLimits,
): void => {
  // A reader that has not taken its reply after as long as a whole request may take is dropped.
  const timer = setTimeout(() => response.destroy(), requestMs)
  response.on('close', () => clearTimeout(timer))
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  // A server that closes cuts replies that were ended, taken or not.
  response.write(text, () => response.end())
}

/** What may still come of the request is not read: the connection ends. */
const refuse = (response: ServerResponse, { status, text }: Refusal): void => {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text) + 1,
    connection: 'close',
  })
  response.end(`${text}\n`, () => response.socket?.destroySoon())
}
