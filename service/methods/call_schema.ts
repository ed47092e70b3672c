import { z } from 'zod'
import type { CallObject, SimulatedBlockCall, StateOverrides } from '../../host/index.ts'
import { address, data, hash, hexOf, quantity, toData } from '../json_rpc/codec.ts'
import type { BlockOverrides, BlockStateCall } from '../node/state_calls.ts'
import { packCalls } from './packed_calls.ts'

/** The objects that eth_call and its kin take (execution-apis src/schemas/transaction.yaml, execute.yaml). */
const bytesHex = data().transform(toData)

const accessList = z.array(z.object({ address, storageKeys: z.array(hash) }))

const authorization = z.object({
  chainId: quantity(),
  address,
  nonce: quantity(64),
  yParity: quantity(8).optional(),
  v: quantity(8).optional(),
  r: quantity(),
  s: quantity(),
})

const fields = z.object({
  type: quantity(8).optional(),
  from: address.optional(),
  to: address.nullish(),
  gas: quantity(64).optional(),
  gasPrice: quantity().optional(),
  maxFeePerGas: quantity().optional(),
  maxPriorityFeePerGas: quantity().optional(),
  maxFeePerBlobGas: quantity().optional(),
  value: quantity().optional(),
  nonce: quantity(64).optional(),
  data: bytesHex.optional(),
  input: bytesHex.optional(),
  accessList: accessList.nullish(),
  blobVersionedHashes: z.array(hash).optional(),
  authorizationList: z.array(authorization).optional(),
  chainId: quantity().optional(),
})

type Fields = z.output<typeof fields>

/** A member that is absent or null stays absent. */
const present = <Name extends string, Value>(name: Name, value: Value | null | undefined) =>
  (value === undefined || value === null ? {} : { [name]: value }) as { readonly [K in Name]?: Value }

const callOf = (given: Fields): CallObject => ({
  ...present('type', given.type === undefined ? undefined : (Number(given.type) as NonNullable<CallObject['type']>)),
  ...present('from', given.from),
  ...present('to', given.to),
  ...present('gas', given.gas),
  ...present('gasPrice', given.gasPrice),
  ...present('maxFeePerGas', given.maxFeePerGas),
  ...present('maxPriorityFeePerGas', given.maxPriorityFeePerGas),
  ...present('maxFeePerBlobGas', given.maxFeePerBlobGas),
  ...present('value', given.value),
  ...present('data', given.input ?? given.data),
  ...present('accessList', given.accessList),
  ...present('blobVersionedHashes', given.blobVersionedHashes),
  ...present('authorizations', given.authorizationList?.map(authorizationOf)),
})

/** The authority is what a signature says; simulations do not recover it, so none is taken to have signed. */
const authorizationOf = ({ chainId, address: to, nonce, yParity, v, r, s }: z.output<typeof authorization>) => ({
  chainId,
  address: to,
  nonce,
  authority: undefined,
  signature: { yParity: yParity ?? v ?? 0n, r, s },
})

/** A call. Of `data` and `input`, which mean the same, both may be given where they are equal. */
const checkedFields = fields
  .refine(({ data: one, input }) => one === undefined || input === undefined || one === input, {
    error: 'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
  })
  .refine(
    ({ gasPrice, maxFeePerGas, maxPriorityFeePerGas }) =>
      gasPrice === undefined || (maxFeePerGas === undefined && maxPriorityFeePerGas === undefined),
    {
      error: 'both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified',
    },
  )

export const callObject = checkedFields.transform(callOf)

/** A call of a simulated block, which may name its nonce. */
const simulatedCall = checkedFields.transform(
  (given): SimulatedBlockCall => ({ ...callOf(given), ...present('nonce', given.nonce) }),
)

const simulatedCalls = z.array(simulatedCall)

/** Calls that thousands come of are read without the schema where they are plain. */
const LEAST_PACKED = 64

const manyCalls = z.unknown().transform((value, context): BlockStateCall['calls'] => {
  if (value === undefined) return []
  const packed = Array.isArray(value) && value.length >= LEAST_PACKED ? packCalls(value) : undefined
  if (packed !== undefined) return packed
  const { success, data: read, error } = simulatedCalls.safeParse(value)
  if (success) return read
  for (const { path, message } of error.issues) context.addIssue({ code: 'custom', message, path: [...path] })
  return z.NEVER
})

const slots = z.record(hash, hash)

const accountOverride = z.object({
  balance: quantity().optional(),
  nonce: quantity(64).optional(),
  code: bytesHex.optional(),
  state: slots.optional(),
  stateDiff: slots.optional(),
})

type Overrides = Readonly<Record<string, z.output<typeof accountOverride>>>

const overridesOf = (accounts: Overrides): StateOverrides =>
  Object.fromEntries(
    Object.entries(accounts).map(([account, override]) => [
      account,
      Object.fromEntries(
        Object.entries(override).filter(([name, value]) => value !== undefined && name !== 'movePrecompileToAddress'),
      ),
    ]),
  )

export const stateOverrides = z.record(address, accountOverride).transform(overridesOf)

const blockFields = z.object({
  number: quantity(64).optional(),
  time: quantity(64).optional(),
  gasLimit: quantity(64).optional(),
  feeRecipient: address.optional(),
  prevRandao: hexOf(32).transform(BigInt).optional(),
  baseFeePerGas: quantity().optional(),
  blobBaseFee: quantity().optional(),
})

export const blockOverrides = blockFields.transform((given): BlockOverrides => given)

const withdrawal = z.object({ index: quantity(64), validatorIndex: quantity(64), address, amount: quantity(64) })

const simulatedOverrides = blockFields.extend({
  beaconRoot: hash.optional(),
  withdrawals: z.array(withdrawal).optional(),
})

const movableOverride = accountOverride.extend({ movePrecompileToAddress: address.optional() })

/** Where precompiled contracts go. */
const movesOf = (accounts: Readonly<Record<string, z.output<typeof movableOverride>>>): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(accounts).flatMap(([account, { movePrecompileToAddress: to }]) =>
      to === undefined ? [] : [[account, to] as const],
    ),
  )

const blockStateCall = z
  .object({
    blockOverrides: simulatedOverrides.optional(),
    stateOverrides: z.record(address, movableOverride).optional(),
    calls: manyCalls.optional(),
  })
  .transform(
    ({ blockOverrides: block = {}, stateOverrides: state = {}, calls = [] }): BlockStateCall => ({
      block,
      state: overridesOf(state),
      moves: movesOf(state),
      calls,
    }),
  )

/** What eth_simulateV1 takes (execution-apis src/schemas/execute.yaml). */
export const simulatePayload = z.object({
  blockStateCalls: z.array(blockStateCall).min(1, 'empty input'),
  traceTransfers: z.boolean().default(false),
  validation: z.boolean().default(false),
  returnFullTransactions: z.boolean().default(false),
})
