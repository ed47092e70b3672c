import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const ENTRIES = ['host/index.ts', 'transpiler/index.ts'].map((entry) => join(ROOT, entry))

const options = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: ENTRIES }, ts.sys, ROOT).options
}

const isInternal = (node: ts.Node): boolean =>
  ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal') ||
  (ts.isClassElement(node) && node.name !== undefined && ts.isPrivateIdentifier(node.name))

/** The types that a declaration names, without function bodies, private members and what is `@internal`. */
const namedTypes = (declaration: ts.Node): ts.EntityName[] => {
  const found: ts.EntityName[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || isInternal(node)) return
    if (ts.isTypeReferenceNode(node)) found.push(node.typeName)
    if (ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node)) {
      const { type, initializer } = node
      if (type !== undefined) visit(type)
      else if (initializer !== undefined && ts.isArrowFunction(initializer)) {
        for (const parameter of initializer.parameters) visit(parameter)
        if (initializer.type !== undefined) visit(initializer.type)
      }
      return
    }
    ts.forEachChild(node, visit)
  }
  visit(declaration)
  return found
}

test('public types: every type of ours that an export names can be imported from an entry point', () => {
  const program = ts.createProgram(ENTRIES, options())
  const checker = program.getTypeChecker()
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const exported = new Set(
    ENTRIES.flatMap((entry) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)
      return checker.getExportsOfModule(module!).map(resolved)
    }),
  )
  expect(exported.size).toBeGreaterThan(100)
  const isOurs = (node: ts.Node) =>
    ['host', 'transpiler'].some((folder) => node.getSourceFile().fileName.startsWith(join(ROOT, folder)))
  const missing = new Set<string>()
  for (const symbol of exported) {
    for (const declaration of symbol.declarations?.filter(isOurs) ?? []) {
      for (const name of namedTypes(declaration)) {
        const named = checker.getSymbolAtLocation(name)
        if (named === undefined || named.flags & ts.SymbolFlags.TypeParameter) continue
        const type = resolved(named)
        if (type.declarations?.some(isOurs) && !exported.has(type)) missing.add(`${type.name}, in ${symbol.name}`)
      }
    }
  }
  expect([...missing].sort()).toEqual([])
})
