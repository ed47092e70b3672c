import type { CallThreadTerms } from '../calls/call_thread.ts'
import type { Method } from '../json_rpc/method.ts'
import { type BatchLimit, rpcAnswer } from '../json_rpc/rpc_server.ts'
import { bundleMethods, conditionalMethods } from '../methods/conditional.ts'
import { type ClientName, engineMethods, testingMethods } from '../methods/engine.ts'
import { ethMethods } from '../methods/eth.ts'
import { logMethods } from '../methods/logs.ts'
import { minerMethods } from '../methods/miner.ts'
import { debugMethods, netMethods } from '../methods/other.ts'
import { poolMethods } from '../methods/pool.ts'
import { subscribeMethods } from '../methods/subscribe.ts'
import { traceMethods } from '../methods/trace.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { CallThreads } from './call_threads.ts'
import type { ConnectionLimits } from './connection.ts'
import { Feeds } from './feeds.ts'
import { type FlashblockPort, type FlashblockPortOptions, openFlashblockPort } from './flashblock_port.ts'
import { gatheredSends } from './gathered_sends.ts'
import { guardedNode } from './guarded_node.ts'
import { type HttpLimits, type HttpOptions, listenHttp, type Page } from './http.ts'
import { jwtAuthorize } from './jwt.ts'
import { originRule } from './origins.ts'
import { withPending } from './pending_node.ts'
import { promptEngine } from './prompt_engine.ts'

/** A port as options name it. */
export interface PortOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly virtualHosts: readonly string[]
  readonly limits: HttpLimits & ConnectionLimits & BatchLimit
}

interface PublicOptions extends PortOptions {
  /** Name spaces that are served. */
  readonly api: readonly string[]
}

/** The ports of a node. One that is absent is not opened. */
export interface PortsOptions {
  readonly client: ClientName
  readonly http?: PublicOptions
  /** WebSockets; on the port of `http` where both have the same address and number. */
  readonly ws?: PublicOptions & { /** Pages that may connect (`originRule`). */ readonly origins: readonly string[] }
  readonly auth?: PortOptions & { readonly secret: Uint8Array }
  readonly metrics?: PortOptions
  /** Sub-blocks of payloads, for all that connect. */
  readonly flashblocks?: FlashblockPortOptions
  /** Whether bundles are taken: those of a builder that looks whether their transactions fail. */
  readonly bundles?: boolean
  /** Threads for what takes long. Absent: it runs on the node's. */
  readonly calls?: CallOptions
}

export interface CallOptions {
  readonly terms: CallThreadTerms
  /** Those that execute code, and as many more that read blocks. Each is started when it is needed. */
  readonly threads: number
  /** Milliseconds that one call may take: that executes code, and that reads. 0: any time. */
  readonly callMs: number
  readonly readMs: number
  /** Calls of either kind that wait. */
  readonly waiting: number
}

/** Numbers of the ports that listen. */
export interface OpenPorts {
  readonly http?: number
  readonly ws?: number
  readonly auth?: number
  readonly metrics?: number
  readonly flashblocks?: number
}

export interface Listeners {
  readonly ports: OpenPorts
  readonly feeds: Feeds
  readonly flashblocks: FlashblockPort | undefined
  close(): Promise<void>
}

/** Opens the ports, all or none. Rejects with the error of the first that does not open. */
export const openPorts = async (of: NodeCalls, options: PortsOptions): Promise<Listeners> => {
  const node = promptNode(of)
  const feeds = new Feeds(node)
  const guard = options.calls === undefined ? undefined : startGuard(node, options.calls)
  const open: [keyof OpenPorts, { readonly port: number; close(): Promise<void> }][] = []
  let flashblocks: FlashblockPort | undefined
  const close = async (): Promise<void> => {
    await Promise.all(open.map(([, listener]) => listener.close()))
    await guard?.close()
  }
  try {
    const asked = gatheredSends(withPending(guard?.node ?? node, node))
    for (const [names, port] of portsOf(node, asked, options, feeds)) {
      const listener = await listenHttp(port)
      for (const name of names) open.push([name, listener])
    }
    if (options.flashblocks !== undefined) {
      flashblocks = await openFlashblockPort(options.flashblocks)
      open.push(['flashblocks', flashblocks])
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
  return { ports: Object.fromEntries(open.map(([name, { port }]) => [name, port])), feeds, flashblocks, close }
}

/** What is to listen, each port with the names that it has. */
const portsOf = (
  node: NodeCalls,
  guarded: NodeCalls,
  { client, http, ws, auth, metrics, bundles = false }: PortsOptions,
  feeds: Feeds,
): readonly (readonly [names: readonly (keyof OpenPorts)[], port: HttpOptions])[] => {
  const methods: Readonly<Record<string, Method<NodeCalls>>> = {
    ...ethMethods,
    ...logMethods,
    ...debugMethods,
    ...traceMethods,
    ...poolMethods,
    ...conditionalMethods,
    ...(bundles ? bundleMethods : {}),
    ...minerMethods,
    ...subscribeMethods,
    ...testingMethods,
    ...netMethods(`${client.name}/${client.version}`),
  }
  const health = { '/healthz': () => healthPage(node) }
  const ports: (readonly [readonly (keyof OpenPorts)[], HttpOptions])[] = []
  const webSockets = ws && {
    answer: rpcAnswer(guarded, ofSpaces(methods, ws.api), ws.limits),
    feeds,
    limits: ws.limits,
    allowsOrigin: originRule(ws.origins),
  }
  const isShared =
    http !== undefined && ws !== undefined && http.host === ws.host && http.port === ws.port && ws.port > 0
  if (http !== undefined) {
    const answer = rpcAnswer(guarded, ofSpaces(methods, http.api), http.limits)
    const shared = isShared && webSockets !== undefined ? { webSockets } : {}
    ports.push([isShared ? ['http', 'ws'] : ['http'], { ...http, answer, pages: health, ...shared }])
  }
  if (ws !== undefined && webSockets !== undefined && !isShared)
    ports.push([['ws'], { ...ws, pages: health, webSockets }])
  if (auth !== undefined) {
    const answer = rpcAnswer(guarded, { ...methods, ...engineMethods(client) }, auth.limits)
    // A page has no token.
    const sockets = { answer, feeds, limits: auth.limits, allowsOrigin: originRule(['*']) }
    ports.push([['auth'], { ...auth, answer, authorize: jwtAuthorize(auth.secret), pages: {}, webSockets: sockets }])
  }
  if (metrics !== undefined)
    ports.push([['metrics'], { ...metrics, pages: { '/metrics': () => metricsPage(node), ...health } }])
  return ports
}

/** The calls of a node, whose fork choices are answered here where they can be. */
const promptNode = (node: NodeCalls): NodeCalls => {
  const engine = promptEngine(node.engine, (wait, elapsedMs) => {
    // A node that has ended counts nothing any more.
    node.service.forkChoice(wait, elapsedMs).catch(() => undefined)
  })
  return new Proxy(node, { get: (_, room) => (room === 'engine' ? engine : node[room as keyof NodeCalls]) })
}

const startGuard = (
  node: NodeCalls,
  { terms, threads, callMs, readMs, waiting }: CallOptions,
): { readonly node: NodeCalls; close(): Promise<void> } => {
  const calls = new CallThreads(node, { terms, threads, waiting, limitMs: callMs })
  const reads = new CallThreads(node, { terms, threads, waiting, limitMs: readMs })
  const close = async (): Promise<void> => {
    await Promise.all([calls.close(), reads.close()])
  }
  return { node: guardedNode(node, { calls, reads }), close }
}

const ofSpaces = <Of>(methods: Readonly<Record<string, Of>>, spaces: readonly string[]): Readonly<Record<string, Of>> =>
  Object.fromEntries(Object.entries(methods).filter(([name]) => spaces.includes(name.slice(0, name.indexOf('_')))))

/** How long a node may take to say that it is well. */
const HEALTH_MS = 1000

/** 200 where the node answers at once. */
const healthPage = async (node: NodeCalls): Promise<Page> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), HEALTH_MS)
  })
  const number = await Promise.race([node.chain.blockNumber().catch(() => undefined), late])
  clearTimeout(timer)
  const text = JSON.stringify(number === undefined ? { status: 'busy' } : { status: 'ok', head: Number(number) })
  return { status: number === undefined ? 503 : 200, type: 'application/json', text }
}

const metricsPage = async (node: NodeCalls): Promise<Page> => {
  const { type, text } = await node.service.metrics()
  return { status: 200, type, text }
}
