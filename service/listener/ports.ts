import type { Method } from '../json_rpc/method.ts'
import { rpcAnswer } from '../json_rpc/rpc_server.ts'
import { type ClientName, engineMethods, testingMethods } from '../methods/engine.ts'
import { ethMethods } from '../methods/eth.ts'
import { logMethods } from '../methods/logs.ts'
import { debugMethods, netMethods } from '../methods/other.ts'
import { poolMethods } from '../methods/pool.ts'
import type { NodeCalls } from '../node/node_calls.ts'
import { type HttpLimits, type HttpListener, listenHttp, type Page } from './http.ts'
import { jwtAuthorize } from './jwt.ts'

/** A port as options name it. */
export interface PortOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly virtualHosts: readonly string[]
  readonly limits: HttpLimits & { readonly batch: number }
}

/** The ports of a node. One that is absent is not opened. */
export interface PortsOptions {
  readonly client: ClientName
  readonly http?: PortOptions & { /** Name spaces that are served. */ readonly api: readonly string[] }
  readonly auth?: PortOptions & { readonly secret: Uint8Array }
  readonly metrics?: PortOptions
}

/** Numbers of the ports that listen. */
export interface OpenPorts {
  readonly http?: number
  readonly auth?: number
  readonly metrics?: number
}

export interface Listeners {
  readonly ports: OpenPorts
  close(): Promise<void>
}

/** Opens the ports, all or none. Rejects with the error of the first that does not open. */
export const openPorts = async (node: NodeCalls, { client, http, auth, metrics }: PortsOptions): Promise<Listeners> => {
  const methods: Readonly<Record<string, Method<NodeCalls>>> = {
    ...ethMethods,
    ...logMethods,
    ...debugMethods,
    ...poolMethods,
    ...testingMethods,
    ...netMethods(`${client.name}/${client.version}`),
  }
  const open: [keyof OpenPorts, HttpListener][] = []
  const close = async (): Promise<void> => {
    await Promise.all(open.map(([, listener]) => listener.close()))
  }
  try {
    if (http !== undefined) {
      const answer = rpcAnswer(node, ofSpaces(methods, http.api), http.limits)
      open.push(['http', await listenHttp({ ...http, answer, pages: { '/healthz': () => health(node) } })])
    }
    if (auth !== undefined) {
      const answer = rpcAnswer(node, { ...methods, ...engineMethods(client) }, auth.limits)
      const authorize = jwtAuthorize(auth.secret)
      open.push(['auth', await listenHttp({ ...auth, answer, authorize, pages: {} })])
    }
    if (metrics !== undefined) {
      const pages = { '/metrics': () => metricsPage(node), '/healthz': () => health(node) }
      open.push(['metrics', await listenHttp({ ...metrics, answer: async () => undefined, pages })])
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
  return { ports: Object.fromEntries(open.map(([name, { port }]) => [name, port])), close }
}

const ofSpaces = <Of>(methods: Readonly<Record<string, Of>>, spaces: readonly string[]): Readonly<Record<string, Of>> =>
  Object.fromEntries(Object.entries(methods).filter(([name]) => spaces.includes(name.slice(0, name.indexOf('_')))))

/** How long a node may take to say that it is well. */
const HEALTH_MS = 1000

/** 200 where the node answers at once. */
const health = async (node: NodeCalls): Promise<Page> => {
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
