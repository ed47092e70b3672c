import type { Builder } from '../ir/builder.ts'
import { bytesToWord, CONSTANTS_BEFORE_IMMEDIATES } from '../skeleton.ts'
import type { PathAccount } from './accounts.ts'
import type { Frame } from './frame.ts'
import { type Bytes, constantBytes, type Word } from './memory.ts'

const ADDRESS_MASK = (1n << 160n) - 1n

/** Code of an account as bytes; lifted immediates are constants of the instance. */
export const symbolicCode = (builder: Builder, account: PathAccount): Bytes => {
  const bytes = constantBytes(account.code)
  if (account.skeleton === undefined) return bytes
  const cells = [...bytes.cells]
  account.skeleton.immediates.forEach((immediate, index) => {
    const value = builder.make('instance', [account.id], CONSTANTS_BEFORE_IMMEDIATES + index)
    for (let i = 0; i < immediate.length; i++) cells[immediate.offset + i] = { value, byte: 32 - immediate.length + i }
  })
  return { concrete: bytes.concrete, cells }
}

/** What a PUSH of this frame pushes: a constant of the instance where the skeleton lifted it, else one of the path. */
export const pushedWord = (builder: Builder, frame: Frame, bytes: number): Word => {
  const immediate = new Uint8Array(bytes)
  immediate.set(frame.code.subarray(frame.pc + 1, frame.pc + 1 + bytes))
  const concrete = bytesToWord(immediate)
  const { codeAccount } = frame.context
  const lifted = codeAccount.skeleton?.immediates ?? []
  const index = bytes < 20 ? -1 : lifted.findIndex(({ offset }) => offset === frame.pc + 1)
  if (index < 0) return { concrete, value: builder.constant(concrete) }
  const value = builder.make('instance', [codeAccount.id], CONSTANTS_BEFORE_IMMEDIATES + index)
  return { concrete, value: bytes === 20 ? builder.make('and', [value, builder.constant(ADDRESS_MASK)]) : value }
}
