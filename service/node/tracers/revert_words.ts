import { revertReason } from '../../../host/chain/revert_reason.ts'

/** Of Solidity's Panic(uint256), as go-ethereum has them. */
const PANICS: ReadonlyMap<number, string> = new Map([
  [0x00, 'generic panic'],
  [0x01, 'assert(false)'],
  [0x11, 'arithmetic underflow or overflow'],
  [0x12, 'division or modulo by zero'],
  [0x21, 'enum overflow'],
  [0x22, 'invalid encoded storage byte array accessed'],
  [0x31, 'out-of-bounds array access; popping on an empty array'],
  [0x32, 'out-of-bounds access of an array or bytesN'],
  [0x41, 'out of memory'],
  [0x51, 'uninitialized function'],
])
const PANIC = /^panic (0x[0-9a-f]+):/

/** The text of Error(string) or Panic(uint256) in the words of go-ethereum. */
export const revertWords = (output: Uint8Array): string | undefined => {
  const reason = revertReason(output)
  const [, code] = PANIC.exec(reason ?? '') ?? []
  if (code === undefined || output[0] !== 0x4e) return reason
  return PANICS.get(Number(code)) ?? `unknown panic code: ${code}`
}
