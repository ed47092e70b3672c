export { keccak256, keccak256Hex } from '../../transpiler/keccak256.ts'

/**
 * keccak-256 of no bytes: the code hash of an account without code (YP 4.1).
 *
 * Example: {@link keccak256Hex}.
 */
export const EMPTY_CODE_HASH = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

/**
 * Root of the trie without entries: keccak-256 of the RLP of an empty string (YP appendix D).
 *
 * Example: {@link stateRootOf}.
 */
export const EMPTY_TRIE_ROOT = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'
