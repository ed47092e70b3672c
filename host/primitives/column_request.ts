/** Where a module's request begins in its memory, and where columns of a chunk may begin. */
const REQUEST_AT = 1024
export const CHUNK_AT = 4096
/** What modules over tables take of the memory of these: mostly columns of lanes, and calldata. */
export const MODULE_BYTES = 2 << 20
/** Transactions or rows whose columns lie there at a time: they stay in the second-level cache. */
export const CHUNK = 1024

/** The address of each field of a request: u32, then f64, then words of 256 bits. */
export const requestFields = <Name extends string>(
  fields: readonly Name[],
  numbers: readonly Name[] = [],
  words: readonly Name[] = [],
): Readonly<Record<Name, number>> => {
  const numbersAt = REQUEST_AT + 4 * (fields.length + (fields.length % 2))
  const wordsAt = (numbersAt + 8 * numbers.length + 31) & -32
  const places = (names: readonly Name[], from: number, bytes: number) =>
    names.map((name, n): [Name, number] => [name, from + bytes * n])
  return Object.fromEntries([
    ...places(fields, REQUEST_AT, 4),
    ...places(numbers, numbersAt, 8),
    ...places(words, wordsAt, 32),
  ]) as Record<Name, number>
}
