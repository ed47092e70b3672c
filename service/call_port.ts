import type { MessagePort } from 'node:worker_threads'
import { RPC_CODE, RpcError } from './rpc_error.ts'

/**
 * Calls from one thread to another as messages: rooms, names and values, nothing of JSON. Calls arrive in the order in
 * which they were made.
 */
interface CallMessage {
  readonly id: number
  readonly room: string
  readonly name: string
  readonly values: readonly unknown[]
}

interface ReplyMessage {
  readonly id: number
  readonly value?: unknown
  readonly fault?: { readonly code: number; readonly message: string; readonly data: unknown }
}

/** Functions that answer with a promise, by room and name. */
type Rooms = Readonly<Record<string, Readonly<Record<string, (...values: never[]) => Promise<unknown>>>>>

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (thrown: RpcError) => void }

/**
 * Calls to what `serveCalls` serves on the other end. They reject with RpcError; all that wait do so when the port
 * closes.
 */
export const remoteCalls = <Of>(port: MessagePort): Of => {
  const pending = new Map<number, Pending>()
  let count = 0
  port.on('message', ({ id, value, fault }: ReplyMessage) => {
    const { resolve, reject } = pending.get(id)!
    pending.delete(id)
    if (fault === undefined) resolve(value)
    else reject(new RpcError(fault.code, fault.message, fault.data))
  })
  port.on('close', () => {
    for (const { reject } of pending.values()) reject(new RpcError(RPC_CODE.server, 'the node has ended'))
  })
  const call =
    (room: string, name: string) =>
    (...values: readonly unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const id = count++
        pending.set(id, { resolve, reject })
        const message: CallMessage = { id, room, name, values }
        port.postMessage(message)
      })
  const room = (of: string): unknown => new Proxy({}, { get: (_, name) => call(of, String(name)) })
  return new Proxy({}, { get: (_, of) => room(String(of)) }) as Of
}

/** Memory that goes with a value to the thread that asked, and is not copied. */
const carried = new WeakMap<object, readonly ArrayBuffer[]>()

/** The value; the memory of these bytes of it, which are read no more on this thread, goes with it as it is. */
export const carrying = <Value extends object>(value: Value, bytes: Iterable<Uint8Array>): Value => {
  const memory = new Set<ArrayBuffer>()
  for (const { buffer } of bytes) if (buffer instanceof ArrayBuffer) memory.add(buffer)
  carried.set(value, [...memory])
  return value
}

const carriedBy = (value: unknown): readonly ArrayBuffer[] =>
  typeof value === 'object' && value !== null ? (carried.get(value) ?? []) : []

/** What is thrown and is no RpcError: a fault of ours, told to the caller as no more than that. */
export type FaultListener = (name: string, thrown: unknown) => void

/** Answers the calls of the other end. */
export const serveCalls = (port: MessagePort, rooms: object, onFault: FaultListener): void => {
  port.on('message', ({ id, room, name, values }: CallMessage) => {
    const reply = (message: Omit<ReplyMessage, 'id'>): void =>
      port.postMessage({ id, ...message }, carriedBy(message.value))
    answer(rooms as Rooms, room, name, values).then(
      (value) => reply({ value }),
      (thrown: unknown) => {
        if (!(thrown instanceof RpcError)) onFault(`${room}.${name}`, thrown)
        const { code, message, data } =
          thrown instanceof RpcError ? thrown : new RpcError(RPC_CODE.internal, 'internal error')
        reply({ fault: { code, message, data } })
      },
    )
  })
}

const answer = async (rooms: Rooms, room: string, name: string, values: readonly unknown[]): Promise<unknown> =>
  rooms[room]![name]!(...(values as never[]))
