import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const COLUMNS = 120
const FOLDERS = [
  'transpiler',
  'kernels',
  'host',
  'conformance',
  'service',
  'cli',
  'bench',
  'examples',
  'test',
  'scripts',
  'docs',
]
/** Written by hand between versions, a line for each change. */
const FREE = ['CHANGELOG.md']

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(?:md|ts|wgsl|sh)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !/\.generated\./.test(path))

const FILES = [
  ...FOLDERS.flatMap(filesBelow),
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md') && !FREE.includes(name)),
  '.ci/run',
]

/** A line without a blank to break it at, before or after which nothing but a mark of a list or a comment stands. */
const isOneWord = (line: string): boolean => !/\S\s+\S/.test(line.replace(/^\s*(?:[-*#/]+|\d+\.)?\s*/, ''))

/** Comments that begin their line or follow code in it. */
const isComment = (line: string): boolean => /^\s*(?:\/\/|\/\*|\*|#(?!!))/.test(line) || /[;,{})\w] \/\/ /.test(line)

const isTooLong = (line: string): boolean => [...line].length > COLUMNS && !isOneWord(line)

/** `path:line` of each line of prose in a Markdown file that is too long: tables, headings and fenced code may be. */
const longProse = (path: string, text: string): readonly string[] => {
  let isFenced = false
  return text.split('\n').flatMap((line, i) => {
    if (/^\s*```/.test(line)) isFenced = !isFenced
    const isFree = isFenced || /^\s*(?:\||#)/.test(line)
    return !isFree && isTooLong(line) ? [`${path}:${i + 1}`] : []
  })
}

const longComments = (path: string, text: string): readonly string[] =>
  text.split('\n').flatMap((line, i) => (isTooLong(line) && isComment(line) ? [`${path}:${i + 1}`] : []))

const longLines = (path: string, text: string): readonly string[] =>
  path.endsWith('.md') ? longProse(path, text) : longComments(path, text)

/** Words with several meanings, and subjects that are not named, with the words for them (docs/glossary.md). */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bwalk(?:s|ed|ing)?\b/i, 'sweep, pass'],
  [/\b(?:nobody|somebody|anybody|everybody|anyone)\b/i, 'no lane, the caller, other code'],
  [/\bin front of\b/i, 'before'],
]

/** `path:line: word` of each line of prose or comment that has one of WORDS. Names of files are no prose. */
const wrongWords = (path: string, text: string): readonly string[] =>
  text.split('\n').flatMap((line, i) => {
    if (!(path.endsWith('.md') || isComment(line))) return []
    const prose = line.replace(/[\w./]*\w-[\w./-]+\.md/g, '').replace(/`[^`]*`/g, '')
    return WORDS.flatMap(([word, instead]) => (word.test(prose) ? [`${path}:${i + 1}: ${instead}`] : []))
  })
/** Texts of results as they were measured. */
const MEASURED = 'docs/benchmarks.md'

test('documents and comments: no line is longer than 120 columns, tables and links apart', () => {
  expect(FILES.length).toBeGreaterThan(500)
  expect(FILES.flatMap((path) => longLines(path, readFileSync(join(ROOT, path), 'utf8')))).toEqual([])
})

test('documents and comments: a line that is too long is found', () => {
  const long = 'word '.repeat(25).trim()
  expect(longLines('a.md', `${long}\n| ${long} |\n\`\`\`\n${long}\n\`\`\`\n- ${'x'.repeat(130)}`)).toEqual(['a.md:1'])
  expect(longLines('a.ts', `// ${long}\n/** ${long} */\nconst a = 1 // ${long}\nconst b = '${long}'`)).toEqual([
    'a.ts:1',
    'a.ts:2',
    'a.ts:3',
  ])
})

test('documents and comments: words have one meaning, and subjects are named', () => {
  const files = FILES.filter((path) => path !== MEASURED)
  expect(files.flatMap((path) => wrongWords(path, readFileSync(join(ROOT, path), 'utf8')))).toEqual([])
})

test('documents and comments: a wrong word is found', () => {
  expect(wrongWords('a.md', 'The walk.\nSee [0005](0005-one-walk-per-round.md).')).toEqual(['a.md:1: sweep, pass'])
  expect(wrongWords('a.ts', "// Nobody reads it.\nconst a = 'nobody'")).toHaveLength(1)
})
