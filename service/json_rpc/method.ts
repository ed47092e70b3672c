import type { z } from 'zod'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import type { JsonText } from './json_text.ts'
import type { Session } from './session.ts'

/** A value of JSON; as the whole answer of a method it may be text. */
export type Json =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Json[]
  | { readonly [name: string]: Json }
  | JsonText

/** Answers the parameters of one call; `session`: of the connection that it came over, where that stays open. */
export interface Method<Node> {
  (node: Node, params: unknown, session?: Session): Promise<Json>
  /** The node is asked once for many of its calls that come at once: a batch begins them all. */
  readonly isGathered?: true
}

type Schemas = readonly z.ZodType[]
type Values<Of extends Schemas> = { -readonly [Index in keyof Of]: z.output<Of[Index]> }

/**
 * A method: parameters read by position, what they ask of the node, and its answer as JSON. Parameters that may be left
 * out come last and are `optional`.
 */
export const method =
  <Node, const Of extends Schemas>(
    schemas: Of,
    answer: (node: Node, ...values: Values<Of>) => Promise<Json>,
  ): Method<Node> =>
  async (node, params) =>
    answer(node, ...readParams(schemas, params))

export const gathered = <Node>(method: Method<Node>): Method<Node> =>
  Object.assign(method, { isGathered: true } as const)

/** Parameters by position, read. Throws RpcError. */
export const readParams = <const Of extends Schemas>(schemas: Of, params: unknown): Values<Of> => {
  if (params !== undefined && !Array.isArray(params))
    throw new RpcError(RPC_CODE.invalidParams, 'expected parameters by position, an array')
  const given: readonly unknown[] = params ?? []
  if (given.length > schemas.length)
    throw new RpcError(RPC_CODE.invalidParams, `too many arguments, want at most ${schemas.length}`)
  return schemas.map((schema, n) => {
    // Null is what some callers write for what they leave out.
    const value = given[n] === null && !takes(schema, null) ? undefined : given[n]
    if (value === undefined && !takes(schema, undefined))
      throw new RpcError(RPC_CODE.invalidParams, `missing value for required argument ${n}`)
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new RpcError(RPC_CODE.invalidParams, `invalid argument ${n}: ${faultOf(parsed.error)}`)
  }) as Values<Of>
}

const takes = (schema: z.ZodType, value: unknown): boolean => schema.safeParse(value).success

/** The first fault: where it is inside of the argument, and what. */
const faultOf = ({ issues }: z.ZodError): string => {
  const { path, message } = issues[0]!
  return path.length === 0 ? message : `${path.join('.')}: ${message}`
}
