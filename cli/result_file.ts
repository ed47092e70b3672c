import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UserError } from './fail.ts'

/** A whole number in `least .. most`, or a UserError. */
export const parseWhole = (option: string, value: string, least: number, most: number): number => {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  throw new UserError(`--${option} takes a whole number from ${least} to ${most}, got '${value}'`)
}

/** Throws UserError unless results can be written to `path`. */
export const checkResultPath = (path: string, option = 'json'): void => {
  if (path === '') throw new UserError(`--${option} takes a file name, got none`)
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new UserError(`--${option} ${path}: there is no folder ${folder}`)
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw new UserError(`--${option} ${path} is a folder; name a file`)
  }
}

/** Writes the whole file or nothing. */
export const writeResult = (path: string, text: string, option = 'json'): void => {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, text)
    renameSync(temporary, path)
  } catch (thrown) {
    rmSync(temporary, { force: true })
    throw new UserError(`--${option} ${path} cannot be written: ${(thrown as Error).message}`)
  }
}
