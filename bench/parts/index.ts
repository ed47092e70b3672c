import { keccakPart } from './keccak.ts'
import { opPaymentsPart } from './op_payments.ts'
import type { Part } from './part.ts'
import { sendersPart } from './senders.ts'
import { triePart } from './trie.ts'

/** All parts, in the order of their work on a block; then whole calls. */
export const PARTS: readonly Part[] = [sendersPart, keccakPart, triePart, opPaymentsPart]
