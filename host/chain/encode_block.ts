import { rlpBytes, rlpDecodeOwn, rlpList } from '../primitives/rlp.ts'
import type { DecodedBlock } from './decode_block.ts'
import { encodeHeader } from './header.ts'
import { encodeWithdrawal } from './withdrawals.ts'

/**
 * What a block has beside its header, as it is stored: RLP of transactions, uncles and, from Shanghai on, withdrawals.
 */
export const encodeBody = ({ transactions, uncles, withdrawals }: Omit<DecodedBlock, 'header'>): Uint8Array =>
  rlpList([
    // A typed transaction is a byte string in the list, a legacy one a list (EIP-2718).
    rlpList(transactions.map((bytes) => (bytes[0]! >= 0xc0 ? bytes : rlpBytes(bytes)))),
    rlpList(uncles.map(encodeHeader)),
    ...(withdrawals === undefined ? [] : [rlpList(withdrawals.map(encodeWithdrawal))]),
  ])

/** RLP of a block (YP 4.3) from that of its header and of its body. */
export const joinBlock = (header: Uint8Array, body: Uint8Array): Uint8Array =>
  rlpList([header, body.subarray(headLength(body))])

/** RLP of receipts, each as its trie holds it. */
export const encodeReceiptList = (receipts: readonly Uint8Array[]): Uint8Array => rlpList(receipts.map(rlpBytes))

/** The receipts of such a list. */
export const decodeReceiptList = (list: Uint8Array): readonly Uint8Array[] => rlpDecodeOwn(list) as Uint8Array[]

/** Bytes before the payload of a list. */
const headLength = (list: Uint8Array): number => (list[0]! < 0xf8 ? 1 : 1 + list[0]! - 0xf7)
