import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

const LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

export type LogLevel = (typeof LEVELS)[number]

export const isLogLevel = (text: string): text is LogLevel => LEVELS.some((level) => level === text)

/** Lines of JSON on stderr, written at once. */
export const createLog = (level: LogLevel): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
