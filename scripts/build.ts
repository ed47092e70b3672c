import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import ts from 'typescript'
import { ARCHIVE, DRIVER_FILES } from '../host/device/swiftshader.ts'
import { readTar } from '../host/device/tar.ts'

/**
 * Builds `dist/`, what the package holds: JavaScript, the declarations that its entry points reach, and the software
 * Vulkan driver. Why so: docs/decisions/0021-what-the-tarball-holds.md.
 */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const DIST = join(ROOT, 'dist')
const ENTRIES = ['host/index.d.ts', 'transpiler/index.d.ts'].map((entry) => join(DIST, entry))

const compile = (): void => {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

/** Removes declarations that no entry point loads: they name what is `@internal`, whose declarations are stripped. */
const removeUnreachedDeclarations = (): void => {
  const { NodeNext } = ts.ModuleKind
  const options = { module: NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] }
  const program = ts.createProgram(ENTRIES, options)
  const reached = new Set(program.getSourceFiles().map(({ fileName }) => resolve(fileName)))
  for (const entry of readdirSync(DIST, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && file.endsWith('.d.ts') && !reached.has(file)) rmSync(file)
  }
}

const TAR_BLOCK = 512

/** The driver's files out of the archive of `@sparticuz/chromium`, whose other files are a browser's. */
const packDriver = (): void => {
  const bin = resolve(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../../bin')
  const archive = brotliDecompressSync(readFileSync(join(bin, ARCHIVE)))
  const members = readTar(archive)
    .filter(({ path }) => DRIVER_FILES.includes(path.replace(/^\.\//, '')))
    .map(({ bytes }) => {
      const start = bytes.byteOffset - archive.byteOffset
      const end = start + Math.ceil(bytes.length / TAR_BLOCK) * TAR_BLOCK
      return archive.subarray(start - TAR_BLOCK, end)
    })
  if (members.length !== DRIVER_FILES.length)
    throw new Error(`${bin}/${ARCHIVE} lacks one of ${DRIVER_FILES.join(', ')}`)
  const packed = brotliCompressSync(Buffer.concat([...members, Buffer.alloc(2 * TAR_BLOCK)]), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
  })
  writeFileSync(join(DIST, 'host', 'device', ARCHIVE), packed)
}

rmSync(DIST, { recursive: true, force: true })
compile()
removeUnreachedDeclarations()
packDriver()
