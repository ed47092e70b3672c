import { existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UserError } from './fail.ts'

/** A whole number in `least .. most`, or a UserError. */
export const parseWhole = (option: string, value: string, least: number, most: number): number => {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  throw new UserError(`--${option} takes a whole number from ${least} to ${most}, got '${value}'`)
}

/** The file that a path leads to, links followed; its folder has to be there. */
const targetOf = (path: string): string =>
  existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(resolve(path))), basename(path))

const isSpecial = (path: string): boolean => existsSync(path) && !statSync(path).isFile()

/**
 * Throws UserError unless results can be written to `path`: a file that is not among `inputs`, in a folder where files
 * can be made. Nothing is left there.
 */
export const checkResultPath = (path: string, option = 'json', inputs: readonly string[] = []): void => {
  if (path === '') throw new UserError(`--${option} takes a file name, got none`)
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new UserError(`--${option} ${path}: there is no folder ${folder}`)
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw new UserError(`--${option} ${path} is a folder; name a file`)
  }
  if (isSpecial(path)) return
  const target = targetOf(path)
  const input = inputs.find((name) => existsSync(name) && realpathSync(name) === target)
  if (input !== undefined) throw new UserError(`--${option} ${path} is an input, which is never overwritten`)
  const probe = temporaryOf(target)
  try {
    writeFileSync(probe, '')
  } catch (thrown) {
    throw cannotWrite(option, path, thrown)
  } finally {
    rmSync(probe, { force: true })
  }
}

/** `checkResultPath` of a command's outputs by option, which are files of their own. Absent ones are left out. */
export const checkResultPaths = (
  outputs: Readonly<Record<string, string | undefined>>,
  inputs: readonly string[] = [],
): void => {
  const taken = new Map<string, string>()
  for (const [option, path] of Object.entries(outputs)) {
    if (path === undefined) continue
    checkResultPath(path, option, inputs)
    if (isSpecial(path)) continue
    const target = targetOf(path)
    const other = taken.get(target)
    if (other !== undefined) throw new UserError(`--${option} and --${other} name one file, ${path}`)
    taken.set(target, option)
  }
}

/**
 * Throws UserError unless files can be made in the folder `path`, or it can be made itself, and the input is not one
 * that files with these endings would overwrite. Nothing is left there.
 */
export const checkResultFolder = (path: string, option: string, input: string | undefined, endings: RegExp): void => {
  if (path === '') throw new UserError(`--${option} takes a folder, got none`)
  if (existsSync(path) && !statSync(path).isDirectory()) {
    throw new UserError(`--${option} ${path} is a file; name a folder`)
  }
  if (input !== undefined && existsSync(input) && existsSync(path) && endings.test(input)) {
    if (dirname(realpathSync(input)) === realpathSync(path)) {
      throw new UserError(`--${option} ${path} holds the input ${input}, which is never overwritten`)
    }
  }
  let nearest = resolve(path)
  while (!existsSync(nearest)) nearest = dirname(nearest)
  const probe = temporaryOf(join(nearest, 'wgevm'))
  try {
    writeFileSync(probe, '')
  } catch (thrown) {
    throw cannotWrite(option, path, thrown)
  } finally {
    rmSync(probe, { force: true })
  }
}

const temporaryOf = (target: string): string => `${target}.${process.pid}.tmp`

const cannotWrite = (option: string, path: string, thrown: unknown): UserError => {
  const { code, message } = thrown as NodeJS.ErrnoException
  return new UserError(`--${option} ${path} cannot be written (${code ?? message})`, { cause: thrown })
}

/** Writes the whole file or nothing. What is no file, as /dev/stdout, is written to as it is. */
export const writeResult = (path: string, text: string | Uint8Array, option = 'json'): void => {
  let temporary: string | undefined
  try {
    if (isSpecial(path)) {
      writeFileSync(path, text)
      return
    }
    const target = targetOf(path)
    temporary = temporaryOf(target)
    writeFileSync(temporary, text)
    renameSync(temporary, target)
  } catch (thrown) {
    if (temporary !== undefined) rmSync(temporary, { force: true })
    throw cannotWrite(option, path, thrown)
  }
}
