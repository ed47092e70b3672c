import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const OTHERS = new Set(['node_modules', 'dist', 'coverage', 'gpu-results'])

/**
 * Every file of the checkout, from its root, without what is installed, built or hidden. `.ci/run` is the hidden one
 * that counts.
 */
const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (OTHERS.has(entry.name) || (entry.name.startsWith('.') && entry.name !== '.ci')) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [relative(ROOT, path).replaceAll('\\', '/')]
  })

const FILES = filesBelow(ROOT)
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const DOCUMENTS = FILES.filter((path) => path.endsWith('.md'))
/** Those that speak of today's code. A decision keeps the names of its time, a changelog those of its version. */
const CURRENT = DOCUMENTS.filter((path) => !path.startsWith('docs/decisions/') && path !== 'CHANGELOG.md')

/** Markdown without fenced code. */
const prose = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```/gm, '')
const links = (text: string): readonly string[] =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!).filter((target) => !/^\w+:/.test(target))
const quoted = (text: string): readonly string[] => [
  ...new Set([...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)),
]

/** What GitHub calls a heading in a link. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
const anchorsOf = (path: string): readonly string[] =>
  [...prose(textOf(path)).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!))

/** Messages about the links of one document: files that do not exist, headings that do not stand there. */
const brokenLinks = (document: string, text: string): readonly string[] =>
  links(text).flatMap((link) => {
    const [target = '', anchor] = link.split('#')
    const path = target === '' ? document : relative(ROOT, resolve(ROOT, dirname(document), target))
    if (!existsSync(join(ROOT, path))) return [`${document}: no ${link}`]
    const isMissing = anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).includes(anchor)
    return isMissing ? [`${document}: no heading for ${link}`] : []
  })

const FILE_NAME = /^\.?[\w@./-]*\w\.(?:ts|js|mjs|sh|wgsl|md|json|evm)$/

/** File and folder names in back quotes that end no path of the checkout. */
const missingFiles = (document: string, text: string): readonly string[] =>
  quoted(text).flatMap((code) => {
    const isFolder = /^(?:\.\/)?[\w.-]+\/(?:[\w.-]+\/)*$/.test(code)
    if (!(isFolder || FILE_NAME.test(code))) return []
    const isThere = isFolder
      ? FILES.some((path) => `/${path}`.includes(`/${code}`))
      : FILES.some((path) => path === code || path.endsWith(`/${code}`))
    return isThere ? [] : [`${document}: no ${code}`]
  })

const SOURCES = FILES.filter((path) => /\.(?:ts|wgsl|sh|sol)$|^package\.json$|^\.ci\/run$/.test(path))
/** Spellings, and a field of program files that nothing reads. */
const NOT_IN_SOURCES = ['camelCase', 'PascalCase', 'SCREAMING_CASE', 'expectedBy']
/** Words of the sources, this test apart. */
const words = (): ReadonlySet<string> =>
  new Set([
    ...NOT_IN_SOURCES,
    ...SOURCES.filter((path) => !path.endsWith('docs_links.test.ts')).flatMap(
      (path) => textOf(path).match(/[\w-]+/g) ?? [],
    ),
  ])

/** Functions, types, constants, options, environment variables and npm scripts in back quotes that no source has. */
const missingNames = (document: string, text: string, known: ReadonlySet<string>): readonly string[] => {
  const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }).scripts)
  return quoted(text).flatMap((code) => {
    const script = /^npm run ([\w:-]+)/.exec(code)?.[1]
    if (script !== undefined && !scripts.includes(script)) return [`${document}: no script ${script}`]
    const names = [
      /^([a-z]+[A-Z]\w*)(?:\(.*\))?$/.exec(code)?.[1],
      /^([A-Z]+_[A-Z_\d]+)(?:=.*)?$/.exec(code)?.[1],
      /^([A-Z][a-z]+[A-Z]\w*)$/.exec(code)?.[1],
      ...[...code.matchAll(/(?:^|\s)--([a-z][\w-]+)/g)].map(([, option]) => option),
    ]
    return names.flatMap((name) => {
      if (name === undefined || known.has(name) || known.has(`no-${name}`) || known.has(name.replace(/^no-/, '')))
        return []
      return [`${document}: no ${name} in the sources`]
    })
  })
}

describe('documents', () => {
  test('link to files and headings that exist', () => {
    expect(DOCUMENTS.length).toBeGreaterThan(20)
    expect(DOCUMENTS.flatMap((document) => brokenLinks(document, textOf(document)))).toEqual([])
  })

  test('name files and folders that exist', () => {
    expect(CURRENT.flatMap((document) => missingFiles(document, textOf(document)))).toEqual([])
  })

  test('name functions, types, options and scripts that the sources have', () => {
    const known = words()
    expect(CURRENT.flatMap((document) => missingNames(document, textOf(document), known))).toEqual([])
  })

  test('are caught naming what is not there', () => {
    expect(brokenLinks('docs/x.md', '[a](../host/none.ts) [b](glossary.md#no-such) [c](https://x.org/y)')).toHaveLength(
      2,
    )
    expect(missingFiles('README.md', 'see `none.ts`, `host/none/` and `host/index.ts`')).toHaveLength(2)
    const text = 'call `noSuchFunction()` with `--no-such-option` or `WGEVM_NONE=1`; `npm run none`; `createExecutor`'
    expect(missingNames('README.md', text, new Set(['createExecutor']))).toHaveLength(4)
  })
})
