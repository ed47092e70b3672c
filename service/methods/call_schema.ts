import { z } from 'zod'
import type { CallObject, StateOverrides } from '../../host/index.ts'
import { address, data, hash, hexOf, quantity, toData } from '../json_rpc/codec.ts'
import type { BlockOverrides } from '../node/state_calls.ts'

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
export const callObject = fields
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
  .transform(callOf)

const slots = z.record(hash, hash)

const accountOverride = z.object({
  balance: quantity().optional(),
  nonce: quantity(64).optional(),
  code: bytesHex.optional(),
  state: slots.optional(),
  stateDiff: slots.optional(),
})

export const stateOverrides = z
  .record(address, accountOverride)
  .transform(
    (accounts): StateOverrides =>
      Object.fromEntries(
        Object.entries(accounts).map(([account, override]) => [
          account,
          Object.fromEntries(Object.entries(override).filter(([, value]) => value !== undefined)),
        ]),
      ),
  )

export const blockOverrides = z
  .object({
    number: quantity(64).optional(),
    time: quantity(64).optional(),
    gasLimit: quantity(64).optional(),
    feeRecipient: address.optional(),
    prevRandao: hexOf(32).transform(BigInt).optional(),
    baseFeePerGas: quantity().optional(),
    blobBaseFee: quantity().optional(),
  })
  .transform((given): BlockOverrides => given)
