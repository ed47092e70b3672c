/** What a value of a JSON file is a test of. */
export type TestKind = 'state tests' | 'block tests' | (typeof OTHER_KINDS)[number][1] | 'other JSON'

/** Forms that are not run, by fields that a test of the kind has; the first that fits. */
const OTHER_KINDS = [
  [['engineNewPayloads'], 'engine tests'],
  [['txbytes', 'result'], 'transaction tests'],
  [['vectors'], 'EOF tests'],
  [['payload', 'syncPayload'], 'engine tests'],
  [['in', 'out'], 'RLP or trie tests'],
  [['currentDifficulty', 'parentDifficulty'], 'difficulty tests'],
] as const

const hasAll = (value: object, fields: readonly string[]): boolean => fields.every((name) => Object.hasOwn(value, name))

/** The kind of one test, judged by its fields; a test that lacks others is malformed, and its reader says so. */
export const kindOfTest = (value: unknown): TestKind => {
  if (typeof value !== 'object' || value === null) return 'other JSON'
  if (hasAll(value, ['transaction', 'post'])) return 'state tests'
  if (hasAll(value, ['blocks']) && (hasAll(value, ['genesisRLP']) || hasAll(value, ['genesisBlockHeader']))) {
    return 'block tests'
  }
  return OTHER_KINDS.find(([fields]) => hasAll(value, fields))?.[1] ?? 'other JSON'
}

/** Tests that were not run, of one file. */
export interface SkippedTests {
  readonly file: string
  readonly reason: string
  readonly count: number
}

/** `12 transaction tests in 3 files, other JSON in 2 files`; undefined where nothing was skipped. */
export const skippedText = (skipped: readonly SkippedTests[]): string | undefined => {
  const reasons = new Map<string, { count: number; files: Set<string> }>()
  for (const { file, reason, count } of skipped) {
    const known = reasons.get(reason) ?? { count: 0, files: new Set() }
    reasons.set(reason, { count: known.count + count, files: known.files.add(file) })
  }
  if (reasons.size === 0) return undefined
  return [...reasons]
    .map(([reason, { count, files }]) => {
      const where = `in ${files.size} ${files.size === 1 ? 'file' : 'files'}`
      return reason === 'other JSON' ? `${reason} ${where}` : `${count} ${reason} ${where}`
    })
    .join(', ')
}
