import { createJSONRPCErrorResponse, isJSONRPCID, type JSONRPCErrorResponse, JSONRPCServer } from 'json-rpc-2.0'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { JsonText } from './json_text.ts'
import type { Method } from './method.ts'
import { parseJson, type RequestBody } from './request_body.ts'
import type { Session } from './session.ts'

/** How many calls one request may hold, and how long its reply may be. */
export interface BatchLimit {
  readonly batch: number
  /** Characters, of text that comes as bytes these. */
  readonly replyLength: number
}

/** Calls of a batch that are answered at once: they begin in their order. Gathered ones are not counted. */
const AT_ONCE = 16

/** The text of a reply: long ones may come as bytes of UTF-8. */
export type ReplyText = string | Uint8Array

/**
 * Answers a request, the text of it or its body, with the text of a reply; undefined where nothing is to be answered.
 * `session`: where the connection stays open.
 */
export type Answer = (asked: string | RequestBody, session?: Session) => Promise<ReplyText | undefined>

/**
 * JSON-RPC 2.0 over the methods of a table: single calls, batches, notifications. A batch is answered with an array,
 * one of a single call as well; a reply of success has no member `error`.
 */
export const rpcAnswer = <Node>(
  node: Node,
  methods: Readonly<Record<string, Method<Node>>>,
  { batch, replyLength }: BatchLimit,
): Answer => {
  const server = new JSONRPCServer<Session | undefined>({ errorListener: () => undefined })
  server.mapErrorToJSONRPCErrorResponse = errorReply
  server.handleMethodNotFound = async ({ id, method }) =>
    id === undefined
      ? null
      : createJSONRPCErrorResponse(id, RPC_CODE.methodNotFound, `the method ${method} does not exist/is not available`)
  const gathered = new Set<string>()
  for (const [name, method] of Object.entries(methods)) {
    server.addMethod(name, (params, session) => method(node, params, session))
    if (method.isGathered) gathered.add(name)
  }

  const one = async (call: unknown, session: Session | undefined): Promise<unknown> =>
    isCall(call)
      ? server.receive(call, session)
      : createJSONRPCErrorResponse(idOf(call), RPC_CODE.invalidRequest, 'invalid request')

  return async (asked, session) => {
    const request = typeof asked === 'string' ? parseJson(asked) : asked.parse()
    if (request === undefined) return JSON.stringify(createJSONRPCErrorResponse(null, RPC_CODE.parse, 'parse error'))
    if (!Array.isArray(request)) return textOf(await one(request, session), request, replyLength)
    const fault = request.length === 0 ? 'empty batch' : request.length > batch ? 'batch too large' : undefined
    if (fault !== undefined) return JSON.stringify(createJSONRPCErrorResponse(null, RPC_CODE.invalidRequest, fault))
    const texts: (ReplyText | undefined)[] = []
    let left = replyLength
    let next = 0
    const answered = async (i: number): Promise<void> => {
      const call: unknown = request[i]
      // What comes after a reply that is full is not asked for.
      const text = left < 0 ? tooLarge(call) : textOf(await one(call, session), call, left)
      left -= text?.length ?? 0
      texts[i] = text
    }
    const begun: Promise<void>[] = []
    const work = async (): Promise<void> => {
      for (let i = next++; i < request.length; i = next++) {
        const call: unknown = request[i]
        if (isCall(call) && gathered.has(call.method)) begun.push(answered(i))
        else await answered(i)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    await Promise.all(begun)
    const replies = texts.filter((text) => text !== undefined)
    return replies.length === 0 ? undefined : `[${replies.map(stringOf).join(',')}]`
  }
}

const stringOf = (text: ReplyText): string => (typeof text === 'string' ? text : Buffer.from(text).toString('utf8'))

const textOf = (reply: unknown, call: unknown, most: number): ReplyText | undefined => {
  if (reply === null) return undefined
  const { result } = reply as { readonly result?: unknown }
  if (result instanceof JsonText) return withText(result, call, most)
  let text: string | undefined
  try {
    text = JSON.stringify(reply)
  } catch {
    // Longer than any string can be.
  }
  return text === undefined || text.length > most ? tooLarge(call) : text
}

/** A reply of success. */
const withText = ({ parts }: JsonText, call: unknown, most: number): ReplyText => {
  const { id } = call as Call
  const all = [Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`), ...parts, Buffer.from('}')]
  return all.reduce((sum, { length }) => sum + length, 0) > most ? tooLarge(call) : Buffer.concat(all)
}

const tooLarge = (call: unknown): string =>
  JSON.stringify(createJSONRPCErrorResponse(idOf(call), RPC_CODE.replyTooLarge, 'response too large'))

interface Call {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: unknown
  readonly id?: string | number | null
}

const isCall = (value: unknown): value is Call => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { jsonrpc, method, params, id } = value as Record<string, unknown>
  return (
    jsonrpc === '2.0' &&
    typeof method === 'string' &&
    (params === undefined || (typeof params === 'object' && params !== null)) &&
    (id === undefined || isJSONRPCID(id)) &&
    !('result' in value) &&
    !('error' in value)
  )
}

const idOf = (value: unknown): string | number | null => {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null
  return isJSONRPCID(value.id) ? value.id : null
}

const errorReply = (id: string | number | null, thrown: unknown): JSONRPCErrorResponse =>
  thrown instanceof RpcError
    ? createJSONRPCErrorResponse(id, thrown.code, thrown.message, thrown.data)
    : createJSONRPCErrorResponse(id, RPC_CODE.internal, 'internal error')
