import { rlpBytes, rlpHex, rlpInteger, rlpList } from '../primitives/rlp.ts'
import type { TransactionObject } from './batch.ts'

const NO_BYTES = rlpBytes(new Uint8Array(0))
/** v, or the parity of y, with r and s. */
const NO_SIGNATURE = [rlpInteger(0), rlpInteger(0), rlpInteger(0)]

/**
 * A transaction of types 0 to 4 as it would come over the wire (EIP-2718; EIP-2930, 1559, 4844, 7702), with a signature
 * of zeros: its hash is that of a transaction which no one has signed.
 */
export const encodeUnsigned = (transaction: TransactionObject, chainId: bigint): Uint8Array => {
  const { type = 0, nonce, gasPrice = 0n, gasLimit, to, value = 0n, data = '0x' } = transaction
  const { maxFeePerGas = gasPrice, maxPriorityFeePerGas = gasPrice } = transaction
  const call = [rlpInteger(gasLimit), to === undefined ? NO_BYTES : rlpHex(to), rlpInteger(value), rlpHex(data)]
  if (type === 0) return rlpList([rlpInteger(nonce), rlpInteger(gasPrice), ...call, ...NO_SIGNATURE])
  const prices = type === 1 ? [gasPrice] : [maxPriorityFeePerGas, maxFeePerGas]
  const fields = [rlpInteger(chainId), rlpInteger(nonce), ...prices.map(rlpInteger), ...call, accessListOf(transaction)]
  const list = rlpList([...fields, ...extrasOf(transaction), ...NO_SIGNATURE])
  const bytes = new Uint8Array(1 + list.length)
  bytes[0] = type
  bytes.set(list, 1)
  return bytes
}

const accessListOf = ({ accessList = [] }: TransactionObject): Uint8Array =>
  rlpList(accessList.map(({ address, storageKeys }) => rlpList([rlpHex(address), rlpList(storageKeys.map(rlpHex))])))

const extrasOf = ({
  type,
  maxFeePerBlobGas = 0n,
  blobVersionedHashes = [],
  authorizations = [],
}: TransactionObject) => {
  if (type === 3) return [rlpInteger(maxFeePerBlobGas), rlpList(blobVersionedHashes.map(rlpHex))]
  if (type !== 4) return []
  const signed = authorizations.map(({ chainId, address, nonce, signature }) => {
    const { yParity = 0n, r = 0n, s = 0n } = signature ?? {}
    const numbers = [nonce, yParity, r, s].map(rlpInteger)
    return rlpList([rlpInteger(chainId), rlpHex(address), ...numbers])
  })
  return [rlpList(signed)]
}
